"""Parcels: the files in which processes hand each other values that JSON lacks."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast


class Parcels:
    """A folder of files, each written once.

    It has what a journal and its runs have that store values: `open_value` and `store_value`.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def store_value(
        self, stem: str, suffix: str, write: Callable[[BinaryIO], None]
    ) -> dict[str, Any]:
        """Store a value in a file; see `OwnedRun`."""
        descriptor, path = tempfile.mkstemp(suffix, "value-", self.folder)
        with os.fdopen(descriptor, "w+b") as file:
            write(cast("BinaryIO", file))
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
        return {"name": Path(path).name, "size": size, "sha256": digest}

    def open_value(self, number: int, name: str) -> BinaryIO:
        """Return a file from which a value can be read; see `Journal`."""
        return cast("BinaryIO", open(Path(self.folder, Path(name).name), "rb"))

    def remove(self) -> None:
        """Remove all files."""
        shutil.rmtree(self.folder, ignore_errors=True)
