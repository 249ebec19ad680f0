"""Examples to learn from, as the numbers that a kind of model takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from handrail.frozen import frozen
from handrail_train.data.target import Target

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Labels = NDArray[Any]
    Values = NDArray[Any]


@frozen(eq=False)
class Examples:
    """Rows with what is to be learnt of each.

    Of a table that is larger than a chunk, `features` is a file: `chunks` and `some` take rows of
    it, which are arrays. Only kinds of models with `in_chunks` get such examples to learn from.

    Attributes:
        features: One row for each example, one column for each feature; NaN for none in the
            encodings `native` and `frequency`.
        values: For each example the place of its class in `target.classes`, as int64. Of a
            regression, its number; in the encoding `scaled`, less the mean and divided by the
            deviation of the target.
        target: What is learnt.
        columns: The names of the features.
        categories: How many of the first features are places in a list of values.
        weights: The weight of each example; None where all are the same.
        chunk_rows: How many of them are a chunk; 0 where all are one.
    """

    features: Floats
    values: Values
    target: Target
    columns: tuple[str, ...]
    categories: int = 0
    weights: Floats | None = None
    chunk_rows: int = 0

    def __len__(self) -> int:
        return len(self.values)

    @property
    def is_regression(self) -> bool:
        """Whether a number is learnt, and no class."""
        return self.target.task == "regression"

    @property
    def classes(self) -> Labels:
        """All classes, sorted: texts or whole numbers."""
        return self.target.labels

    @property
    def codes(self) -> Integers:
        """For each example the place of its class in `classes`."""
        return cast("Integers", self.values.astype("int64", copy=False))

    @property
    def labels(self) -> Labels:
        """The class of each example; of a regression, its number."""
        return self.values if self.is_regression else self.classes[self.codes]

    def some(self, rows: Integers | slice) -> Examples:
        """Return the examples in these rows, in this order."""
        values = self.values[rows]
        return replace(
            self,
            features=self.features[rows],
            values=values if self.is_regression else values.astype("int64", copy=False),
            weights=None if self.weights is None else self.weights[rows],
            chunk_rows=0,
        )

    @property
    def fewest(self) -> int:
        """The number of examples in the last chunk, which has the fewest."""
        return len(self) % self.chunk_rows or self.chunk_rows if self.chunk_rows else len(self)

    def chunks(self, number: int | None = None, seed: int = 0) -> Iterator[Examples]:
        """Yield the examples, chunk by chunk: in their order, or in that of an epoch.

        Args:
            number: The number of the epoch, from 1; the order follows from it and from the seed.
            seed: The random seed.
        """
        if not self.chunk_rows:
            yield self
            return
        starts: list[int] = list(range(0, len(self), self.chunk_rows))
        if number is not None:
            starts = [starts[place] for place in shuffled(len(starts), number, seed)]
        for start in starts:
            yield self.some(slice(start, start + self.chunk_rows))


def shuffled(count: int, number: int, seed: int) -> Integers:
    """Return the places of `count` examples in the order in which epoch `number` sees them."""
    order: Integers = import_module("numpy").random.default_rng([seed, number]).permutation(count)
    return order


@frozen(eq=False)
class Split:
    """Examples, divided.

    Attributes:
        train: The examples to learn from.
        validation: The examples to measure the model during the training; may be empty.
        test: The examples to measure it afterwards; not used before.
    """

    train: Examples
    validation: Examples
    test: Examples
