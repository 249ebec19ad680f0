"""Parquet and CSV files, read by the engine itself."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from importlib import import_module

from handrail_export.errors import SourceError
from handrail_export.names import said
from handrail_export.sources.address import Address
from handrail_export.sources.source import Source
from handrail_storage import count_text

_DELIMITER = re.compile("[,;\t|]")


class FileSource(Source):
    """A Parquet or CSV file, or those that match a pattern.

    Args:
        address: Their address.
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
        shown = {place: self.shown}
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
            _check_readable(path, shown.get(path, path))

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
            # Not `from`: the message has pyarrow's whole text, and a cause would be shown again.
            raise SourceError(  # noqa: B904
                f"{self.shown} is not a Parquet file, or only a part of one: {said(error)}"
            )

    def check(self, columns: Sequence[str]) -> None:
        # If the lines have different numbers of values, each line is read as a single value.
        if self.address.kind != "csv" or len(columns) != 1 or not _DELIMITER.search(columns[0]):
            return
        with open(self._found[0], encoding="utf-8", errors="replace") as file:
            line = file.readline().rstrip("\r\n")
        if line == columns[0]:
            raise SourceError(
                f"{self.shown} makes no table: its lines do not have as many values as the "
                f"first, which is {line[:60]}",
                ways_out=("mend the lines that have more or fewer",),
            )

    def failure(self, error: BaseException) -> SourceError:
        told = super().failure(error)
        if self.address.kind == "parquet" or self._text:
            return told
        return SourceError(told.message, ways_out=("to take all values as text: --csv-types text",))


def literal(text: str) -> str:
    """Return a text quoted for SQL."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _check_readable(path: str, shown: str) -> None:
    try:
        with open(path, "rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise SourceError(f"{shown} cannot be read: {error.strerror}") from error
    if empty:
        raise SourceError(f"{shown} is empty, without even the names of columns")
