"""Reads a text file line by line, with a limit on the length of a line."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from io import TextIOWrapper
from typing import BinaryIO

from handrail.frozen import record
from handrail_upload.errors import MetadataError
from handrail_upload.metadata.sheet import Sheet

_CHUNK = 64 * 1024


@record
class TextLines:
    """The lines of a UTF-8 file, with or without a byte order mark.

    Attributes:
        sheet: The sheet.
        file: The open file.
        newline: The end of a line, as for `open`; line ends are kept.
        line: One-based number of the line that was read last.
        first: Number of the first line of the record that is being read.
        length: Characters of that record so far.
    """

    sheet: Sheet
    file: BinaryIO
    newline: str
    line: int = 0
    first: int = 1
    length: int = 0

    def start(self) -> None:
        """Start a new record, to which the limit applies."""
        self.first = self.line + 1
        self.length = 0

    def __iter__(self) -> Iterator[str]:
        limit = self.sheet.limits.max_row_length
        wrapper = TextIOWrapper(self.file, encoding="utf-8-sig", newline=self.newline)
        try:
            while text := wrapper.readline(limit + len("\r\n") + 1):
                self.line += 1
                if self.length + len(text.rstrip("\r\n")) > limit:
                    raise self._too_long()
                self.length += len(text)
                yield text
        except UnicodeDecodeError as error:
            raise self._not_utf8() from error
        finally:
            if not self.file.closed:
                wrapper.detach()  # It would close the file, which is not its own.

    def _too_long(self) -> MetadataError:
        is_long = self.line > self.first
        return self.sheet.exceeds(
            "max_row_length",
            f"has more than {self.sheet.limits.max_row_length:,} characters in one row",
            "close the quote, if one opens here and is never closed" if is_long else "",
            line=self.first,
        )

    def _not_utf8(self) -> MetadataError:
        offset, line, byte = self._find_broken_byte()
        way_out = "save it as UTF-8; spreadsheets call that 'CSV UTF-8'"
        if offset == 0 and byte in (0xFE, 0xFF):
            way_out = f"it looks like UTF-16: {way_out}"
        return self.sheet.error(
            f"is not UTF-8: there is the byte 0x{byte:02x} at offset {offset:,}", way_out, line=line
        )

    def _find_broken_byte(self) -> tuple[int, int, int]:
        """Return offset, line and value; the error of `readline` counts within its chunk."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        self.file.seek(0)
        offset, line = 0, 1
        while True:
            chunk = self.file.read(_CHUNK)
            pending = decoder.getstate()[0]
            text = pending + chunk
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                line += text[: error.start].count(b"\n")
                return offset - len(pending) + error.start, line, text[error.start]
            offset += len(chunk)
            line += chunk.count(b"\n")
            assert chunk, "it was decoded this time"
