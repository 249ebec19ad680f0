"""Computes the checksum of a file while it is written."""

from __future__ import annotations

import hashlib
import os
import threading
from io import FileIO
from pathlib import Path
from types import TracebackType

_BLOCK = 1 << 18  # It is still in the cache of the processor when it is hashed.
_PAUSE = 0.01  # Seconds between two looks at a file that has not grown.


class Following:
    """Reads a file while it grows, so that its checksum is ready when it is complete.

    Only for text that is written from its beginning to its end: where a part is written before
    those in front of it, they read as NULs, and then nothing is claimed.

    Args:
        path: The file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self._size = 0
        self._number = 0
        self._doubtful = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="handrail-hash", daemon=True)

    def __enter__(self) -> Following:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._doubtful = self._doubtful or error is not None
        self._over.set()
        self._thread.join()

    def sha256(self) -> str | None:
        """Return the SHA-256 of the whole file, or None if it has to be read again."""
        found = self._path.stat()
        same = (found.st_ino, found.st_size) == (self._number, self._size)
        return self._digest.hexdigest() if same and not self._doubtful else None

    def _follow(self) -> None:
        try:
            while not self._over.is_set() and not self._path.exists():
                self._over.wait(_PAUSE)
            with open(self._path, "rb", buffering=0) as file:
                self._number = os.fstat(file.fileno()).st_ino
                self._read(file)
        except OSError:  # It is read again, which reports the error.
            self._doubtful = True

    def _read(self, file: FileIO) -> None:
        block = bytearray(_BLOCK)
        view = memoryview(block)
        while not self._doubtful:
            over = self._over.is_set()  # Before reading: everything written by then is read.
            length = file.readinto(view)
            if length:
                self._doubtful = block.find(0, 0, length) >= 0
                self._digest.update(view[:length])
                self._size += length
            elif over:
                return
            else:
                self._over.wait(_PAUSE)
