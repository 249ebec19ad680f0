"""Parquet and CSV files, which the engine reads by itself."""

from __future__ import annotations

import glob
import os
from importlib import import_module

from handrail_export.errors import SourceError
from handrail_export.names import count_text, said
from handrail_export.sources.address import Address
from handrail_export.sources.source import Source


class FileSource(Source):
    """A Parquet or CSV file, or those that match a pattern.

    Args:
        address: Where they are.
        text: Whether all values of CSV are taken as text.
    """

    def __init__(self, address: Address, *, text: bool = False) -> None:
        self.address = address
        self.shown = address.shown
        self._text = text
        self._found: tuple[str, ...] = ()

    def open(self) -> None:
        if self._found:
            return
        place = self.address.place
        if os.path.isfile(place):
            self._found = (place,)
        elif os.path.isdir(place):
            raise SourceError(f"{self.shown} is a folder")
        else:
            self._found = tuple(sorted(glob.glob(place, recursive=True)))
            if glob.has_magic(place):
                self.shown = f"{self.address.shown} ({count_text(len(self._found), 'file')})"
        if not self._found:
            raise SourceError(f"there is no file {self.address.shown}")
        for path in self._found:
            _check_readable(path)

    @property
    def paths(self) -> tuple[str, ...]:
        return self._found

    @property
    def relation(self) -> str:
        files = ", ".join(literal(path) for path in self._found)
        if self.address.kind == "parquet":
            return f"read_parquet([{files}], hive_partitioning = false)"
        text = ", all_varchar = true" if self._text else ""
        return f"read_csv([{files}], hive_partitioning = false{text})"

    def estimate(self) -> int | None:
        if self.address.kind != "parquet":
            return None
        self.open()
        pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
        try:
            return sum(int(parquet.read_metadata(path).num_rows) for path in self._found)
        except (pyarrow.ArrowException, OSError) as error:
            raise SourceError(
                f"{self.shown} is not a Parquet file, or only a part of one: {said(error)}"
            ) from error

    def failure(self, error: BaseException) -> SourceError:
        told = super().failure(error)
        if self.address.kind == "parquet" or self._text:
            return told
        return SourceError(told.message, ways_out=("to take all values as text: --csv-types text",))


def literal(text: str) -> str:
    """Return a text as SQL takes it, whatever is in it."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _check_readable(path: str) -> None:
    try:
        with open(path, "rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    if empty:
        raise SourceError(f"{path} is empty, without even the names of columns")
