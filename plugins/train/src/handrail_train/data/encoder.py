"""TableEncoder: turns the columns of a table into numbers, in the way that a model needs them.

What it knows it has from the rows of the training alone, and it is stored as JSON. Each kind of
column has a class: its figures, and its numbers in each encoding.

The encodings are those that work best with the kinds of models here:

- `native`, for boosted trees: values as they are, and a category as its place in a list of values;
- `frequency`, for other trees: the same, but a category as the share of the rows that have it;
- `scaled`, for sums of products: mean 0 and deviation 1, the median where a value is missing, and a
  column that says so, and one for each of the most frequent values of a category.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, cast

from handrail.frozen import frozen, values_of
from handrail_train.data.columns import (
    MOST_CATEGORIES,
    Decision,
    Family,
    Kind,
    check_asked,
    decide,
    family_of,
    family_to_take,
)
from handrail_train.data.summary import (
    DateSummary,
    NumberSummary,
    Summary,
    ValueSummary,
    summary_of,
)
from handrail_train.data.values import as_floats, as_moments, as_texts
from handrail_train.errors import DataError
from handrail_train.names import near, some_of

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats

Encoding = Literal["native", "frequency", "scaled"]

SCHEMA = 1
_COLUMNS_OF_A_CATEGORY = 30
_COLUMNS_OF_A_TEXT = 64
_DAY = 86_400
# The type of a column without values, by how they are given elsewhere.
_EMPTY: Mapping[Family, str] = {
    "number": "float64",
    "boolean": "bool",
    "date": "timestamp[us]",
    "time": "time64[us]",
    "duration": "duration[us]",
    "text": "string",
}
# Parts of a date, and the length of their cycle.
_PARTS = {"weekday": 7, "month": 12, "day": 31, "hour": 24}


@frozen
class Column(ABC):
    """A column that a model learns from.

    Attributes:
        name: Its name.
        family: How its values are given.
        why: Why it is taken for what it is.
        missing: The share of the rows of the training that have no value.
    """

    kind = cast("Kind", "")  # Of the class.

    name: str
    family: Family
    why: str
    missing: float

    @classmethod
    @abstractmethod
    def fit(cls, decision: Decision, summary: Any) -> Column:
        """Return the column as the rows of the training have it."""

    @abstractmethod
    def names(self, encoding: Encoding) -> list[str]:
        """Return the names of its numbers."""

    @abstractmethod
    def numbers(self, column: Any, encoding: Encoding) -> Iterator[Floats]:
        """Yield its numbers, one array of a value per row for each of `names`."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"kind": self.kind, **values_of(self)}

    def described(self) -> dict[str, Any]:
        """Return what whoever gives such a column has to know."""
        return {"name": self.name, "family": self.family, "kind": self.kind}

    def absent(self, column: Any) -> Any:
        """Return where a value is missing, as an array."""
        return column.is_null(nan_is_null=True).to_numpy()

    def flag(self, column: Any) -> Iterator[Floats]:
        """Yield where a value is missing as numbers, if some were in the training."""
        if self.missing:
            yield self.absent(column).astype("float64")

    def flag_name(self) -> list[str]:
        """Return the name of `flag`."""
        return [f"{self.name} is missing"] if self.missing else []


@frozen
class NumberColumn(Column):
    """Numbers.

    Attributes:
        median: The median.
        mean: The mean, with the median in place of missing values.
        deviation: The standard deviation of that; 1 if it is 0.
    """

    kind = "number"

    median: float
    mean: float
    deviation: float

    @classmethod
    def fit(cls, decision: Decision, summary: NumberSummary) -> NumberColumn:
        median, (mean, deviation) = summary.median, summary.filled()
        return cls(
            name=decision.name,
            family=decision.family,
            why=decision.why,
            missing=summary.missing,
            median=median,
            mean=mean,
            # Of equal numbers it may be tiny and not zero, by rounding.
            deviation=deviation if deviation > 1e-12 * abs(median) else 1.0,
        )

    def names(self, encoding: Encoding) -> list[str]:
        return [self.name, *(self.flag_name() if encoding == "scaled" else ())]

    def numbers(self, column: Any, encoding: Encoding) -> Iterator[Floats]:
        np = import_module("numpy")
        values = as_floats(column, self.family, self.name)
        if encoding != "scaled":
            yield values
            return
        absent = np.isnan(values)
        yield (np.where(absent, self.median, values) - self.mean) / self.deviation
        if self.missing:
            yield absent.astype("float64")


@frozen
class BooleanColumn(Column):
    """True and false."""

    kind = "boolean"

    @classmethod
    def fit(cls, decision: Decision, summary: Summary) -> BooleanColumn:
        missing = summary.missing
        return cls(name=decision.name, family="boolean", why=decision.why, missing=missing)

    def names(self, encoding: Encoding) -> list[str]:
        return [self.name, *(self.flag_name() if encoding == "scaled" else ())]

    def numbers(self, column: Any, encoding: Encoding) -> Iterator[Floats]:
        np = import_module("numpy")
        values = as_floats(column, self.family, self.name)
        if encoding != "scaled":
            yield values
            return
        yield np.where(np.isnan(values), 0.0, values)
        yield from self.flag(column)


@frozen
class CategoryColumn(Column):
    """One of some values.

    Attributes:
        values: The most frequent values as texts; those of the same frequency by name.
        shares: The share of the rows of the training that have each.
        others: How many other values there were.
    """

    kind = "category"

    values: list[str]
    shares: list[float]
    others: int

    @classmethod
    def fit(cls, decision: Decision, summary: ValueSummary) -> CategoryColumn:
        values, counts = summary.frequent(MOST_CATEGORIES)
        return cls(
            name=decision.name,
            family=decision.family,
            why=decision.why,
            missing=summary.missing,
            values=values,
            shares=[count / summary.rows for count in counts],
            others=summary.distinct - len(values),
        )

    def described(self) -> dict[str, Any]:
        return {**Column.described(self), "values": list(self.values)}

    def names(self, encoding: Encoding) -> list[str]:
        if encoding != "scaled":
            return [self.name]
        shown = [f"{self.name}={value}" for value in self.values[:_COLUMNS_OF_A_CATEGORY]]
        return [*shown, f"{self.name} is another", *self.flag_name()]

    def numbers(self, column: Any, encoding: Encoding) -> Iterator[Floats]:
        np = import_module("numpy")
        places = self._places(column)
        if encoding == "scaled":
            shown = min(len(self.values), _COLUMNS_OF_A_CATEGORY)
            for place in range(shown):
                yield (places == place).astype("float64")
            yield (places >= shown).astype("float64")
            yield from self.flag(column)
        elif encoding == "frequency":
            shares = np.array([*self.shares, 0.0])
            found = shares[np.where(np.isnan(places), 0, places).astype("int64")]
            yield np.where(np.isnan(places), np.nan, found)
        else:
            yield places

    def _places(self, column: Any) -> Floats:
        """Return the place of each value, that after the last for others, NaN for none."""
        pa, compute = import_module("pyarrow"), import_module("pyarrow.compute")
        texts = as_texts(column, self.family)
        places = compute.index_in(texts, pa.array(self.values, "string"))
        places = compute.fill_null(places, len(self.values)).cast("float64")
        empty = pa.scalar(math.nan, "float64")
        found: Floats = compute.if_else(texts.is_null(), empty, places).to_numpy()
        return found


@frozen
class DateColumn(Column):
    """Dates, or moments.

    Attributes:
        hours: Whether it has times of day.
        first: The first day, in days since 1970.
        last: The last one.
    """

    kind = "date"

    hours: bool
    first: float
    last: float

    @classmethod
    def fit(cls, decision: Decision, summary: DateSummary) -> DateColumn:
        return cls(
            name=decision.name,
            family=decision.family,
            why=decision.why,
            missing=summary.missing,
            hours=summary.hours,
            first=0.0 if summary.earliest is None else summary.earliest,
            last=1.0 if summary.latest is None else summary.latest,
        )

    def _parts(self) -> list[str]:
        return [part for part in _PARTS if part != "hour" or self.hours]

    def names(self, encoding: Encoding) -> list[str]:
        days, parts = f"days of {self.name}", self._parts()
        if encoding != "scaled":
            return [days, *(f"{part} of {self.name}" for part in parts)]
        turns = [
            f"{turn} of the {part} of {self.name}" for part in parts for turn in ("sin", "cos")
        ]
        return [days, *turns, *self.flag_name()]

    def numbers(self, column: Any, encoding: Encoding) -> Iterator[Floats]:
        np = import_module("numpy")
        seconds = as_moments(column, self.family, self.name)
        days, absent = seconds / _DAY, np.isnan(seconds)
        parts = _parts_of(np, np.where(absent, 0.0, seconds))
        if encoding != "scaled":
            yield days
            for part in self._parts():
                yield np.where(absent, np.nan, parts[part])
            return
        middle, width = (self.first + self.last) / 2, (self.last - self.first) / 2 or 1.0
        yield np.where(absent, 0.0, (days - middle) / width)
        for part in self._parts():
            angle = 2 * math.pi * parts[part] / _PARTS[part]
            yield np.where(absent, 0.0, np.sin(angle))
            yield np.where(absent, 0.0, np.cos(angle))
        if self.missing:
            yield absent.astype("float64")


def _parts_of(np: Any, seconds: Floats) -> dict[str, Floats]:
    """Return the weekday (0 is Monday), month, day of the month and hour of moments."""
    days = np.floor(seconds / _DAY).astype("int64")
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    return {
        "weekday": (days + 3) % 7,  # 1970 began on a Thursday.
        "month": months.astype("int64") % 12 + 1,
        "day": (dates - months).astype("int64") + 1,
        "hour": (seconds - days * _DAY) // 3600,
    }


@frozen
class TextColumn(Column):
    """Texts: the words are hashed into columns, whose sum of squares is 1 (`HashingVectorizer`)."""

    kind = "text"

    @classmethod
    def fit(cls, decision: Decision, summary: Summary) -> TextColumn:
        missing = summary.missing
        return cls(name=decision.name, family=decision.family, why=decision.why, missing=missing)

    def names(self, encoding: Encoding) -> list[str]:
        return [f"words {place} of {self.name}" for place in range(_COLUMNS_OF_A_TEXT)]

    def numbers(self, column: Any, encoding: Encoding) -> Iterator[Floats]:
        text = import_module("sklearn.feature_extraction.text")
        texts: list[str] = column.cast("string").fill_null("").to_pylist()
        hashed = text.HashingVectorizer(n_features=_COLUMNS_OF_A_TEXT).transform(texts)
        yield from hashed.toarray().T


_COLUMNS: tuple[type[Column], ...] = (
    *(NumberColumn, BooleanColumn, CategoryColumn, DateColumn, TextColumn),
)


@frozen
class TableEncoder:
    """Turns tables into numbers.

    Attributes:
        columns: The columns that are learnt from, in the order of the table.
        dropped: Those that are not, with the reason.
        rows: The number of rows that it was fitted on.
    """

    columns: tuple[Column, ...]
    dropped: tuple[Decision, ...]
    rows: int

    @classmethod
    def fit(cls, tables: Iterable[Any], asked: Mapping[str, Kind]) -> TableEncoder:
        """Return the encoder that follows from the rows of the training.

        Args:
            tables: Arrow tables with those rows, one after the other, and the columns to learn
                from; at least one.
            asked: What columns are to be taken for, where that is not to be found out.

        Raises:
            DataError: A column cannot be taken for what was asked, or none is left.
        """
        rows, types = 0, dict[str, Any]()
        summaries: dict[str, Summary] = {}
        for table in tables:
            if not types:
                types = dict(zip(table.column_names, table.schema.types, strict=True))
                summaries = _summaries(types, asked)
            rows += table.num_rows
            for name, summary in summaries.items():
                summary.add(table[name])
        decisions = [
            decide(name, kind, summaries.get(name), asked.get(name)) for name, kind in types.items()
        ]
        dropped = tuple(each for each in decisions if each.kind == "drop")
        if len(dropped) == len(decisions):
            raise DataError(
                "there is no column to learn from: "
                + some_of((f"{each.name} ({each.why})" for each in dropped), most=4),
                ways_out=("give a table with more columns", "or keep one: --column NAME=KIND"),
            )
        kinds = {each.kind: each for each in _COLUMNS}
        return cls(
            columns=tuple(
                kinds[each.kind].fit(each, summaries[each.name])
                for each in decisions
                if each.kind != "drop"
            ),
            dropped=dropped,
            rows=rows,
        )

    def _ordered(self, encoding: Encoding) -> Sequence[Column]:
        """Return the columns in the order of their numbers: native categories come first.

        scikit-learn's boosted trees are wrong without a word where they do not.
        """
        if encoding != "native":
            return self.columns
        return sorted(self.columns, key=lambda each: each.kind != "category")

    def names(self, encoding: Encoding) -> list[str]:
        """Return the names of the numbers in a row."""
        return [name for each in self._ordered(encoding) for name in each.names(encoding)]

    def places(self, encoding: Encoding) -> dict[str, slice]:
        """Return the places of the numbers of each column in a row."""
        found: dict[str, slice] = {}
        first = 0
        for each in self._ordered(encoding):
            count = len(each.names(encoding))
            found[each.name] = slice(first, first + count)
            first += count
        return found

    def categories(self, encoding: Encoding) -> int:
        """Return how many of the first numbers in a row are places in a list of values."""
        if encoding != "native":
            return 0
        return sum(each.kind == "category" for each in self.columns)

    def encode(self, table: Any, encoding: Encoding) -> Floats:
        """Return the numbers of a table: a row for each of its rows.

        Args:
            table: A `pyarrow.Table`; the order of its columns, and others in it, mean nothing.
            encoding: The encoding.

        Raises:
            DataError: A column is missing, or holds something else than in the training.
        """
        self.check(table)
        np = import_module("numpy")
        found = np.empty((table.num_rows, len(self.names(encoding))), dtype="float64")
        place = 0
        for column in self._ordered(encoding) if table.num_rows else ():
            values = table[column.name]
            if family_of(values.type) == "nothing":
                values = values.cast(_EMPTY[column.family])
            for numbers in column.numbers(values, encoding):
                found[:, place] = numbers
                place += 1
        return cast("Floats", found)

    def check(self, table: Any) -> None:
        """Check that a table has the columns.

        Raises:
            DataError: A column is missing, or holds something else than in the training.
        """
        there: list[str] = table.column_names
        if twice := {name for name in there if there.count(name) > 1 and self._has(name)}:
            raise DataError(f"there is more than one column {some_of(map(repr, sorted(twice)))}")
        gone = [each.name for each in self.columns if each.name not in there]
        if gone:
            raise DataError(
                f"there is no column {some_of(map(repr, gone))}; the model was trained with it",
                ways_out=(*near(gone[0], there), f"the table has {some_of(there)}"),
            )
        wrong = [each for each in self.columns if not _is_same(each, table[each.name].type)]
        if wrong:
            told = (f"{each.name} is {table[each.name].type}" for each in wrong)
            were = (f"{each.name} was {each.family}" for each in wrong)
            raise DataError(
                f"columns are not as in the training: {some_of(told)}; {some_of(were)}",
                ways_out=("give them as they were in the training",),
            )

    def _has(self, name: str) -> bool:
        return any(each.name == name for each in self.columns)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "schema": SCHEMA,
            "rows": self.rows,
            "columns": [each.to_dict() for each in self.columns],
            "dropped": [
                {"name": each.name, "family": each.family, "why": each.why} for each in self.dropped
            ],
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> TableEncoder:
        """Return the encoder with this JSON form.

        Raises:
            DataError: The JSON form is malformed.
        """
        kinds = {each.kind: each for each in _COLUMNS}
        try:
            if found["schema"] != SCHEMA:
                raise ValueError(f"schema {found['schema']}")
            columns: list[dict[str, Any]] = found["columns"]
            return cls(
                columns=tuple(
                    kinds[each["kind"]](**{k: v for k, v in each.items() if k != "kind"})
                    for each in columns
                ),
                dropped=tuple(Decision(kind="drop", **each) for each in found["dropped"]),
                rows=found["rows"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"the columns of a model are malformed: {error}",
                ways_out=("pip install --upgrade handrail-train, or train again",),
            ) from error


def _is_same(column: Column, kind: Any) -> bool:
    family = family_of(kind)
    # Where no row has a value, its type tells nothing.
    return family in (column.family, "nothing")


def _summaries(types: Mapping[str, Any], asked: Mapping[str, Kind]) -> dict[str, Summary]:
    """Return a summary for each column that is to be looked at.

    Raises:
        DataError: A column is not there, or cannot be taken for what was asked.
    """
    check_asked(list(types), asked)
    families: dict[str, Family | None] = {
        name: family_to_take(name, kind, asked.get(name)) for name, kind in types.items()
    }
    return {
        name: summary_of(name, types[name], family, asked.get(name))
        for name, family in families.items()
        if family is not None
    }
