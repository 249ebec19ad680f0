"""Sheet: the metadata file with its limits; every error names it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from handrail.frozen import frozen
from handrail_upload.errors import MetadataError


@frozen
class Limits:
    """How large a sheet may be; see `SheetMetadata`."""

    max_bytes: int
    max_rows: int
    max_columns: int
    max_row_length: int


@frozen
class Sheet:
    """One file with metadata.

    Attributes:
        path: Path of the file.
        counts: The unit of its row numbers: lines of a text, or rows.
        delimiter: The separator of the cells in a text file.
        keeps_null: Whether a null is a value, not the lack of one.
        limits: Its limits of size.
    """

    path: Path
    counts: Literal["line", "row"]
    delimiter: str
    keeps_null: bool
    limits: Limits

    def error(
        self, message: str, *ways_out: str, line: int = 0, column: str | None = None
    ) -> MetadataError:
        """Return an error with the place of the problem."""
        place = str(self.path)
        if line:
            place += f":{line}" if self.counts == "line" else f", row {line}"
        if column is not None:
            place += f", column {column!r}"
        return MetadataError(f"{place}: {message}", ways_out=ways_out)

    def exceeds(
        self, limit: str, found: str, *ways_out: str, line: int = 0, column: str | None = None
    ) -> MetadataError:
        """Return an error for exceeding one of the `limits`."""
        allowed = f"{getattr(self.limits, limit):,}"
        return self.error(
            f"{found}; {allowed} are allowed",
            *ways_out,
            f"if that is meant to be so, raise the limit: SheetMetadata({limit}=...)",
            line=line,
            column=column,
        )
