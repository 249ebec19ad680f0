"""Replaces :NAMES in a query by placeholders of a driver."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from handrail.suggest import did_you_mean
from handrail_export.errors import SourceError
from handrail_export.names import listed

# Text in quotes or in a comment has no placeholders, and neither has a cast (`::int`).
_TOKENS = re.compile(
    r"""
      '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$
    | :: | (?P<end>;) | (?<![\w:]):(?P<name>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)

_NOTHING = re.compile(r"(?:\s|;|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)


def bind(query: str, values: Mapping[str, object], place: str) -> tuple[str, Sequence[object]]:
    """Return the query with numbered placeholders, and the values in the order of the numbers.

    Args:
        query: SQL with `:name` for each value.
        values: The values by name.
        place: The prefix of the numbers: `$` or `?`.

    Raises:
        SourceError: A value is missing or is not used, or there are several statements.
    """
    numbers: dict[str, int] = {}

    def put(found: re.Match[str]) -> str:
        if found["end"]:
            if _bare(query[found.end() :]):
                raise SourceError("the query has several statements; give one")
            return ""
        name = found["name"]
        if name is None:
            return found[0]
        if name not in values:
            near = did_you_mean(name, values)
            raise SourceError(
                f"the query has :{name}, and there is no value for it{near and f'; {near}'}",
                ways_out=(f"-p parameters.{name}=VALUE",),
            )
        number = numbers.setdefault(name, len(numbers) + 1)
        return f"{place}{number}"

    text = _TOKENS.sub(put, query)
    unused = [name for name in values if name not in numbers]
    if unused:
        raise SourceError(
            f"the query has no :{unused[0]}, and there is a value for it",
            ways_out=(
                f"it has {listed(f':{name}' for name in numbers) or 'no places for values'}",
            ),
        )
    return text, [values[name] for name in numbers]


def one_statement(query: str) -> str:
    """Return a query without the semicolon and the blanks at its end.

    Raises:
        SourceError: The query is empty.
    """
    text = query.strip().rstrip(";").rstrip()
    if not _bare(text):
        raise SourceError("the query is empty", ways_out=("--query 'SELECT ...'",))
    return text


def first_word(query: str) -> str:
    """Return the word that a query begins with, in capitals."""
    found = re.match(r"\w*", _bare(query))
    return found[0].upper() if found else ""


def _bare(query: str) -> str:
    """Return a query without the comments, blanks and semicolons that it begins with."""
    return _NOTHING.sub("", query, count=1)


def quoted(name: str) -> str:
    """Return a name quoted for SQL."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
