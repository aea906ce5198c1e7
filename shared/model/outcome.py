"""The outcome of a row: seven outcomes, and the codes of the reasons.

Every person of a run has exactly one outcome. A code is the stable name of a reason; its texts are
translated. `Lasting` determines whether the next run sends the row again.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["CODES", "Code", "Lasting", "Outcome"]


class Outcome(StrEnum):
    """The outcome of a person in one run."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    REJECTED = "rejected"
    REMOVED = "removed"
    NOT_SENT = "notSent"


class Lasting(StrEnum):
    """How long a reason lasts.

    A row with a reason that may pass, or that Mailchimp did not name, is sent again by a few runs
    (ledger.MAX_TRIES).
    """

    UNTIL_ROW_CHANGES = "untilRowChanges"
    NEXT_RUN = "nextRun"
    A_FEW_RUNS = "aFewRuns"
    NOT_A_FAULT = "notAFault"


class Code(StrEnum):
    """Why a row has its outcome."""

    # The row itself
    ADDRESS_MISSING = "addressMissing"
    ADDRESS_MALFORMED = "addressMalformed"
    ROW_UNREADABLE = "rowUnreadable"
    ROW_TOO_MANY_COLUMNS = "rowTooManyColumns"
    ROW_TOO_FEW_COLUMNS = "rowTooFewColumns"
    ROW_BAD_QUOTING = "rowBadQuoting"
    ROW_TOO_LONG = "rowTooLong"
    ROW_BAD_ENCODING = "rowBadEncoding"
    SHARED_ADDRESS = "sharedAddress"
    SHARED_ADDRESS_NOT_SENT = "sharedAddressNotSent"
    VALUE_DROPPED = "valueDropped"
    VALUE_CUT = "valueCut"
    # Consent
    UNSUBSCRIBED = "unsubscribed"
    CLEANED = "cleaned"
    PENDING = "pending"
    TRANSACTIONAL = "transactional"
    ARCHIVED = "archived"
    NO_CONSENT = "noConsent"
    CONSENT_WITHDRAWN = "consentWithdrawn"
    WITHDRAWN_UNSUBSCRIBED = "withdrawnUnsubscribed"
    UNSUBSCRIBED_BY_EXPORT = "unsubscribedByExport"
    EXCLUDED = "excluded"
    ERASED = "erased"
    # Former addresses
    ADDRESS_CHANGED = "addressChanged"
    FORMER_ARCHIVED = "formerArchived"
    # Contacts that no export targets any more
    UNUSED = "unused"
    UNUSED_ARCHIVED = "unusedArchived"
    TAGGED_BY_OTHERS = "taggedByOthers"
    # Of a search only, for people who are in no run
    NOT_IN_SEGMENT = "notInSegment"
    NOT_RUN = "notRun"
    NOT_COMPLETED = "notCompleted"
    # Mailchimp's answer about one member
    CONTACT_EXISTS = "contactExists"
    COMPLIANCE_STATE = "complianceState"
    FORGOTTEN = "forgotten"
    ADDRESS_REFUSED = "addressRefused"
    ADDRESS_THROTTLED = "addressThrottled"
    FIELD_REFUSED = "fieldRefused"
    FIELD_REQUIRED = "fieldRequired"
    NOT_IN_AUDIENCE = "notInAudience"
    PLAN_LIMIT = "planLimit"
    REFUSED = "refused"
    # The call as a whole
    CALL_FAILED = "callFailed"
    DISCONNECTED = "disconnected"
    CANCELED = "canceled"
    AWAITING_CONFIRMATION = "awaitingConfirmation"
    NOT_RETRIED = "notRetried"
    WITHDRAWALS_ONLY = "withdrawalsOnly"


CODES: dict[Code, Lasting] = {
    Code.ADDRESS_MISSING: Lasting.UNTIL_ROW_CHANGES,
    Code.ADDRESS_MALFORMED: Lasting.UNTIL_ROW_CHANGES,
    Code.ROW_UNREADABLE: Lasting.UNTIL_ROW_CHANGES,
    Code.ROW_TOO_MANY_COLUMNS: Lasting.UNTIL_ROW_CHANGES,
    Code.ROW_TOO_FEW_COLUMNS: Lasting.UNTIL_ROW_CHANGES,
    Code.ROW_BAD_QUOTING: Lasting.UNTIL_ROW_CHANGES,
    Code.ROW_TOO_LONG: Lasting.UNTIL_ROW_CHANGES,
    Code.ROW_BAD_ENCODING: Lasting.UNTIL_ROW_CHANGES,
    Code.SHARED_ADDRESS: Lasting.NOT_A_FAULT,
    Code.SHARED_ADDRESS_NOT_SENT: Lasting.NOT_A_FAULT,
    Code.VALUE_DROPPED: Lasting.NOT_A_FAULT,
    Code.VALUE_CUT: Lasting.NOT_A_FAULT,
    Code.UNSUBSCRIBED: Lasting.NOT_A_FAULT,
    Code.CLEANED: Lasting.NOT_A_FAULT,
    Code.PENDING: Lasting.NOT_A_FAULT,
    Code.TRANSACTIONAL: Lasting.NOT_A_FAULT,
    Code.ARCHIVED: Lasting.NOT_A_FAULT,
    Code.NO_CONSENT: Lasting.NOT_A_FAULT,
    Code.CONSENT_WITHDRAWN: Lasting.NOT_A_FAULT,
    Code.WITHDRAWN_UNSUBSCRIBED: Lasting.NOT_A_FAULT,
    Code.UNSUBSCRIBED_BY_EXPORT: Lasting.NOT_A_FAULT,
    Code.EXCLUDED: Lasting.NOT_A_FAULT,
    Code.ERASED: Lasting.NOT_A_FAULT,
    Code.ADDRESS_CHANGED: Lasting.NOT_A_FAULT,
    Code.FORMER_ARCHIVED: Lasting.NOT_A_FAULT,
    Code.UNUSED: Lasting.NOT_A_FAULT,
    Code.UNUSED_ARCHIVED: Lasting.NOT_A_FAULT,
    Code.TAGGED_BY_OTHERS: Lasting.NOT_A_FAULT,
    Code.NOT_IN_SEGMENT: Lasting.NOT_A_FAULT,
    Code.NOT_RUN: Lasting.NOT_A_FAULT,
    Code.NOT_COMPLETED: Lasting.NOT_A_FAULT,
    Code.CONTACT_EXISTS: Lasting.NEXT_RUN,
    Code.COMPLIANCE_STATE: Lasting.UNTIL_ROW_CHANGES,
    Code.FORGOTTEN: Lasting.UNTIL_ROW_CHANGES,
    Code.ADDRESS_REFUSED: Lasting.UNTIL_ROW_CHANGES,
    Code.ADDRESS_THROTTLED: Lasting.A_FEW_RUNS,
    Code.FIELD_REFUSED: Lasting.UNTIL_ROW_CHANGES,
    Code.FIELD_REQUIRED: Lasting.UNTIL_ROW_CHANGES,
    Code.NOT_IN_AUDIENCE: Lasting.NEXT_RUN,
    Code.PLAN_LIMIT: Lasting.NEXT_RUN,
    Code.REFUSED: Lasting.A_FEW_RUNS,
    Code.CALL_FAILED: Lasting.A_FEW_RUNS,
    Code.DISCONNECTED: Lasting.NEXT_RUN,
    Code.CANCELED: Lasting.NEXT_RUN,
    Code.AWAITING_CONFIRMATION: Lasting.NEXT_RUN,
    Code.NOT_RETRIED: Lasting.NEXT_RUN,
    Code.WITHDRAWALS_ONLY: Lasting.NEXT_RUN,
}
