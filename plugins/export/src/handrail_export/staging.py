"""The files that a run has written, before they get their final names."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from handrail_export.target import CALLER
from handrail_storage.backend import disk_error, flush_file


def settle(path: Path, sha256: str | None = None) -> tuple[int, str]:
    """Flush a file, so that it survives a loss of power; return its size and SHA-256.

    Args:
        path: The file.
        sha256: The SHA-256 of its content, if known.

    Raises:
        OSError: The file cannot be read or written.
    """
    if sha256 is not None:
        flush_file(path)
        return path.stat().st_size, sha256
    failed: list[OSError] = []

    def sync() -> None:
        try:
            flush_file(path)
        except OSError as error:
            failed.append(error)

    # The disk writes while the processor hashes.
    writing = threading.Thread(target=sync, name="handrail-sync", daemon=True)
    writing.start()
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    finally:
        writing.join()
    if failed:
        raise failed[0]
    return path.stat().st_size, sha256


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
