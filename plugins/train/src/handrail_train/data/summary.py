"""Gathers what has to be known of a column, batch by batch, so that it need not be in memory."""

from __future__ import annotations

import math
from importlib import import_module
from typing import TYPE_CHECKING, Any

from handrail_train.data.columns import Family, Kind
from handrail_train.data.values import as_floats, as_moments, as_texts

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats

_MEDIAN_OF = 1 << 15  # Values of which the median is taken.
_MOST_VALUES = 1 << 17  # Different ones that are counted.
_DAY = 86_400


class Summary:
    """What is known of a column.

    Attributes:
        name: The column.
        type: Its Arrow type.
        family: How its values are given.
        rows: The number of rows.
        absent: How many of them have no value.
        first: The first value.
        varies: Whether there are others.
    """

    def __init__(self, name: str, kind: Any, family: Family) -> None:
        self.name = name
        self.type = kind
        self.family: Family = family
        self.rows = 0
        self.absent = 0
        self.first: Any = None
        self.varies = False

    def add(self, column: Any) -> None:
        """Add the next values.

        Raises:
            DataError: A value is not what the column is to be taken for.
        """
        compute, types = import_module("pyarrow.compute"), import_module("pyarrow.types")
        if types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if types.is_string_view(column.type):
            column = column.cast("string")  # Views cannot be compared.
        there = column.filter(compute.invert(column.is_null(nan_is_null=True)))
        self.rows += len(column)
        self.absent += len(column) - len(there)
        if len(there) and not self.varies:
            self.first = there[0] if self.first is None else self.first
            self.varies = not compute.all(compute.equal(there, self.first)).as_py()
        self._add(column)

    def _add(self, column: Any) -> None:
        """Add what is known besides."""

    @property
    def missing(self) -> float:
        """The share of the rows that have no value."""
        return self.absent / self.rows if self.rows else 0.0


class NumberSummary(Summary):
    """What is known of numbers.

    Attributes:
        blank: How many are missing; of texts, also those that are empty.
        mean: The mean of the others.
        squares: The sum of their squared differences to it.
    """

    def __init__(self, name: str, kind: Any, family: Family) -> None:
        super().__init__(name, kind, family)
        self.blank = 0
        self.mean = self.squares = 0.0
        self._count = 0
        self._some: list[Floats] = []  # Every `_stride`-th one.
        self._stride = 1

    def _add(self, column: Any) -> None:
        np = import_module("numpy")
        values = as_floats(column, self.family, self.name)
        there = values[~np.isnan(values)]
        self.blank += len(values) - len(there)
        if not len(there):
            return
        self._some.append(there[-self._count % self._stride :: self._stride].copy())
        if sum(map(len, self._some)) > _MEDIAN_OF:
            self._some = [np.concatenate(self._some)[::2].copy()]
            self._stride *= 2
        # As Chan, Golub and LeVeque add up variances.
        mean, count = float(there.mean()), self._count + len(there)
        apart = mean - self.mean
        self.squares += float(((there - mean) ** 2).sum())
        self.squares += apart**2 * self._count * len(there) / count
        self.mean += apart * len(there) / count
        self._count = count

    @property
    def missing(self) -> float:
        return self.blank / self.rows if self.rows else 0.0

    @property
    def median(self) -> float:
        """The median of up to 32,768 values."""
        np = import_module("numpy")
        return float(np.median(np.concatenate(self._some))) if self._some else 0.0

    def filled(self) -> tuple[float, float]:
        """Return the mean and the standard deviation with the median for what is missing."""
        median, rows = self.median, self._count + self.blank
        if not rows:
            return 0.0, 0.0
        mean = self.mean + (median - self.mean) * self.blank / rows
        squares = self.squares + self._count * (self.mean - mean) ** 2
        squares += self.blank * (median - mean) ** 2
        return mean, math.sqrt(squares / rows)


class ValueSummary(Summary):
    """How often each value is there, as a text.

    Attributes:
        is_cut: Whether there are more different values than are counted.
    """

    def __init__(self, name: str, kind: Any, family: Family) -> None:
        super().__init__(name, kind, family)
        self.is_cut = False
        self._counted: Any = None
        self._spaces = 0

    def _add(self, column: Any) -> None:
        pa, compute = import_module("pyarrow"), import_module("pyarrow.compute")
        texts = as_texts(column, self.family)
        if self.family == "text":
            spaces = compute.count_substring_regex(texts, r"\S\s+\S")
            self._spaces += compute.sum(spaces).as_py() or 0
        found = compute.value_counts(texts.drop_null())
        here = pa.table(found.flatten(), names=["value", "count"])
        if self._counted is None:
            self._counted = here
            return
        both = pa.concat_tables([self._counted, here])
        sums = both.group_by("value", use_threads=False).aggregate([("count", "sum")])
        self._counted = pa.table({"value": sums["value"], "count": sums["count_sum"]})
        if sums.num_rows > 2 * _MOST_VALUES:
            self.is_cut = True
            self._counted = self._frequent(_MOST_VALUES)

    def _frequent(self, most: int) -> Any:
        order = [("count", "descending"), ("value", "ascending")]
        return self._counted.sort_by(order).slice(0, most)

    @property
    def distinct(self) -> int:
        """The number of different values; of those that are counted."""
        count: int = 0 if self._counted is None else self._counted.num_rows
        return count

    @property
    def is_unique(self) -> bool:
        """Whether each value is another one, as far as they are counted."""
        compute = import_module("pyarrow.compute")
        return bool(self.distinct) and compute.max(self._counted["count"]).as_py() == 1

    @property
    def spaces(self) -> float:
        """The mean number of spaces between the words of a value."""
        there = self.rows - self.absent
        return self._spaces / there if there else 0.0

    def frequent(self, most: int) -> tuple[list[str], list[int]]:
        """Return the most frequent values, those of the same frequency by name, and how often."""
        if self._counted is None:
            return [], []
        found = self._frequent(most)
        return found["value"].to_pylist(), found["count"].to_pylist()


class DateSummary(Summary):
    """What is known of dates and moments.

    Attributes:
        blank: How many are missing; of texts, also those that are empty.
        hours: Whether there are times of day.
        earliest: The first day, in days since 1970; None where there is none.
        latest: The last one.
    """

    def __init__(self, name: str, kind: Any, family: Family) -> None:
        super().__init__(name, kind, family)
        self.blank = 0
        self.hours = False
        self.earliest: float | None = None
        self.latest: float | None = None

    def _add(self, column: Any) -> None:
        np = import_module("numpy")
        days = as_moments(column, self.family, self.name) / _DAY
        there = days[~np.isnan(days)]
        self.blank += len(days) - len(there)
        if not len(there):
            return
        first, last = float(there.min()), float(there.max())
        self.hours = self.hours or bool((there != np.floor(there)).any())
        self.earliest = first if self.earliest is None else min(first, self.earliest)
        self.latest = last if self.latest is None else max(last, self.latest)

    @property
    def missing(self) -> float:
        return self.blank / self.rows if self.rows else 0.0


_TAKEN: dict[Kind, type[Summary]] = {
    "number": NumberSummary,
    "category": ValueSummary,
    "text": ValueSummary,
    "date": DateSummary,
}
# What a column is taken for where nobody asked, or else not at all.
_USUAL: dict[Family, Kind] = {
    "number": "number",
    "time": "number",
    "duration": "number",
    "date": "date",
    "text": "category",
}


def summary_of(name: str, kind: Any, family: Family, asked: Kind | None) -> Summary:
    """Return the summary of a column of which nothing is known yet.

    Args:
        name: The column.
        kind: Its Arrow type.
        family: How its values are given.
        asked: What the user asked to take it for.
    """
    taken = asked or _USUAL.get(family)
    return (Summary if taken is None else _TAKEN.get(taken, Summary))(name, kind, family)
