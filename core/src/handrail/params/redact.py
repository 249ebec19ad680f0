"""Takes passwords and other secrets out of texts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

HIDDEN = "**********"
"""The placeholder for a secret."""

# The user information of RFC 3986, which ends before the first slash; a password that is not
# encoded may have an @ of its own.
_PASSWORD = re.compile(r"(://[^\s/?#@:]*:)[^\s/?#]+@")

_ANY_PASSWORD = re.compile(r"(://[^:/@]*:).*@")
_OPTION = re.compile(r"([?&]\w*password=)[^&]*", re.IGNORECASE)
_SECRET = re.compile(r"password|passwd|secret|token|credential|api[-_]?key", re.IGNORECASE)


def without_passwords(text: str) -> str:
    """Return `text` with the password of each URL in it hidden: `postgresql://ada:***@host`."""
    return _PASSWORD.sub(rf"\1{HIDDEN}@", text) if "://" in text else text


def shown_url(url: str) -> str:
    """Return a URL, or any text, without passwords."""
    # An unencoded password may contain any character; options may contain passwords too.
    return _OPTION.sub(rf"\1{HIDDEN}", _ANY_PASSWORD.sub(rf"\1{HIDDEN}@", url))


def has_password(text: str) -> bool:
    """Return whether `text` contains a URL with a password that is not hidden."""
    return "://" in text and without_passwords(text) != text


def json_has_password(text: str) -> bool:
    """Return whether one of the texts in a JSON text has a URL with a password in it."""
    # A match may span several texts and the punctuation between them.
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


def mask_of(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that takes `secrets`, and the passwords of URLs, out of a text.

    Secrets are found both verbatim and in their JSON form.
    """
    known = {each for each in secrets if each}
    # The longest first: one may be part of another.
    forms = sorted(known | {json.dumps(each)[1:-1] for each in known}, key=len, reverse=True)
    if not forms:
        return without_passwords
    pattern = re.compile("|".join(map(re.escape, forms)))
    return lambda text: without_passwords(pattern.sub(HIDDEN, text))


def looks_secret(text: str) -> bool:
    """Return whether a key, or a text with keys in it, looks as if it had to do with a secret."""
    return _SECRET.search(text) is not None


def shown(key: str, value: Any) -> Any:
    """Return `value` without passwords, and hidden if its key looks like that of a secret."""
    if looks_secret(key):
        return "(hidden)"
    if isinstance(value, list):
        return [shown("", each) for each in cast("list[object]", value)]
    if isinstance(value, Mapping):
        table = cast("Mapping[str, Any]", value)
        return {name: shown(name, each) for name, each in table.items()}
    return without_passwords(value) if isinstance(value, str) else value
