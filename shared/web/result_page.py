"""The page at the end of a sign-in: fixed words, nothing of the request.

It stands alone, without styles or scripts of its own, because it answers a request that came
from another site.
"""

from __future__ import annotations

from html import escape

from shared.web.call import Call
from shared.web.http import Response
from shared.web.texts import has, text

__all__ = ["result_page"]

_PAGE = """<!doctype html>
<html lang="{language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title></head>
<body><main><h1>{title}</h1><p>{sentence}</p><p><a href="/">{back}</a></p></main></body>
</html>
"""


def result_page(call: Call, outcome: str, status: int) -> Response:
    """The page for an outcome that has a text; every other outcome reads "did not work"."""
    key = f"signIn.{outcome}"
    title = "signIn.doneTitle" if status == 200 else "signIn.failedTitle"
    page = _PAGE.format(
        language=call.language,
        title=escape(text(call.language, title)),
        sentence=escape(text(call.language, key if has(key) else "signIn.failed")),
        back=escape(text(call.language, "signIn.back")),
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Language": call.language,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
    }
    return Response(status, headers, page.encode())
