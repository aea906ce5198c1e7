"""Maps error responses to their meaning by status, problem title, error code and field.

Mailchimp localizes its texts (a German account gets German ones), so status, title, `error_code` and
`field` take precedence. English texts are used only for refusals of single members that have no other
detail than the address; in other languages these become `refused` or `addressRefused`.
https://mailchimp.com/developer/marketing/docs/errors/

Mailchimp does not document how it reports that the contact limit of a plan is reached. The app recognizes 402, or
403 Forbidden on a call that writes members, a title that names the limit, and English texts about the plan.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import orjson

from shared.model.audience import Refusal
from shared.model.outcome import Code


class ErrorKind(Enum):
    """What a response that is not a success requires."""

    THROTTLED = "slow down; nothing was applied"
    BLOCKED = "slow down; it may have been applied"
    BROKEN = "try again; it may have been applied"
    DISCONNECTED = "the authorization was revoked or is not valid"
    MISSING = "the resource does not exist"
    REFUSED = "refused permanently"


@dataclass(frozen=True)
class ErrorBody:
    """A problem document (RFC 9457), reduced to its title, the fields it names and a cause.

    `cause` is a code found only in the text of the document; the text itself is not kept.
    """

    title: str
    fields: tuple[str, ...] = ()
    cause: str = ""


@dataclass(frozen=True)
class Classification:
    """What a response means. `code` is an outcome code, or a code of the whole call from `CODES`."""

    kind: ErrorKind
    code: str
    field: str


# Titles in lower case, letters only. `*` is any other problem document of that status, and None a
# response that is not a problem document.
_ANY = "*"
_TABLE: dict[tuple[int, str | None], tuple[ErrorKind, str]] = {
    (400, "memberincompliancestate"): (ErrorKind.REFUSED, Code.COMPLIANCE_STATE),
    (400, "forgottenemailnotsubscribed"): (ErrorKind.REFUSED, Code.FORGOTTEN),
    (400, "memberexists"): (ErrorKind.REFUSED, Code.CONTACT_EXISTS),
    (400, "contactlimitexceeded"): (ErrorKind.REFUSED, Code.PLAN_LIMIT),
    (400, "planlimitexceeded"): (ErrorKind.REFUSED, Code.PLAN_LIMIT),
    (400, "jsonparseerror"): (ErrorKind.REFUSED, "requestUnreadable"),
    (400, _ANY): (ErrorKind.REFUSED, Code.REFUSED),
    (401, _ANY): (ErrorKind.DISCONNECTED, "keyInvalid"),
    (401, None): (ErrorKind.DISCONNECTED, "keyInvalid"),
    (402, _ANY): (ErrorKind.REFUSED, Code.PLAN_LIMIT),
    (403, "userdisabled"): (ErrorKind.DISCONNECTED, "accountDisabled"),
    (403, "wrongdatacenter"): (ErrorKind.DISCONNECTED, "wrongDataCentre"),
    (403, "apikeyinvalid"): (ErrorKind.DISCONNECTED, "keyInvalid"),
    (403, "apikeymissing"): (ErrorKind.DISCONNECTED, "keyInvalid"),
    (403, "toomanyrequests"): (ErrorKind.THROTTLED, "throttled"),
    (403, "contactlimitexceeded"): (ErrorKind.REFUSED, Code.PLAN_LIMIT),
    (403, "planlimitexceeded"): (ErrorKind.REFUSED, Code.PLAN_LIMIT),
    (403, _ANY): (ErrorKind.REFUSED, "forbidden"),
    (403, None): (ErrorKind.THROTTLED, "throttled"),
    (404, _ANY): (ErrorKind.MISSING, "missing"),
    (408, _ANY): (ErrorKind.BROKEN, "timeout"),
    (408, None): (ErrorKind.BROKEN, "timeout"),
    # A conflict, a lock and "too early" are temporary by their nature. Mailchimp documents none of them.
    (409, _ANY): (ErrorKind.BROKEN, "serverError"),
    (413, _ANY): (ErrorKind.REFUSED, "tooLarge"),
    (413, None): (ErrorKind.REFUSED, "tooLarge"),
    (423, _ANY): (ErrorKind.BROKEN, "serverError"),
    (425, _ANY): (ErrorKind.BROKEN, "serverError"),
    (426, None): (ErrorKind.REFUSED, Code.REFUSED),
    (429, _ANY): (ErrorKind.THROTTLED, "throttled"),
    (429, None): (ErrorKind.THROTTLED, "throttled"),
    (503, "compliancerelated"): (ErrorKind.REFUSED, "methodDisabled"),
    (503, _ANY): (ErrorKind.BROKEN, "serverError"),
    (503, None): (ErrorKind.BLOCKED, "throttled"),
}

# The default for other responses, by the first digit of the status.
_REST = {
    2: (ErrorKind.BROKEN, "notJson"),
    3: (ErrorKind.REFUSED, "redirected"),
    4: (ErrorKind.REFUSED, str(Code.REFUSED)),
    5: (ErrorKind.BROKEN, "serverError"),
}

# Mailchimp's own refusals are problem documents, so any other response of 4xx comes from a proxy. It must not look
# like a deleted audience or a refused person.
_NOT_MAILCHIMP = (ErrorKind.BROKEN, "notJson")

ABOUT_ACCOUNT = frozenset({str(Code.PLAN_LIMIT), "forbidden", "methodDisabled", "redirected"})
"""The codes of refusals of a whole call that concern the account and not the rows in it."""

CODES = frozenset(str(code) for _, code in (*_TABLE.values(), *_REST.values(), _NOT_MAILCHIMP))
"""The codes of whole calls."""

_ERROR_CODES = {"ERROR_CONTACT_EXISTS": Code.CONTACT_EXISTS}

_HINTS: tuple[tuple[str, Code], ...] = (
    ("compliance state", Code.COMPLIANCE_STATE),
    ("permanently deleted", Code.FORGOTTEN),
    ("previously removed from this", Code.FORGOTTEN),
    ("lot of lists", Code.ADDRESS_THROTTLED),
    ("not allowing more signups", Code.ADDRESS_THROTTLED),
    ("recent signup", Code.ADDRESS_THROTTLED),
    ("too many signup", Code.ADDRESS_THROTTLED),
    ("already a list member", Code.CONTACT_EXISTS),
    ("member exists", Code.CONTACT_EXISTS),
    ("fake or invalid", Code.ADDRESS_REFUSED),
    ("domain portion of the email", Code.ADDRESS_REFUSED),
    ("valid email address", Code.ADDRESS_REFUSED),
    ("contact limit", Code.PLAN_LIMIT),
    ("plan does not allow", Code.PLAN_LIMIT),
    ("plan doesn't allow", Code.PLAN_LIMIT),
    ("limit of your plan", Code.PLAN_LIMIT),
    ("plan limit", Code.PLAN_LIMIT),
    ("upgrade your plan", Code.PLAN_LIMIT),
)

# English texts of a whole call's refusal that name its cause, whatever the title is.
_CAUSES: tuple[tuple[re.Pattern[str], ErrorKind, str], ...] = (
    (
        re.compile(r"simultaneous connections|too many (connections|requests)"),
        ErrorKind.THROTTLED,
        "throttled",
    ),
    (
        re.compile(r"(account|user) (has been|is|was) (disabled|deactivated|suspended)"),
        ErrorKind.DISCONNECTED,
        "accountDisabled",
    ),
    (re.compile(r"data ?cent(er|re)|\bdc\b"), ErrorKind.DISCONNECTED, "wrongDataCentre"),
    (
        re.compile("|".join(hint for hint, code in _HINTS if code is Code.PLAN_LIMIT)),
        ErrorKind.REFUSED,
        Code.PLAN_LIMIT,
    ),
    # The text of any 403. The plan may be the cause, so a text that names the plan comes first.
    (re.compile(r"(not permitted|permission) to access"), ErrorKind.REFUSED, "forbidden"),
)
_KINDS_OF_CAUSES = {code: kind for _, kind, code in _CAUSES}

_LONGEST_TITLE = 200
_LONGEST_MESSAGE = 2_000
_FIELD = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,80}")
# The path of an error in a call that writes members begins with this.
_MEMBER = re.compile(r"^members(?:\.item)?(?:[:.]\d+|\[\d+\])\.?")
_MERGE_FIELDS = "merge_fields."
# MERGE0 is another name of the merge field EMAIL.
_ADDRESS_FIELDS = ("EMAIL", "EMAIL_ADDRESS", "MERGE0")


def problem_in(body: bytes | bytearray) -> ErrorBody | None:
    """Parse a problem document; None when the body is something else (HTML, text)."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict) or not isinstance(document.get("title"), str):
        return None
    errors = document.get("errors")
    named = [_named(e.get("field")) for e in _list(errors) if isinstance(e, dict)]
    detail = document.get("detail")
    cause = _cause(detail[:_LONGEST_MESSAGE].casefold()) if isinstance(detail, str) else ""
    title = document["title"][:_LONGEST_TITLE]
    return ErrorBody(title, tuple(name for name in named if name), cause)


def classify(
    status: int, problem: ErrorBody | None, *, about_members: bool = False
) -> Classification:
    """Return the meaning of a response that is not a readable success.

    With `about_members`, the call writes members, and the title "Forbidden" means the limit of the plan.
    """
    title = _letters(problem.title) if problem else None
    rows = ((status, title), (status, _ANY if problem else None))
    found = next((_TABLE[row] for row in rows if row in _TABLE), None)
    from_proxy = problem is None and status // 100 == 4
    rest = _NOT_MAILCHIMP if from_proxy else _REST.get(status // 100, _REST[5])
    kind, code = found or rest
    if problem is not None and code in (Code.REFUSED, "forbidden") and problem.cause:
        code = problem.cause
        kind = _KINDS_OF_CAUSES.get(code, kind)
    elif about_members and code == title == "forbidden":
        code = Code.PLAN_LIMIT
    field = problem.fields[0] if problem and problem.fields else ""
    if about_members and code == Code.REFUSED:
        code, field = _refused_field(field)
    return Classification(kind, str(code), field)


def refusal(error: Mapping[str, object], sent: Mapping[str, object] | None) -> Refusal:
    """Return why one member of a batch call was refused.

    `error` is an entry of `errors` in the response, `sent` the merge fields of the member in the
    request. A field that was sent has an invalid value; one that was empty or not sent is missing.
    Mailchimp distinguishes the two in its text only.
    """
    named = error.get("error_code")
    code = _ERROR_CODES.get(named) if isinstance(named, str) else None
    field = _named(error.get("field"))
    is_address = _MEMBER.sub("", field).upper() in _ADDRESS_FIELDS
    if code:
        return Refusal(code)
    if field and not is_address:
        tag, value = _sent_field(field, sent or {})
        given = value is not None and value != ""
        return Refusal(Code.FIELD_REFUSED if given else Code.FIELD_REQUIRED, tag)
    message = error.get("error")
    text = message[:_LONGEST_MESSAGE].casefold() if isinstance(message, str) else ""
    # A refusal that names the address may be about the contact, such as one that was deleted.
    unnamed = Code.ADDRESS_REFUSED if is_address else Code.REFUSED
    return Refusal(next((code for hint, code in _HINTS if hint in text), unnamed))


def _refused_field(path: str) -> tuple[Code, str]:
    """Return the code and the merge field of a refused call with one member, by the path of its first error."""
    name = _MEMBER.sub("", path)
    if name.upper() in _ADDRESS_FIELDS:
        return Code.ADDRESS_REFUSED, ""
    if name.startswith(_MERGE_FIELDS):
        return Code.FIELD_REFUSED, name.removeprefix(_MERGE_FIELDS).partition(".")[0]
    return Code.REFUSED, name


def _sent_field(field: str, sent: Mapping[str, object]) -> tuple[str, object]:
    """Return the tag of a field that Mailchimp names, and the value that was sent for it; None if none was sent.

    Mailchimp may name the field by a path, such as `merge_fields.FNAME`, `members.item:3.merge_fields.FNAME` or `ADDRESS.zip`.
    """
    name = _MEMBER.sub("", field)
    tag = name.removeprefix(_MERGE_FIELDS).partition(".")[0]
    # Merge tags are in upper case. Other names are parts of a member, such as `status`.
    is_tag = name.startswith(_MERGE_FIELDS) or tag.isupper()
    not_sent = (tag.upper() if is_tag else name or field, None)
    return next(((key, sent[key]) for key in sent if key.upper() == tag.upper()), not_sent)


def _cause(detail: str) -> str:
    """The cause that the English text of a whole call's refusal names; empty when it names none."""
    return next((code for text, _, code in _CAUSES if text.search(detail)), "")


def _letters(title: str) -> str:
    return "".join(letter for letter in title.casefold() if letter.isascii() and letter.isalpha())


def _named(field: object) -> str:
    """Return the name of a field; empty when it looks like anything else, such as an address."""
    return field if isinstance(field, str) and _FIELD.fullmatch(field) else ""


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
