"""The file that is being read, with its limits; every error names it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from handrail_upload.errors import MetadataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a sheet may be; see `SheetMetadata`."""

    max_bytes: int
    max_rows: int
    max_columns: int
    max_row_length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One file with metadata.

    Attributes:
        path: Where it is.
        counts: What its rows are counted in: the lines of a text, or rows.
        delimiter: What separates the cells of a text file.
        keeps_null: Whether a null is a value, not the lack of one.
        limits: How large it may be.
    """

    path: Path
    counts: Literal["line", "row"]
    delimiter: str
    keeps_null: bool
    limits: Limits

    def error(
        self, message: str, *ways_out: str, line: int = 0, column: str | None = None
    ) -> MetadataError:
        """Return the error that says what is wrong, and where."""
        place = str(self.path)
        if line:
            place += f":{line}" if self.counts == "line" else f", row {line}"
        if column is not None:
            place += f", column {column!r}"
        return MetadataError(f"{place}: {message}", ways_out=ways_out)

    def exceeds(
        self, limit: str, found: str, *ways_out: str, line: int = 0, column: str | None = None
    ) -> MetadataError:
        """Return the error that says what is more than one of the `limits` allows."""
        allowed = f"{getattr(self.limits, limit):,}"
        return self.error(
            f"{found}; {allowed} are allowed",
            *ways_out,
            f"if that is meant to be so, raise the limit: SheetMetadata({limit}=...)",
            line=line,
            column=column,
        )
