"""Read a consent attribute: what its values mean, and what a yes means by the attribute's name."""

from __future__ import annotations

import re
from typing import NamedTuple

from shared.model.export import ConsentMeaning
from shared.model.source import composed


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


YES = (
    _words("yes y true t 1 1.0 on ja j oui si sí sim vrai wahr 예 네 はい 是")
    | _words("agree agreed accept accepted consented grant granted checked 동의 동의함 동의합니다")
    | {"동의 함"}
)
NO = _words("no n false f 0 0.0 off unchecked nein non não faux falsch 아니요 아니오 いいえ 否")
# O and X are a yes and a no in Korean and Japanese forms, so they are understood if the attribute has a Korean or Japanese
# name. Elsewhere, O is "opted out" beside I, and X is a tick.
_MARK_YES = _words("o ｏ ○ ◯ 〇 ⭕")
_MARK_NO = _words("x ｘ × ✕ ✖ ❌")
_HANGUL_OR_KANA = re.compile("[\uac00-\ud7a3\u3041-\u30ff]")
# The person did not agree. If a yes of the attribute forbids email, this is unclear: it may mean "did not agree to
# email" or "did not refuse email". In this case, the person gets no email.
_NOT_AGREED = frozenset(
    {"denied", "declined", "refused", "rejected", "revoked", "withdrawn", "disagree", "disagreed"}
    | {"not agreed", "not accepted", "not consented", "not granted", "not given"}
    | {"미동의", "비동의", "동의안함", "동의 안함", "동의 안 함", "동의하지않음", "동의하지 않음"}
    | {"동의하지않습니다", "동의하지 않습니다", "거절"}
)
# These mean the same under every name. Dynamics 365 has "Allow" and "Do Not Allow", consent records of
# Customer Insights - Journeys have "Opted in" and "Opted out", Korean forms 수신동의 (agrees to receive) and 수신거부
# (refuses to receive).
_ALLOWED = frozenset(
    {"allow", "allowed", "opted in", "opted-in", "opted_in", "optedin"}
    | {"opt in", "opt-in", "opt_in", "optin"}
    | {"subscribed", "수신", "수신함", "수신동의", "수신 동의", "허용", "허용함"}
)
_FORBIDDEN = frozenset(
    {"do not allow", "not allowed", "opted out", "opted-out", "opted_out", "optedout"}
    | {"opt out", "opt-out", "opt_out", "optout", "unsubscribed"}
    | {
        "거부",
        "수신거부",
        "수신 거부",
        "미수신",
        "수신안함",
        "수신 안함",
        "수신 안 함",
        "허용안함",
        "허용 안함",
        "허용 안 함",
        "철회",
        "동의철회",
        "동의 철회",
    }
)

# Names of flags that forbid, without separators and case: DoNotEmail, DoNotBulkEMail, OptOut,
# EMailUnsubscribed, NoMarketing, 수신거부 ("refuses to receive"), 동의철회 ("consent withdrawn").
_FORBIDS = re.compile(
    r"donot|dont|optout|optedout|unsub|withdraw|revoked|declin|object(?:ed|ion)|blocked|denied|refus|reject"
    r"|blacklist|suppress|exclude|disallow|disagree|never|^no(?:e?mail|market|contact|newsletter|news|spam)"
    r"|(?:no|non|without|un)(?:consent|permission)|not(?:allow|permit|consent|mail|opted|agree|accept|subscrib)"
    r"|abgemeldet|abbestell|widerruf|widerspr|keinewerbung|werbesperre|d[eé]s(?:inscri|abonn)"
    r"|거부|거절|철회|해지|차단|중단|안함|미동의|비동의|미수신|수신취소|동의취소|配信停止|拒|退订|退訂"
)
_ALLOWS = re.compile(
    r"consent|optin|optedin|allow|agree|permission|permit|subscrib|accept|einwilligung|동의|허용|수신"
)


class ConsentWords(NamedTuple):
    """Values, in lower case, by which a person may be mailed, and by which not."""

    allow: frozenset[str]
    forbid: frozenset[str]


def consent_words(meaning: ConsentMeaning, attribute: str) -> ConsentWords:
    """Return the values of a consent attribute that are understood."""
    yes, no = YES, NO
    if _HANGUL_OR_KANA.search(composed(attribute)):
        yes, no = yes | _MARK_YES, no | _MARK_NO
    yes_allows = meaning is ConsentMeaning.YES_MAY_BE_MAILED
    allow, forbid = (yes, no | _NOT_AGREED) if yes_allows else (no, yes)
    return ConsentWords(allow | _ALLOWED, forbid | _FORBIDDEN)


def suggested_meaning(attribute: str) -> ConsentMeaning | None:
    """The meaning that the name of an attribute suggests; None when it suggests neither."""
    plain = re.sub(r"[\W_]+", "", attribute).casefold()
    if _FORBIDS.search(plain):
        return ConsentMeaning.YES_MUST_NOT_BE_MAILED
    return ConsentMeaning.YES_MAY_BE_MAILED if _ALLOWS.search(plain) else None
