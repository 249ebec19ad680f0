"""Rows of numbers in a file, of which only what is taken is in memory."""

from __future__ import annotations

import weakref
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handrail_train.data.scratch import scratch_file, unwritten

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats, Integers

_BYTES = 8  # Of a number: the same as in memory, so that it is the same number.


# Bytes of the numbers of a chunk. It is not chosen by the memory of the machine, as a model depends
# on the rows in its chunks.
CHUNK = 32 << 20


def rows_of_chunk(width: int) -> int:
    """Return how many rows are trained on at once, by default.

    Args:
        width: The number of numbers in a row.
    """
    return max(CHUNK // (8 * max(width, 1)), 1_000)


class Matrix:
    """Rows of numbers in a file without a name.

    Slices and arrays of places work as with a two-dimensional array of numpy.

    Attributes:
        shape: The number of rows, and of numbers in each.
    """

    def __init__(self, rows: int, width: int, folder: Path | None = None) -> None:
        """Make the file.

        Args:
            rows: The number of rows.
            width: The number of numbers in each.
            folder: The folder of the file; see `scratch_file`.

        Raises:
            DataError: The file cannot be made.
        """
        self.shape = (rows, width)
        self._file = scratch_file(folder)
        weakref.finalize(self, self._file.close)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Integers) -> Floats:
        np = import_module("numpy")
        if not isinstance(rows, slice):
            found: Floats = np.empty((len(rows), self.shape[1]))
            for place, row in enumerate(rows.tolist()):
                found[place : place + 1] = self[row : row + 1]
            return found
        start, stop, _ = rows.indices(len(self))
        found = np.empty((max(stop - start, 0), self.shape[1]))
        if found.size:
            self._file.seek(start * self._stride)
            into: Any = self._file  # Typed as one that may not have it.
            into.readinto(found.data.cast("B"))
        return found

    def __setitem__(self, rows: slice, numbers: Floats) -> None:
        np = import_module("numpy")
        start, _, _ = rows.indices(len(self))
        try:
            self._file.seek(start * self._stride)
            self._file.write(np.ascontiguousarray(numbers, dtype="float64").data)
        except OSError as error:
            raise unwritten(error) from error

    def mapped(self) -> Floats:
        """Return all of it as an array that the system reads from the file as it is needed."""
        self._file.flush()
        found: Floats = import_module("numpy").memmap(
            self._file, dtype="float64", mode="r", shape=self.shape
        )
        return found

    @property
    def _stride(self) -> int:
        return self.shape[1] * _BYTES
