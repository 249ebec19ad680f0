"""Data frames of polars, as Parquet files."""

from __future__ import annotations

from importlib import import_module
from typing import Any, BinaryIO

from handrail_arrow.shape import shape
from handrail_arrow.tables import PARQUET


class PolarsFrames:
    """Stores data frames of polars as Parquet files, which polars writes itself.

    Attributes:
        media_type: The media type of Parquet.
        suffix: `.parquet`.
    """

    media_type = PARQUET
    suffix = ".parquet"

    def dump(self, value: Any, file: BinaryIO) -> None:
        """Write a frame.

        Raises:
            TypeError: A column would come back with another type, or a frame of a subclass as a
                plain one.
            Exception: A column has values that Parquet cannot represent.
        """
        polars = import_module("polars")
        if type(value) is not polars.DataFrame:
            raise TypeError(f"a {type(value).__name__} would come back as a plain DataFrame")
        value.write_parquet(file)
        file.seek(0)
        found = polars.read_parquet_schema(file)
        for name, kind in value.schema.items():
            if found[name] != kind:
                raise TypeError(f"column '{name}' is {kind}, and would come back as {found[name]}")

    def load(self, file: BinaryIO) -> Any:
        """Return the frame in a file."""
        return import_module("polars").read_parquet(file)

    def describe(self, value: Any) -> str:
        """Return the number of rows and columns."""
        return f"table {shape(value.shape)}"


frames = PolarsFrames()
