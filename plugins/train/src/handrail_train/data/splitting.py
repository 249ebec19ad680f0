"""Divides the rows of a table into those of the training, the validation and the test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from handrail.frozen import frozen
from handrail_storage import count_text
from handrail_train.data.target import Target
from handrail_train.errors import DataError
from handrail_train.names import some_of

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

    from handrail_train.data.dataset import Dataset
    from handrail_train.data.examples import Integers, Values


TRAIN, VALIDATION, TEST = range(3)


@frozen(eq=False)
class Rows:
    """The rows of each part of a table; each row is in one of them.

    Attributes:
        parts: For each row `TRAIN`, `VALIDATION` or `TEST`: one byte.
    """

    parts: NDArray[uint8]

    @classmethod
    def of(cls, count: int, *, validation: Sequence[Any] = (), test: Sequence[Any] = ()) -> Rows:
        """Return `count` rows, of which those at the given arrays of places are not trained on."""
        np = import_module("numpy")
        parts = np.full(count, TRAIN, dtype="uint8")
        for part, arrays in ((VALIDATION, validation), (TEST, test)):
            for places in arrays:
                parts[places] = part
        return cls(parts=parts)

    @property
    def train(self) -> Integers:
        """The places of the rows of the training, in their order."""
        return self._at(TRAIN)

    @property
    def validation(self) -> Integers:
        """The places of the rows of the validation, in their order."""
        return self._at(VALIDATION)

    @property
    def test(self) -> Integers:
        """The places of the rows of the test, in their order."""
        return self._at(TEST)

    def _at(self, part: int) -> Integers:
        found: Integers = import_module("numpy").flatnonzero(self.parts == part)
        return found

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows of `train`, `validation` and `test`."""
        np = import_module("numpy")
        parts = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
        return {name: int(np.count_nonzero(self.parts == part)) for name, part in parts.items()}


@frozen
class Division:
    """How rows are divided.

    Attributes:
        test_share: The share of the test, from 0 to 1.
        validation_share: The share of the rest to measure the model during the training.
        seed: The random seed.
    """

    test_share: float
    validation_share: float
    seed: int

    def at_random(self, values: Values, target: Target) -> Rows:
        """Divide rows at random; the same seed gives the same parts on every machine.

        Each class with at least three rows is in every part that has a share.
        """
        np: Any = import_module("numpy")
        order = _places(len(values))
        np.random.default_rng([self.seed, 0]).shuffle(order)
        if target.task == "regression":
            return self._taken(len(values), [order])
        codes = values[order]
        classes = (order[codes == code] for code in range(len(target.classes)))
        return self._taken(len(values), classes)

    def by_group(self, groups: Any) -> Rows:
        """Divide groups of rows at random: rows of one group are in one part.

        Args:
            groups: An Arrow column; missing values are a group of their own.

        Raises:
            DataError: There are too few groups.
        """
        np: Any = import_module("numpy")
        codes, count = _group_codes(groups)
        parts = 3 if self.validation_share else 2
        if count < parts:
            raise DataError(
                f"there are {count_text(count, 'group')} to divide into {parts} parts",
                ways_out=("give --split-group a column with more values",),
            )
        order = np.random.default_rng([self.seed, 0]).permutation(count)
        return Rows(parts=self._taken(count, [order]).parts[codes])

    def by_time(self, times: Any) -> Rows:
        """Divide rows by time: the last ones are the test, those before it the validation.

        Rows of the same moment are not torn apart.

        Args:
            times: An Arrow column of dates, moments or numbers without missing values.

        Raises:
            DataError: There are too few moments.
        """
        np, compute = import_module("numpy"), import_module("pyarrow.compute")
        ranks = compute.rank(times, tiebreaker="dense").to_numpy()
        order = np.argsort(ranks, kind="stable")
        count = len(order)
        ends = self._ends(count)
        cuts = [_before(ranks[order], end) for end in ends]
        train, validation, test = np.split(order, cuts)
        if not (len(train) and len(test) and (len(validation) or not self.validation_share)):
            raise DataError(
                "the rows have too few moments to be divided by them",
                ways_out=("give --split-time a column with more values",),
            )
        return Rows.of(count, validation=[validation], test=[test])

    def _ends(self, count: int) -> tuple[int, int]:
        tested = _taken(count, self.test_share, leaving=2 if self.validation_share else 1)
        validated = _taken(count - tested, self.validation_share, leaving=1)
        return count - tested - validated, count - tested

    def _taken(self, count: int, groups: Iterable[Integers]) -> Rows:
        """Return the parts of several lists of places below `count`, each divided by itself."""
        validation: list[Integers] = []
        test: list[Integers] = []
        for rows in groups:
            # At least one is left for each part that there is.
            tested = _taken(len(rows), self.test_share, leaving=2 if self.validation_share else 1)
            validated = _taken(len(rows) - tested, self.validation_share, leaving=1)
            test.append(rows[:tested])
            validation.append(rows[tested : tested + validated])
        return Rows.of(count, validation=validation, test=test)


def fold_of(dataset: Dataset, fold: int, *, folds: int, seed: int) -> Rows:
    """Return the rows of a fold of a cross-validation as the test, and all others.

    Over all folds each row is once in a test. Of a classification, each fold has as much of each
    class as the whole; rows of one group are in one fold.

    Raises:
        DataError: There are fewer rows, or groups, than folds, or a class is missing.
    """
    np: Any = import_module("numpy")
    rng, values = np.random.default_rng([seed, 1]), dataset.values
    keys, count = None, len(values)
    if dataset.group is not None:
        keys, count = _group_codes(dataset.group)
    if count < folds:
        raise DataError(
            f"there are {count} rows or groups for {folds} folds", ways_out=("give fewer --folds",)
        )
    order = _places(count)
    rng.shuffle(order)
    if keys is None and dataset.target.task == "classification":
        order = order[np.argsort(values[order], kind="stable")]
    tested = np.zeros(count, dtype=bool)
    tested[order[fold::folds]] = True
    rows = Rows.of(len(values), test=[tested if keys is None else tested[keys]])
    check_classes(values, dataset.target, rows, dataset.source)
    return rows


def _places(count: int) -> Any:
    """Return the numbers below `count`, in four bytes each where that is enough."""
    return import_module("numpy").arange(count, dtype="int32" if count < 1 << 31 else "int64")


def _group_codes(groups: Any) -> tuple[Any, int]:
    """Return a number for the group of each row, and how many groups there are."""
    places = groups.dictionary_encode(null_encoding="encode").combine_chunks()
    return places.indices.to_numpy(zero_copy_only=False), len(places.dictionary)


def check_classes(values: Values, target: Target, rows: Rows, source: str) -> None:
    """Check that each part has what it takes to learn, and to measure.

    Raises:
        DataError: There is one class only, or a class is missing in a part.
    """
    np: Any = import_module("numpy")
    if target.task == "regression":
        return
    labels = [str(each) for each in target.classes]
    if len(labels) < 2:
        raise DataError(
            f"{source}: there is only one class, {labels[0]!r}",
            ways_out=("give a table with rows of at least two classes",),
        )
    counts = np.bincount(values, minlength=len(labels)).tolist()
    small = [f"{label!r}" for label, count in zip(labels, counts, strict=True) if count < 3]
    if small:
        raise DataError(
            f"{source}: a class needs at least 3 rows, to be divided into training, validation "
            f"and test; too few have {some_of(small)}",
            ways_out=("add rows of them, or leave them out", "check that --target names a class"),
        )
    for code, (name, count) in enumerate(rows.counts.items()):
        there = np.bincount(values[rows.parts == code], minlength=len(labels))
        if not count or (name == "train" and (there > 0).all()):
            continue
        gone = [repr(label) for label, count in zip(labels, there, strict=True) if not count]
        if name == "train" or (there > 0).sum() < 2:
            raise DataError(
                f"{source}: the rows of the {name} part have no {some_of(gone)}",
                ways_out=("divide them otherwise: --split-group or --split-time", "or by a --seed"),
            )


def _taken(count: int, share: float, *, leaving: int) -> int:
    """Return the number of rows to take of `count`: at least one if any, within the limits."""
    if not share:
        return 0
    return max(0, min(max(1, round(count * share)), count - leaving))


def _before(ranks: Any, end: int) -> int:
    """Return the first place at or before `end` at which another moment begins."""
    while 0 < end < len(ranks) and ranks[end] == ranks[end - 1]:
        end -= 1
    return end
