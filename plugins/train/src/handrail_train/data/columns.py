"""Decides how a model learns from each column of a table, and says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Literal

from handrail.frozen import frozen
from handrail_train.errors import DataError
from handrail_train.names import cut, near, some_of

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


def decide(table: Any, asked: Mapping[str, Kind]) -> list[Decision]:
    """Return the decision for each column of a table, in its order.

    Args:
        table: A `pyarrow.Table` with the rows of the training.
        asked: What the user asked for, by column.

    Raises:
        DataError: A column is not there, or cannot be taken for what was asked.
    """
    for name in asked:
        if name not in table.column_names:
            raise DataError(
                f"there is no column {name!r}; there are {some_of(table.column_names)}",
                ways_out=(*near(name, table.column_names), "give --column a column that is there"),
            )
    return [_decision(name, table[name], asked.get(name)) for name in table.column_names]


def _decision(name: str, column: Any, asked: Kind | None) -> Decision:
    family = family_of(column.type)
    if family is None:
        if asked not in (None, "drop"):
            raise _unfit(name, f"its type is {column.type}", asked, ("drop",))
        return Decision(
            name=name, family="nothing", kind="drop", why=f"no model learns from {column.type}"
        )
    if asked is not None:
        fitting = _FITTING[family]
        if asked not in fitting:
            raise _unfit(name, f"it holds {_told(family)}", asked, fitting)
        return Decision(name=name, family=family, kind=asked, why="as asked")
    kind, why = _inferred(family, column)
    return Decision(name=name, family=family, kind=kind, why=why)


def _unfit(name: str, why: str, asked: Kind | None, fitting: Sequence[Kind]) -> DataError:
    return DataError(
        f"the column {name!r} cannot be taken for {asked}: {why}",
        ways_out=(f"give one of {', '.join(each for each in fitting if each in ASKED)}",),
    )


def _inferred(family: Family, column: Any) -> tuple[Kind, str]:
    compute = import_module("pyarrow.compute")
    if len(column) == column.null_count:
        return "drop", "it has no values"
    distinct: int = compute.count_distinct(column, mode="only_valid").as_py()
    if distinct == 1 and not column.null_count:
        value = column[0].as_py()
        return "drop", f"it has one value only: {cut(str(value), 24)}"
    there = len(column) - column.null_count
    if family == "text":
        return _inferred_text(column, distinct, there)
    if family == "number":
        return "number", str(column.type)
    if family == "boolean":
        return "boolean", "true or false"
    if family == "date":
        return "date", str(column.type)
    return "number", f"{column.type}, in seconds"


def _inferred_text(column: Any, distinct: int, there: int) -> tuple[Kind, str]:
    compute = import_module("pyarrow.compute")
    values = f"{distinct:,} different values"
    spaces = compute.mean(compute.count_substring_regex(column, r"\S\s+\S")).as_py()
    if distinct > MOST_CATEGORIES and spaces + 1 >= _WORDS:
        return "text", f"{values}, {spaces + 1:.0f} words each"
    if distinct == there >= _ENOUGH and spaces + 1 < _WORDS:
        return "drop", "every value is another one; --column NAME=text or category keeps it"
    if distinct == there >= _ENOUGH:
        return "text", "every value is another one"
    return "category", f"text, {values}"


def numbers_rows(column: Any) -> bool:
    """Return whether whole numbers are all different, and close together, as numbers of rows."""
    types, compute = import_module("pyarrow.types"), import_module("pyarrow.compute")
    there = len(column) - column.null_count
    if not types.is_integer(column.type) or there < _ENOUGH:
        return False
    if compute.count_distinct(column, mode="only_valid").as_py() != there:
        return False
    ends = compute.min_max(column).as_py()
    return bool(ends["max"] - ends["min"] < _GAPS * there)


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
