"""Guess what a yes in a consent attribute means, by the attribute's name."""

from __future__ import annotations

import re

from shared.model.export import ConsentMeaning

__all__ = ["suggested_meaning"]

# Names of flags that forbid, without separators and case: DoNotEmail, DoNotBulkEMail, OptOut,
# EMailUnsubscribed, NoMarketing, 수신거부 ("refuses to receive"), 동의철회 ("consent withdrawn").
_FORBIDS = re.compile(
    r"donot|dont|optout|optedout|unsubscri|withdraw|revoked|declin|object(?:ed|ion)|blocked"
    r"|blacklist|suppress|exclude|^no(?:e?mail|market|contact|newsletter|news|spam)"
    r"|noconsent|not(?:allow|permit|consent|mail)|abgemeldet|widerruf|keinewerbung|거부|철회|해지|차단"
)
_ALLOWS = re.compile(
    r"consent|optin|optedin|allow|agree|permission|permit|subscrib|accept|einwilligung|동의|허용|수신"
)


def suggested_meaning(attribute: str) -> ConsentMeaning | None:
    """The meaning that the name of an attribute suggests; None when it suggests neither."""
    plain = re.sub(r"[\W_]+", "", attribute).casefold()
    if _FORBIDS.search(plain):
        return ConsentMeaning.YES_MUST_NOT_BE_MAILED
    return ConsentMeaning.YES_MAY_BE_MAILED if _ALLOWS.search(plain) else None
