"""A token in every form that only our own pages know: the same value in a cookie and a field.

It stands beside the look at Origin and Sec-Fetch-Site (csrf.py): a browser too old to send
either still cannot be led to change anything.
"""

from __future__ import annotations

import hmac
import re

from shared.web.call import Call
from shared.web.problem import HttpProblem

__all__ = ["FIELD", "check_csrf", "csrf_token"]

FIELD = "csrf"
_SECURE_COOKIE, _LOCAL_COOKIE = "__Host-csrf", "csrf"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,100}")


def _name(call: Call) -> tuple[str, str]:
    secure = call.desk.public_url.startswith("https:") or call.request.url.startswith("https:")
    return (_SECURE_COOKIE, "; Secure") if secure else (_LOCAL_COOKIE, "")


def csrf_token(call: Call) -> tuple[str, str]:
    """The token for the forms of a page, and the Set-Cookie that keeps it."""
    name, secure = _name(call)
    known = call.request.cookies.get(name, "")
    token = known if _TOKEN.fullmatch(known) else f"{call.desk.new_id()}{call.desk.new_id()}-token"
    return token, f"{name}={token}; Path=/; HttpOnly; SameSite=Strict{secure}"


def check_csrf(call: Call, sent: str) -> None:
    """Raise a 403 unless the form carries the browser's own token."""
    name, _ = _name(call)
    known = call.request.cookies.get(name, "")
    if not known or not hmac.compare_digest(known.encode(), sent.encode()):
        raise HttpProblem(403, "crossOrigin")
