"""Decides how a model learns from each column of a table, and says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, cast

from handrail.frozen import frozen
from handrail_train.errors import DataError
from handrail_train.names import cut, near, some_of

if TYPE_CHECKING:
    from handrail_train.data.summary import Summary, ValueSummary

Kind = Literal["number", "boolean", "category", "date", "text", "drop"]
# How values are given, whatever the width of their Arrow type.
Family = Literal["number", "boolean", "date", "time", "duration", "text", "nothing"]
# What a user can ask for.
ASKED: tuple[Kind, ...] = ("category", "number", "text", "date", "drop")

MOST_CATEGORIES = 254  # One byte, less the code of all others: the bins that boosted trees have.
_WORDS = 3  # A text has so many on average; names of categories have fewer.
_GAPS = 2  # Numbers of rows are at most so far apart on average, where some rows are left out.
_ENOUGH = 20  # With fewer rows, that all values differ says nothing.

_FITTING: Mapping[Family, tuple[Kind, ...]] = {
    "number": ("number", "category", "drop"),
    "boolean": ("boolean", "category", "number", "drop"),
    "date": ("date", "category", "drop"),
    "time": ("number", "category", "drop"),
    "duration": ("number", "category", "drop"),
    "text": ("category", "text", "number", "date", "drop"),
    "nothing": ("drop",),
}


@frozen
class Decision:
    """How a model learns from a column.

    Attributes:
        name: The column.
        family: How its values are given.
        kind: What it is taken for.
        why: The reason, for people.
    """

    name: str
    family: Family
    kind: Kind
    why: str

    @property
    def shown(self) -> str:
        """The decision in one line, such as `zip: category (text, 812 different values)`."""
        return f"{self.name}: {self.kind} ({self.why})"


def family_of(kind: Any) -> Family | None:
    """Return the family of an Arrow type; None for those that no model here learns from."""
    types = import_module("pyarrow.types")
    if types.is_dictionary(kind):
        return family_of(kind.value_type)
    tests: dict[Family, tuple[Any, ...]] = {
        "boolean": (types.is_boolean,),
        "number": (types.is_integer, types.is_floating, types.is_decimal),
        "date": (types.is_date, types.is_timestamp),
        "time": (types.is_time,),
        "duration": (types.is_duration,),
        "text": (types.is_string, types.is_large_string, types.is_string_view),
        "nothing": (types.is_null,),
    }
    return next((name for name, some in tests.items() if any(test(kind) for test in some)), None)


def check_asked(names: Sequence[str], asked: Mapping[str, Kind]) -> None:
    """Check that the columns that a user asked something of are there.

    Raises:
        DataError: One is not.
    """
    for name in asked:
        if name not in names:
            raise DataError(
                f"there is no column {name!r}; there are {some_of(names)}",
                ways_out=(*near(name, names), "give --column a column that is there"),
            )


def family_to_take(name: str, kind: Any, asked: Kind | None) -> Family | None:
    """Return the family of a column that is to be looked at; None where it is to be dropped.

    Raises:
        DataError: It cannot be taken for what was asked.
    """
    family = family_of(kind)
    if family is None and asked not in (None, "drop"):
        raise _unfit(name, f"its type is {kind}", asked, ("drop",))
    if family is not None and asked is not None and asked not in _FITTING[family]:
        raise _unfit(name, f"it holds {_told(family)}", asked, _FITTING[family])
    return None if asked == "drop" else family


def decide(name: str, kind: Any, summary: Summary | None, asked: Kind | None) -> Decision:
    """Return how a model learns from a column.

    Args:
        name: The column.
        kind: Its Arrow type.
        summary: What is known of it; None where it is not looked at.
        asked: What the user asked for.
    """
    family = family_of(kind)
    if family is None:
        why = f"no model learns from {kind}"
        return Decision(name=name, family="nothing", kind="drop", why=why)
    if asked is not None:
        return Decision(name=name, family=family, kind=asked, why="as asked")
    assert summary is not None
    taken, why = _inferred(summary)
    return Decision(name=name, family=family, kind=taken, why=why)


def _unfit(name: str, why: str, asked: Kind | None, fitting: Sequence[Kind]) -> DataError:
    return DataError(
        f"the column {name!r} cannot be taken for {asked}: {why}",
        ways_out=(f"give one of {', '.join(each for each in fitting if each in ASKED)}",),
    )


def _inferred(summary: Summary) -> tuple[Kind, str]:
    family, kind = summary.family, str(summary.type)
    if summary.absent == summary.rows:
        return "drop", "it has no values"
    if not summary.varies and not summary.absent:
        return "drop", f"it has one value only: {cut(str(summary.first.as_py()), 24)}"
    if family == "text":
        return _inferred_text(cast("ValueSummary", summary))
    if family == "number":
        return "number", kind
    if family == "boolean":
        return "boolean", "true or false"
    if family == "date":
        return "date", kind
    return "number", f"{kind}, in seconds"


def _inferred_text(summary: ValueSummary) -> tuple[Kind, str]:
    distinct, words = summary.distinct, summary.spaces + 1
    values = f"{'more than ' if summary.is_cut else ''}{distinct:,} different values"
    if distinct > MOST_CATEGORIES and words >= _WORDS:
        return "text", f"{values}, {words:.0f} words each"
    if summary.is_unique and distinct >= _ENOUGH:
        if words < _WORDS:
            return "drop", "every value is another one; --column NAME=text or category keeps it"
        return "text", "every value is another one"
    return "category", f"text, {values}"


def numbers_rows(column: Any, share: float = 1.0) -> bool:
    """Return whether whole numbers are all different, and close together, as numbers of rows.

    Args:
        column: An Arrow column.
        share: The share of the rows of the table that it has.
    """
    types, compute = import_module("pyarrow.types"), import_module("pyarrow.compute")
    there = len(column) - column.null_count
    if not types.is_integer(column.type) or there < _ENOUGH:
        return False
    if compute.count_distinct(column, mode="only_valid").as_py() != there:
        return False
    ends = compute.min_max(column).as_py()
    return bool(ends["max"] - ends["min"] < _GAPS * there / share)


def _told(family: Family) -> str:
    return {
        "number": "numbers",
        "boolean": "true and false",
        "date": "dates",
        "time": "times of day",
        "duration": "durations",
        "text": "text",
        "nothing": "no values",
    }[family]


def parse_columns(given: Sequence[str]) -> dict[str, Kind]:
    """Return what was asked for by column, from texts such as `zip=category`.

    Raises:
        ValueError: A text is malformed, or names an unknown kind.
    """
    return dict(_parsed(given))


def _parsed(given: Sequence[str]) -> Iterator[tuple[str, Kind]]:
    for text in given:
        name, _, kind = text.rpartition("=")
        if not name or kind not in ASKED:
            listed = ", ".join(ASKED)
            raise ValueError(f"{text!r}: give NAME=KIND, where KIND is one of {listed}")
        yield name, kind
