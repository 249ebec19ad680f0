"""Data frames of pandas, as Parquet files."""

from __future__ import annotations

from importlib import import_module
from typing import Any, BinaryIO

from handrail_arrow.shape import shape
from handrail_arrow.tables import PARQUET, read, write


class PandasFrames:
    """Stores data frames of pandas with their dtypes and index as Parquet files.

    Attributes:
        media_type: The media type of Parquet.
        suffix: `.parquet`.
    """

    media_type = PARQUET
    suffix = ".parquet"

    def dump(self, value: Any, file: BinaryIO) -> None:
        """Write a frame.

        Raises:
            TypeError: It would come back different: a column or the index with another type, or a
                frame of a subclass as a plain one.
            Exception: A column has values that Arrow cannot represent.
        """
        pandas, pyarrow = import_module("pandas"), import_module("pyarrow")
        if type(value) is not pandas.DataFrame:
            raise TypeError(f"a {type(value).__name__} would come back as a plain DataFrame")
        table = pyarrow.Table.from_pandas(value)
        for field in table.schema:
            if pyarrow.types.is_nested(field.type):
                # Lists would be arrays, and dicts would all have the same keys.
                raise TypeError(f"column '{field.name}' has values of type {field.type}")
        _check(value, _frame(table.slice(0, 0)))
        write(table, file)

    def load(self, file: BinaryIO) -> Any:
        """Return the frame in a file."""
        return _frame(read(file))

    def describe(self, value: Any) -> str:
        """Return the number of rows and columns."""
        return f"table {shape(value.shape)}"


def _frame(table: Any) -> Any:
    """Return a frame with the dtypes of the one that `table` was made from."""
    frame = table.to_pandas()
    columns = table.schema.pandas_metadata["columns"]
    for place, (column, found) in enumerate(zip(columns, frame.dtypes, strict=False)):
        if column["pandas_type"] == "unicode" and column["numpy_type"] == "object" != found:
            # From pandas 3 on, texts have a type of their own, unless they are told not to.
            texts = frame.iloc[:, place].astype(object)
            frame.isetitem(place, texts.where(texts.notna(), None))
    return frame


def _check(frame: Any, again: Any) -> None:
    """Check that dtypes, columns and index come back as they are, on a frame without rows."""
    if not again.columns.equals(frame.columns) or again.columns.dtype != frame.columns.dtype:
        raise TypeError(f"its columns would come back as {list(again.columns)}")
    for name, kind, found in zip(frame.columns, frame.dtypes, again.dtypes, strict=True):
        if found != kind:
            raise TypeError(f"column {name!r} is {kind}, and would come back as {found}")
    index, same = frame.index, again.index
    if isinstance(index, import_module("pandas").RangeIndex):
        return  # It is described in the metadata.
    kinds = [index.get_level_values(level).dtype for level in range(index.nlevels)]
    found = [same.get_level_values(level).dtype for level in range(same.nlevels)]
    if kinds != found or list(index.names) != list(same.names):
        raise TypeError(f"its index is {index.dtype}, and would come back as {same.dtype}")


frames = PandasFrames()
