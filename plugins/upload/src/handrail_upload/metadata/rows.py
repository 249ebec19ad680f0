"""What a reader of metadata gives: one row per file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

JSONValue: TypeAlias = "None | bool | int | float | str | list[JSONValue] | dict[str, JSONValue]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is known about one file.

    Attributes:
        name: The file, exactly as the sheet spells it.
        values: Values by column, without the column that has the name.
        line: One-based line of the text file, or row of the sheet, that this is from.
    """

    name: str
    values: dict[str, JSONValue]
    line: int


class Metadata(Protocol):
    """Reads a file that says something about other files."""

    def rows(self, path: Path) -> Iterator[Row]:
        """Return the rows of the file at `path`, in its order, one at a time.

        One name may come twice; whoever collects the rows decides what that means.

        Raises:
            MetadataError: The file cannot be read, is too large, or makes no sense.
        """
        ...
