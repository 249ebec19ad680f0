"""Examples to learn from, and how they are divided."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from handrail.frozen import frozen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Labels = NDArray[Any]


@frozen(eq=False)
class Examples:
    """Rows with their labels.

    Attributes:
        features: One row for each example, one column for each feature.
        codes: For each example the place of its label in `classes`.
        classes: All labels, sorted: texts or whole numbers.
        columns: The names of the features.
    """

    features: Floats
    codes: Integers
    classes: Labels
    columns: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def labels(self) -> Labels:
        """The label of each example."""
        labels: Labels = self.classes[self.codes]
        return labels

    def some(self, rows: Integers) -> Examples:
        """Return the examples in these rows, in this order."""
        return Examples(
            features=self.features[rows],
            codes=self.codes[rows],
            classes=self.classes,
            columns=self.columns,
        )

    def fingerprint(self) -> str:
        """Return a SHA-256 over all of it, in hexadecimal digits; the same on every machine."""
        head = {"columns": self.columns, "classes": self.classes.tolist(), "rows": len(self)}
        digest = hashlib.sha256(json.dumps(head).encode())
        digest.update(self.features.astype("<f8", order="C", copy=False).data)
        digest.update(self.codes.astype("<i8", order="C", copy=False).data)
        return digest.hexdigest()


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
