"""The outcome of a row: seven outcomes, and the codes of the reasons.

Every person of a run has exactly one outcome. A code is the stable name of a reason; its texts are
translated. `Code.lasting` determines whether the next run sends the row again.
"""

from __future__ import annotations

from enum import StrEnum


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


TAG_ABSENT = "tagAbsent"
"""The code of a removed tag that the contact did not have. Only an undo uses it: no row has it."""


class Code(StrEnum):
    """Why a row has its outcome, and how long this reason lasts."""

    lasting: Lasting

    def __new__(cls, code: str, lasting: Lasting = Lasting.NOT_A_FAULT) -> Code:
        """Make a code from its text; the text alone finds it (`Code("erased")`)."""
        made = str.__new__(cls, code)
        made._value_ = code
        made.lasting = lasting
        return made

    # The row itself
    ADDRESS_MISSING = "addressMissing", Lasting.UNTIL_ROW_CHANGES
    ADDRESS_MALFORMED = "addressMalformed", Lasting.UNTIL_ROW_CHANGES
    ROW_UNREADABLE = "rowUnreadable", Lasting.UNTIL_ROW_CHANGES
    ROW_TOO_MANY_COLUMNS = "rowTooManyColumns", Lasting.UNTIL_ROW_CHANGES
    ROW_TOO_FEW_COLUMNS = "rowTooFewColumns", Lasting.UNTIL_ROW_CHANGES
    ROW_BAD_QUOTING = "rowBadQuoting", Lasting.UNTIL_ROW_CHANGES
    ROW_TOO_LONG = "rowTooLong", Lasting.UNTIL_ROW_CHANGES
    ROW_BAD_ENCODING = "rowBadEncoding", Lasting.UNTIL_ROW_CHANGES
    SHARED_ADDRESS = "sharedAddress", Lasting.NOT_A_FAULT
    SHARED_ADDRESS_NOT_SENT = "sharedAddressNotSent", Lasting.NOT_A_FAULT
    VALUE_DROPPED = "valueDropped", Lasting.NOT_A_FAULT
    VALUE_CUT = "valueCut", Lasting.NOT_A_FAULT
    # Consent
    UNSUBSCRIBED = "unsubscribed", Lasting.NOT_A_FAULT
    CLEANED = "cleaned", Lasting.NOT_A_FAULT
    PENDING = "pending", Lasting.NOT_A_FAULT
    TRANSACTIONAL = "transactional", Lasting.NOT_A_FAULT
    ARCHIVED = "archived", Lasting.NOT_A_FAULT
    NO_CONSENT = "noConsent", Lasting.NOT_A_FAULT
    CONSENT_WITHDRAWN = "consentWithdrawn", Lasting.NOT_A_FAULT
    WITHDRAWN_UNSUBSCRIBED = "withdrawnUnsubscribed", Lasting.NOT_A_FAULT
    UNSUBSCRIBED_BY_EXPORT = "unsubscribedByExport", Lasting.NOT_A_FAULT
    EXCLUDED = "excluded", Lasting.NOT_A_FAULT
    ERASED = "erased", Lasting.NOT_A_FAULT
    # Former addresses
    ADDRESS_CHANGED = "addressChanged", Lasting.NOT_A_FAULT
    ADDRESS_CHANGED_IN_MAILCHIMP = "addressChangedInMailchimp", Lasting.NOT_A_FAULT
    FORMER_ARCHIVED = "formerArchived", Lasting.NOT_A_FAULT
    # Contacts that no export targets any more
    UNUSED = "unused", Lasting.NOT_A_FAULT
    UNUSED_ARCHIVED = "unusedArchived", Lasting.NOT_A_FAULT
    TAGGED_BY_OTHERS = "taggedByOthers", Lasting.NOT_A_FAULT
    # Of a search only, for people who are in no run
    NOT_IN_SEGMENT = "notInSegment", Lasting.NOT_A_FAULT
    NOT_RUN = "notRun", Lasting.NOT_A_FAULT
    NOT_COMPLETED = "notCompleted", Lasting.NOT_A_FAULT
    # Mailchimp's answer about one member
    CONTACT_EXISTS = "contactExists", Lasting.NEXT_RUN
    COMPLIANCE_STATE = "complianceState", Lasting.UNTIL_ROW_CHANGES
    FORGOTTEN = "forgotten", Lasting.UNTIL_ROW_CHANGES
    ADDRESS_REFUSED = "addressRefused", Lasting.UNTIL_ROW_CHANGES
    ADDRESS_THROTTLED = "addressThrottled", Lasting.A_FEW_RUNS
    FIELD_REFUSED = "fieldRefused", Lasting.UNTIL_ROW_CHANGES
    FIELD_REQUIRED = "fieldRequired", Lasting.UNTIL_ROW_CHANGES
    NOT_IN_AUDIENCE = "notInAudience", Lasting.NEXT_RUN
    PLAN_LIMIT = "planLimit", Lasting.NEXT_RUN
    REFUSED = "refused", Lasting.A_FEW_RUNS
    # The call as a whole
    CALL_FAILED = "callFailed", Lasting.A_FEW_RUNS
    DISCONNECTED = "disconnected", Lasting.NEXT_RUN
    RUN_STOPPED = "runStopped", Lasting.NEXT_RUN
    CANCELED = "canceled", Lasting.NEXT_RUN
    AWAITING_CONFIRMATION = "awaitingConfirmation", Lasting.NEXT_RUN
    NOT_RETRIED = "notRetried", Lasting.NEXT_RUN
    WITHDRAWALS_ONLY = "withdrawalsOnly", Lasting.NEXT_RUN
