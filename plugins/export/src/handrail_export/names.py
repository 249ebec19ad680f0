"""Numbers, messages and suggestions for people."""

from __future__ import annotations

import re
from collections.abc import Iterable

_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_KINDS = re.compile(
    r"^(\[[A-Za-z ]+\] )?"
    r"([A-Z_]{2,}: |[A-Z][A-Za-z]*( [A-Z][A-Za-z]*){0,3} (Error|Exception): )*(\[\w+\] )?"
    r"(Failed to (prepare|execute|step) query( '.*?')?: )?(could not begin COPY: )?(ERROR: +)?",
    re.DOTALL,
)
_LONGEST = 200  # Characters of a line of a message.
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
        # Some quote a whole line of a file, which may have millions of characters.
        kept.append(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}...")
    text = _KINDS.sub("", " ".join(kept))
    text = re.sub(r"[. ]*SQLSTATE: \w+$", "", text)
    return _UNFIT.sub(" ", text).rstrip(". ") or type(error).__name__


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `did you mean a or b?` for up to three known names near `name`, or an empty text."""
    # difflib is slow to import, and only needed for errors.
    from difflib import get_close_matches  # noqa: PLC0415

    folded = {candidate.lower().replace("-", "_"): candidate for candidate in known}
    matches = get_close_matches(name.lower().replace("-", "_"), folded, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(folded[each] for each in matches)}?" if matches else ""


def listed(names: Iterable[str], most: int = 12) -> str:
    """Return names as a list that stays on one line."""
    all_names = list(names)
    shown = ", ".join(all_names[:most])
    return f"{shown}, ..." if len(all_names) > most else shown
