"""Sheet: the metadata file; every error names it."""

from __future__ import annotations

import stat
from collections.abc import Collection
from pathlib import Path

from handrail.frozen import frozen
from handrail_upload.errors import MetadataError

_SAVE = "save it as .xlsx or .csv in a spreadsheet"
_INSTEAD = {
    **dict.fromkeys((".xls", ".xlsm", ".xlsb", ".ods"), _SAVE),
    ".parquet": "save it as .csv or .jsonl",
    ".json": "write one object on each line, and call the file .jsonl",
}


@frozen
class Sheet:
    """One file with metadata.

    Attributes:
        path: Path of the file.
        delimiter: The separator of the cells in a text file.
        max_bytes: How many bytes it may have, also when it is unpacked.
    """

    path: Path
    delimiter: str
    max_bytes: int

    @property
    def extension(self) -> str:
        """The extension, in lower case."""
        return self.path.suffix.lower()

    def error(
        self, message: str, *ways_out: str, line: int = 0, column: str | None = None
    ) -> MetadataError:
        """Return an error with the place of the problem."""
        place = str(self.path)
        if line:
            place += f", row {line}" if self.extension == ".xlsx" else f":{line}"
        if column is not None:
            place += f", column {column!r}"
        return MetadataError(f"{place}: {message}", ways_out=ways_out)

    def too_large(self, found: str) -> MetadataError:
        """Return the error for more bytes than are allowed."""
        return self.error(
            f"{found}; {self.max_bytes:,} are allowed",
            "if that is meant to be so, raise the limit: SheetMetadata(max_bytes=...)",
        )

    def check(self, extensions: Collection[str]) -> None:
        """Check that it is a file, neither empty nor too large, with a known extension.

        Raises:
            MetadataError: The check failed; the message lists the known formats.
        """
        known = f"known formats: {', '.join(extensions)}"
        try:
            found = self.path.stat()
        except (OSError, ValueError) as error:  # The latter for a NUL in the path.
            said = getattr(error, "strerror", None) or error
            raise self.error(f"cannot be read: {said}") from error
        if not stat.S_ISREG(found.st_mode):
            raise self.error("is not a regular file", known)
        if not found.st_size:
            raise self.error("is empty", "a sheet begins with the names of its columns")
        if found.st_size > self.max_bytes:
            raise self.too_large(f"has {found.st_size:,} bytes")
        if (its := self.extension) not in extensions:
            what = f"{its} is no format" if its else "has no extension, so no format"
            raise self.error(f"{what} that can be read", _INSTEAD.get(its, ""), known)
