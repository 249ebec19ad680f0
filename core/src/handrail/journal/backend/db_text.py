"""Text that no database takes as it is: lone surrogates, such as in odd file names, and NUL."""

from __future__ import annotations

MARK = "unicode_escape:"


def to_stored(text: str) -> str:
    """Return `text`, or its escaped form where it could not be stored; `from_stored` undoes it."""
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
    """Return what `to_stored` was given."""
    if not text.startswith(MARK):
        return text
    return text.removeprefix(MARK).encode("ascii").decode("unicode_escape")
