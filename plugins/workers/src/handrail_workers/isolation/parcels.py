"""Parcels: the files in which processes hand each other what JSON lacks of a result."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from handrail.errors import ResultDataError
from handrail.journal import ValueWriter, encode_result, is_json, items_of

if TYPE_CHECKING:
    from handrail import StepResult
    from handrail.journal import Serializers


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


def encoded(result: StepResult, name: str, serializers: Serializers, parcels: Parcels) -> str:
    """Return a result as text; the values in it that JSON lacks are parcels.

    Args:
        result: The result.
        name: Name of its step.
        serializers: The serializers for such values.
        parcels: Where they are stored.

    Raises:
        ResultDataError: A value cannot be stored.
        RollbackDataError: The rollback data has no JSON form.
    """
    stored: dict[str, str] = {}
    for key, value in items_of(result.data):
        if is_json(value):
            continue
        entry = ValueWriter(serializers, parcels, str).store(f"{name}-{key}", value)
        if entry.kind:
            why = f": {entry.why}" if entry.why else ""
            raise ResultDataError(
                f"'{key}' of step '{name}' is {entry.kind}, which cannot be handed from one "
                f"process to another{why}",
                ways_out=("return a path, or a value of a type that has a serializer",),
            )
        stored[key] = entry.text
    return encode_result(result, name, stored=stored)
