"""The language that a person chose for the pages: remembered in a cookie, or asked for with a form.

A form that is sent to its own address with `?language=ko` comes back in that language with everything that
was typed, and changes nothing. So a page with input can be read in another language, without a script too.
"""

from __future__ import annotations

from starlette.requests import Request

from shared.web.texts import LANGUAGE_COOKIE, LANGUAGES


def asked_language(request: Request) -> str:
    """The language in which a form is to be shown again; "" for all other requests."""
    asked = request.query_params.get(LANGUAGE_COOKIE, "") if request.method == "POST" else ""
    return asked if asked in LANGUAGES else ""


def chosen_language(request: Request) -> str:
    """The language that the person chose; "" if they chose none."""
    remembered = request.cookies.get(LANGUAGE_COOKIE, "")
    return asked_language(request) or (remembered if remembered in LANGUAGES else "")


def language_cookie(language: str) -> str:
    """The `Set-Cookie` header that remembers a language for a year."""
    return f"{LANGUAGE_COOKIE}={language}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
