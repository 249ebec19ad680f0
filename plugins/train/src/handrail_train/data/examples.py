"""Examples to learn from, as the numbers that a kind of model takes."""

from __future__ import annotations

from dataclasses import replace
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
    """

    features: Floats
    values: Values
    target: Target
    columns: tuple[str, ...]
    categories: int = 0
    weights: Floats | None = None

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
        return cast("Integers", self.values)

    @property
    def labels(self) -> Labels:
        """The class of each example; of a regression, its number."""
        return self.values if self.is_regression else self.classes[self.codes]

    def some(self, rows: Integers) -> Examples:
        """Return the examples in these rows, in this order."""
        return replace(
            self,
            features=self.features[rows],
            values=self.values[rows],
            weights=None if self.weights is None else self.weights[rows],
        )


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
