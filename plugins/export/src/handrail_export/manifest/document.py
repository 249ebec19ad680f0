"""manifest.json: stored with an export, so that recipients can check it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from handrail_export.errors import ExportError
from handrail_export.manifest.manifest import ExportedFile, Manifest
from handrail_storage.containment import key

NAME = "manifest.json"
SCHEMA = 1

_ABOUT = (
    *("run", "source", "collection", "format", "columns", "created"),
    *("exported_count", "failed_count", "total_count"),
)


def write_document(manifest: Manifest, path: Path) -> None:
    """Write a manifest as one JSON object, with a line for each file."""
    about = manifest.description()
    with open(path, "x", encoding="utf-8") as out:
        out.write(f'{{"schema": {SCHEMA}')
        for name in _ABOUT:
            if about.get(name) is not None:
                out.write(f',\n"{name}": {json.dumps(about[name])}')
        out.write(',\n"files": [')
        first = True
        for file in manifest.files():
            told: dict[str, object] = {"path": file.path, "size": file.size, "sha256": file.sha256}
            if file.rows is not None:
                told["rows"] = file.rows
            out.write(f"{'' if first else ','}\n{json.dumps(told)}")
            first = False
        out.write("\n]}\n")


def read_document(content: bytes, where: str) -> tuple[dict[str, Any], Iterator[ExportedFile]]:
    """Parse a manifest.json: the description of the export, and its files.

    Raises:
        ExportError: The content is not a manifest.
    """
    try:
        found: object = json.loads(content)
        if not isinstance(found, dict) or "files" not in found:
            raise ValueError("it has no files")
        about = cast("dict[str, Any]", found)
        if about.get("schema", SCHEMA) != SCHEMA:
            raise ExportError(
                f"{where} was made by a newer version of handrail-export",
                ways_out=("pip install --upgrade handrail-export",),
            )
        files = [_file(each) for each in about.pop("files")]
    except ExportError:
        raise
    except KeyError as error:
        raise ExportError(f"{where} is no manifest of an export: a file has no {error}") from error
    except (ValueError, TypeError) as error:
        raise ExportError(f"{where} is no manifest of an export: {error}") from error
    return about, iter(files)


def _file(told: dict[str, Any]) -> ExportedFile:
    path: object = told["path"]
    try:
        checked = key(path)
    except ValueError as error:
        raise ValueError(f"{path!r}: {error}") from error
    return ExportedFile(
        path=checked,
        size=int(told["size"]),
        sha256=str(told["sha256"]),
        rows=told.get("rows"),
    )
