"""Checks that the files and modules in a pack's metadata exist, without importing anything."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Sequence

from handrail.errors import Problem
from handrail.frozen import replace
from handrail.packs.entry_points import find_module
from handrail.packs.record import EntryPoint, PackRecord, ways_out

_NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_VALUE = re.compile(rf"{_NAME}(?:\s*:\s*{_NAME})?\s*(?:\[[^\]]*\])?")
_SKIPPED = (".pyc", ".pyo")


def listed_files(record: str) -> list[str]:
    """Return the files in the text of a RECORD that a pack cannot do without."""
    files: list[str] = []
    for row in csv.reader(record.splitlines()):
        name = row[0].replace("\\", "/") if row else ""
        is_note = ".dist-info/" in name and not name.endswith(("/METADATA", "/entry_points.txt"))
        if name and not (name.endswith(_SKIPPED) or name.startswith("../") or os.path.isabs(name)):
            files += [] if is_note else [name]
    return files


def owned(files: Iterable[str]) -> tuple[str, ...]:
    """Return the dotted names of the topmost packages and modules among relative file names.

    Folders without `__init__` may be shared with other distributions, so their contents count.
    """
    modules = [
        name
        for name in files
        # In an editable install, setuptools adds a module of its own.
        if name.endswith((".py", ".so", ".pyd")) and not name.startswith("__editable__")
    ]
    packages = {name.rpartition("/")[0] for name in modules if name.endswith("/__init__.py")}
    found: set[str] = set()
    for name in modules:
        folders = name.split("/")[:-1]
        tops = ("/".join(folders[: depth + 1]) for depth in range(len(folders)))
        top = next((each for each in tops if each in packages), None)
        path = top if top is not None else name.partition(".")[0]
        found.add(path.replace("/", "."))
    return tuple(sorted(found))


def check_files(record: PackRecord, gone: Sequence[str], path: Sequence[str] | None) -> PackRecord:
    """Return `record`, marked as broken with its first problem if it has any.

    Args:
        record: The pack.
        gone: Files that its RECORD lists and that do not exist.
        path: Folders and archives to search for its modules; by default, `sys.path`.
    """
    if gone:
        files = "1 file that is" if len(gone) == 1 else f"{len(gone)} files that are"
        shown = (*gone[:4], *(["..."] if len(gone) > 4 else []))
        return broken(record, f"RECORD names {files} gone", code="files-gone", details=shown)
    seen: set[tuple[str, str]] = set()
    for entry in record.entry_points:
        if not _VALUE.fullmatch(entry.value.strip()):
            return broken(
                record,
                f"{_shown(entry)} is {entry.value!r}, not module:object",
                code="bad-entry-point",
            )
        if (entry.group, entry.name) in seen:
            return broken(record, f"{_shown(entry)} is there twice", code="bad-entry-point")
        seen.add((entry.group, entry.name))
    for entry in {entry.module: entry for entry in reversed(record.entry_points)}.values():
        try:
            find_module(entry.module, path)
        except ModuleNotFoundError as error:
            return broken(
                record,
                f"{_shown(entry)} leads to {entry.module}, and {error}",
                code="target-missing",
            )
    return record


def broken(record: PackRecord, why: str, *, code: str, details: tuple[str, ...] = ()) -> PackRecord:
    """Return `record` marked as broken, with a problem for the reason and its ways out."""
    problem = Problem(
        code=code,
        message=f"{record.origin} is broken: {why}",
        origins=(record.origin,),
        details=details,
        ways_out=ways_out(
            record.id, f"install it again:  pip install --force-reinstall {record.id}"
        ),
    )
    return replace(record, status="broken", why=why, problems=(*record.problems, problem))


def _shown(entry: EntryPoint) -> str:
    return f"{entry.group} {entry.name}"
