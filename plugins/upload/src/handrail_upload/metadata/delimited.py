"""Reads CSV and TSV as text: `007` and `=1+1` stay as they are."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from handrail_upload.errors import MetadataError
from handrail_upload.metadata.sheet import Sheet
from handrail_upload.metadata.text import TextLines


def cells(sheet: Sheet, file: BinaryIO) -> Iterator[tuple[int, Sequence[str | None]]]:
    """Yield line and cells of each row that is not blank; empty cells are None.

    The format is RFC 4180, with any kind of line ends.
    """
    # The limit of the module applies to the process; it is only ever raised, and only on demand.
    if csv.field_size_limit() < sheet.limits.max_row_length:
        csv.field_size_limit(sheet.limits.max_row_length)
    lines = TextLines(sheet=sheet, file=file, newline="")
    reader = csv.reader(lines, delimiter=sheet.delimiter, strict=True)
    is_header = True
    while True:
        lines.start()
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise _malformed(sheet, lines, error) from error
        if row is None:
            return
        if is_header and row:
            _check_delimiter(sheet, row, lines.first)
        if any(row):
            is_header = False
            yield lines.first, [cell or None for cell in row]


def _malformed(sheet: Sheet, lines: TextLines, error: csv.Error) -> MetadataError:
    if "unexpected end" in str(error):
        return sheet.error(
            "a quote opens here and is never closed",
            'close it; a quote inside of quotes is written twice: "a 5"" pipe"',
            line=lines.first,
        )
    return sheet.error(
        f"is not a row of {sheet.delimiter!r} separated values: {error}",
        'a quote inside of quotes is written twice: "a 5"" pipe"',
        line=lines.line,
    )


def _check_delimiter(sheet: Sheet, header: Sequence[str], line: int) -> None:
    """Refuse a header that is one column because something else separates them."""
    for other in (",", ";", "\t", "|"):
        if len(header) == 1 and other in header[0] and other != sheet.delimiter:
            raise sheet.error(
                f"has one column, {header[0]!r}; {other!r} seems to separate them, "
                f"not {sheet.delimiter!r}",
                f"say so: SheetMetadata(delimiter={other!r})",
                f"or save the file with {sheet.delimiter!r} between the columns",
                line=line,
            )
