"""The form of ids, those of the app and those of Mailchimp."""

import re

ID = "[A-Za-z0-9_-]{1,64}"
"""A regular expression for one id."""

_ID = re.compile(ID)


def is_id(text: str) -> bool:
    """Whether a text has the form of an id."""
    return _ID.fullmatch(text) is not None
