"""Row: the metadata of one file, as readers return it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeAlias

from handrail.frozen import frozen

JSONValue: TypeAlias = "None | bool | int | float | str | list[JSONValue] | dict[str, JSONValue]"


@frozen
class Row:
    """The metadata of one file.

    Attributes:
        name: Name of the file, exactly as in the sheet.
        values: Values by column, without the column that has the name.
        line: One-based line of the text file, or row of the sheet, that this is from.
    """

    name: str
    values: dict[str, JSONValue]
    line: int


class Metadata(Protocol):
    """Reads a file with metadata of other files."""

    def rows(self, path: Path) -> Iterator[Row]:
        """Return the rows of the file at `path`, in its order, one at a time.

        A name may occur twice; the caller decides how to handle that.

        Raises:
            MetadataError: The file cannot be read, is too large, or is malformed.
        """
        ...
