"""Contents of files that may be large: those are left on the disk, and read from there."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from typing import IO, Any

_SMALL = 1 << 20  # Bytes that are kept in memory.
_BLOCK = 1 << 16


class Content:
    """What a file has, to be read from its beginning as often as needed, also at a time.

    Args:
        of: The bytes; or the descriptor of a file that nobody changes, which is closed when nobody
            uses the content any more.
    """

    def __init__(self, of: bytes | int) -> None:
        self._of = of
        if isinstance(of, int):
            weakref.finalize(self, os.close, of)

    @classmethod
    def at(cls, path: Path) -> Content:
        """Return the content of a file, whatever gets its name later.

        Raises:
            OSError: The file cannot be read.
        """
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        content = cls(fd)
        return cls(content.read()) if os.fstat(fd).st_size <= _SMALL else content

    def __len__(self) -> int:
        return len(self._of) if isinstance(self._of, bytes) else os.fstat(self._of).st_size

    def opened(self) -> BytesIO | BufferedReader:
        """Return it as a file to read, with a position of its own."""
        if isinstance(self._of, bytes):
            return BytesIO(self._of)
        return BufferedReader(_Reader(self, self._of), _BLOCK)

    def read(self) -> bytes:
        """Return it whole."""
        return self._of if isinstance(self._of, bytes) else self.opened().read()

    def buffer(self) -> memoryview:
        """Return it for a client that takes nothing but memory.

        Of a file, that is its pages, which the system can take back at any time.
        """
        if isinstance(self._of, bytes):
            return memoryview(self._of)
        import mmap  # noqa: PLC0415 - most are small

        return memoryview(mmap.mmap(self._of, 0, access=mmap.ACCESS_READ))

    def write_to(self, file: IO[bytes]) -> None:
        """Write it into a file, a block at a time."""
        source = self.opened()
        while block := source.read(_BLOCK):
            file.write(block)


class _Reader(RawIOBase):
    """Reads a file by its descriptor, which others read at other positions meanwhile."""

    def __init__(self, content: Content, fd: int) -> None:
        self._content = content  # It closes the file.
        self._fd = fd
        self._place = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = os.pread(self._fd, len(buffer), self._place)
        buffer[: len(block)] = block
        self._place += len(block)
        return len(block)


def collected(blocks: Iterable[bytes | memoryview]) -> Content:
    """Return a content of blocks: in memory, or in a file without a name where it is large."""
    import tempfile  # noqa: PLC0415 - not to plan

    with tempfile.SpooledTemporaryFile(_SMALL) as file:
        for block in blocks:
            if file.tell() + len(block) > _SMALL:  # It would only notice after a copy of it.
                file.rollover()
            file.write(block)
        if file.tell() <= _SMALL:
            file.seek(0)
            return Content(file.read())
        file.flush()
        return Content(os.dup(file.fileno()))


def content_of(content: bytes | Content) -> Content:
    """Return a content that may be given as bytes."""
    return Content(content) if isinstance(content, bytes) else content
