"""Arrays and scalars of numpy, as npy files, never with pickled objects."""

from __future__ import annotations

from importlib import import_module
from typing import Any, BinaryIO

from handrail_arrow.shape import shape

NPY = "application/x-npy"
"""The media type of npy files; none is registered."""


class NumpyArrays:
    """Stores arrays of numpy as npy files.

    Attributes:
        media_type: The media type of npy.
        suffix: `.npy`.
    """

    media_type = NPY
    suffix = ".npy"

    def dump(self, value: Any, file: BinaryIO) -> None:
        """Write an array.

        Raises:
            TypeError: It is of a subclass, such as a masked array, and would come back as a plain
                one.
            ValueError: It has Python objects in it.
        """
        numpy = import_module("numpy")
        if type(value) not in (numpy.ndarray, numpy.memmap):
            raise TypeError(f"a {type(value).__name__} would come back as a plain array")
        if value.dtype.hasobject:
            raise ValueError(f"an array of {value.dtype} has Python objects in it")
        numpy.save(file, value, allow_pickle=False)

    def load(self, file: BinaryIO) -> Any:
        """Return the array in a file."""
        return import_module("numpy").load(file, allow_pickle=False)

    def describe(self, value: Any) -> str:
        """Return the shape and the type."""
        return " ".join(filter(None, ("array", shape(value.shape), str(value.dtype))))


class NumpyScalars:
    """Stores scalars of numpy, such as `numpy.int64(3)`, as npy files.

    Attributes:
        media_type: The media type of npy.
        suffix: `.npy`.
    """

    media_type = NPY
    suffix = ".npy"

    def dump(self, value: Any, file: BinaryIO) -> None:
        """Write a scalar.

        Raises:
            ValueError: It has Python objects in it.
        """
        import_module("numpy").save(file, value, allow_pickle=False)

    def load(self, file: BinaryIO) -> Any:
        """Return the scalar in a file."""
        return import_module("numpy").load(file, allow_pickle=False)[()]

    def describe(self, value: Any) -> str:
        """Return the type."""
        return str(value.dtype)


arrays = NumpyArrays()
scalars = NumpyScalars()
