"""Numbers, messages and suggestions for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_KINDS = re.compile(
    r"^(\[[A-Za-z ]+\] )?"
    r"([A-Z_]{2,}: |[A-Z][A-Za-z]*( [A-Z][A-Za-z]*){0,3} (Error|Exception): )*(\[\w+\] )?"
    r"(Failed to (prepare|execute|step) query( '.*?')?: )?(could not begin COPY: )?(ERROR: +)?",
    re.DOTALL,
)
_LONGEST = 600  # Characters of a line of a message.
_WRAPPED = re.compile(r"[A-Z][A-Za-z ]+ \[[^]]*\]: (\{\"exception_type\": ?.*\})")
_REST = re.compile(
    r"(LINE \d|Query was|query: |Debug source|Possible [Ss]olution|file = |delimiter = |\^"
    r"|The search space used was|This limit was set)"
)


def said(error: BaseException) -> str:
    """Return the message of a library as one line without the kind of error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept: list[str] = []
    for line in lines:
        # The rest shows the statement, or the place in the library.
        if _REST.match(line):
            break
        kept.append(_cut(line))
    text = _unwrapped(_KINDS.sub("", " ".join(kept)))
    text = re.sub(r"[. ]*SQLSTATE: \w+$", "", text)
    return _UNFIT.sub(" ", text).rstrip(". ") or type(error).__name__


def _cut(line: str) -> str:
    """Return a line without its middle, if it quotes a line of a file: that may be of any length.

    The reason is at its end, after a path.
    """
    half = _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[:half]}...{line[-half:]}"


def _unwrapped(text: str) -> str:
    """Return the message that a thread of the engine passes on as JSON, or the text as it is."""
    found = _WRAPPED.fullmatch(text)
    if found is None:
        return text
    try:
        return str(json.loads(found[1])["exception_message"])
    except (ValueError, KeyError):
        return text


def listed(names: Iterable[str], most: int = 12) -> str:
    """Return names as a list that stays on one line."""
    all_names = list(names)
    shown = ", ".join(all_names[:most])
    return f"{shown}, ..." if len(all_names) > most else shown
