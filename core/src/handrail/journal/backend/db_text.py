"""Escapes text that databases reject: lone surrogates (in odd file names) and NUL."""

from __future__ import annotations

MARK = "unicode_escape:"


def to_stored(text: str) -> str:
    """Return `text`, escaped if it could not be stored otherwise; `from_stored` reverses it."""
    if text.isascii() and "\0" not in text and not text.startswith(MARK):
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        if "\0" not in text and not text.startswith(MARK):
            return text
    return MARK + text.encode("unicode_escape").decode("ascii")


def from_stored(text: str) -> str:
    """Return the original of a text escaped by `to_stored`."""
    if not text.startswith(MARK):
        return text
    return text.removeprefix(MARK).encode("ascii").decode("unicode_escape")
