"""What hides the passwords of URLs in a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import cast

HIDDEN = "**********"
"""What is shown in place of a secret."""

# The user information of RFC 3986, which ends before the first slash; a password that is not
# encoded may have an @ of its own.
_PASSWORD = re.compile(r"(://[^\s/?#@:]*:)[^\s/?#]+@")

_ANY_PASSWORD = re.compile(r"(://[^:/@]*:).*@")
_OPTION = re.compile(r"([?&]\w*password=)[^&]*", re.IGNORECASE)


def without_passwords(text: str) -> str:
    """Return `text` with the password of each URL in it hidden: `postgresql://ada:***@host`."""
    return _PASSWORD.sub(rf"\1{HIDDEN}@", text) if "://" in text else text


def shown_url(url: str) -> str:
    """Return a URL without its passwords, however little it is one."""
    # A password that is not encoded may have anything in it; options may hold others.
    return _OPTION.sub(rf"\1{HIDDEN}", _ANY_PASSWORD.sub(rf"\1{HIDDEN}@", url))


def has_password(text: str) -> bool:
    """Whether a URL with a password in it is in `text`; one that is hidden does not count."""
    return "://" in text and without_passwords(text) != text


def json_has_password(text: str) -> bool:
    """Whether one of the texts in a JSON text has a URL with a password in it."""
    # What looks like one may be several texts and the marks between them.
    return has_password(text) and any(map(has_password, _texts(json.loads(text))))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _texts(each)
    elif isinstance(value, dict):
        for key, each in cast("dict[str, object]", value).items():
            yield key
            yield from _texts(each)
