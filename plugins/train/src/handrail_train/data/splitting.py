"""Divides the rows of a table into those of the training, the validation and the test."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from handrail.frozen import frozen
from handrail_storage import count_text
from handrail_train.data.target import Target
from handrail_train.errors import DataError
from handrail_train.names import some_of

if TYPE_CHECKING:
    from handrail_train.data.dataset import Dataset
    from handrail_train.data.examples import Integers, Values


@frozen(eq=False)
class Rows:
    """The rows of each part of a table, in their order; no row is in two of them."""

    train: Integers
    validation: Integers
    test: Integers

    @classmethod
    def none(cls) -> Rows:
        """Return no rows."""
        empty = import_module("numpy").empty(0, dtype="int64")
        return cls(train=empty, validation=empty, test=empty)


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
        order = np.random.default_rng([self.seed, 0]).permutation(len(values))
        if target.task == "regression":
            return self._taken([order])
        return self._taken([order[values[order] == code] for code in range(len(target.classes))])

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
        found = self._taken([order])
        train, validation, test = (
            np.flatnonzero(np.isin(codes, some))
            for some in (found.train, found.validation, found.test)
        )
        return Rows(train=train, validation=validation, test=test)

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
        train, validation, test = (np.sort(part) for part in (train, validation, test))
        return Rows(train=train, validation=validation, test=test)

    def _ends(self, count: int) -> tuple[int, int]:
        tested = _taken(count, self.test_share, leaving=2 if self.validation_share else 1)
        validated = _taken(count - tested, self.validation_share, leaving=1)
        return count - tested - validated, count - tested

    def _taken(self, groups: list[Integers]) -> Rows:
        """Return the parts of several lists of rows, each divided by itself."""
        np: Any = import_module("numpy")
        parts: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        for rows in groups:
            # At least one is left for each part that there is.
            tested = _taken(len(rows), self.test_share, leaving=2 if self.validation_share else 1)
            validated = _taken(len(rows) - tested, self.validation_share, leaving=1)
            ends = (tested, tested + validated)
            for part, some in zip(parts, np.split(rows, ends), strict=True):
                part.append(some)
        test, validation, train = (np.sort(np.concatenate(part)) for part in parts)
        return Rows(train=train, validation=validation, test=test)


def fold_of(dataset: Dataset, fold: int, *, folds: int, seed: int) -> Rows:
    """Return the rows of a fold of a cross-validation as the test, and all others.

    Over all folds each row is once in a test. Of a classification, each fold has as much of each
    class as the whole; rows of one group are in one fold.

    Raises:
        DataError: There are fewer rows, or groups, than folds, or a class is missing.
    """
    np: Any = import_module("numpy")
    rng, values = np.random.default_rng([seed, 1]), dataset.values
    if dataset.group is not None:
        keys, count = _group_codes(dataset.group)
        order = rng.permutation(count)
    else:
        keys, count = np.arange(len(values)), len(values)
        order = rng.permutation(count)
        if dataset.target.task == "classification":
            order = order[np.argsort(values[order], kind="stable")]
    if count < folds:
        raise DataError(
            f"there are {count} rows or groups for {folds} folds", ways_out=("give fewer --folds",)
        )
    places = np.empty(count, dtype="int64")
    places[order] = np.arange(count) % folds
    tested = places[keys] == fold
    rows = Rows(
        train=np.flatnonzero(~tested),
        validation=np.empty(0, dtype="int64"),
        test=np.flatnonzero(tested),
    )
    check_classes(values, dataset.target, rows, dataset.source)
    return rows


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
    for name in ("train", "validation", "test"):
        part = getattr(rows, name)
        there = np.bincount(values[part], minlength=len(labels))
        if not len(part) or (name == "train" and (there > 0).all()):
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
