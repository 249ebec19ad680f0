"""The files that a run has written, before they get their final names."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from handrail_export.target import CALLER
from handrail_storage.backend import disk_error, flush_file


def settle(path: Path) -> tuple[int, str]:
    """Flush a file, so that it survives a loss of power; return its size and SHA-256.

    Raises:
        OSError: The file cannot be read or written.
    """
    flush_file(path)
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder, in the order of their paths."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


@contextmanager
def convert_disk_errors(folder: Path) -> Generator[None]:
    """Convert errors of the operating system about the folder to a StorageError."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, "what is written", str(folder), CALLER) from error
