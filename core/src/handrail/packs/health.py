"""Checks that the files and modules in a pack's metadata exist, without importing anything."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from handrail.errors import Problem
from handrail.frozen import replace
from handrail.packs.module_finder import locate
from handrail.packs.record import EntryPoint, PackRecord

_NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_VALUE = re.compile(rf"{_NAME}(?:\s*:\s*{_NAME})?\s*(?:\[[^\]]*\])?")
_SKIPPED = (".pyc", ".pyo")


class Health:
    """The state of one distribution's files.

    Attributes:
        gone: Files that RECORD lists but that do not exist.
        packages: Dotted names of the packages and modules that it owns.
        folders: Folders on whose contents this depends.
    """

    def __init__(self) -> None:
        self.gone: list[str] = []
        self.packages: tuple[str, ...] = ()
        self.folders: set[str] = set()


def inspect(location: str, info: str, record_text: str | None) -> Health:
    """Compare the files listed in a RECORD with those below `location`.

    Args:
        location: Folder to which the paths in RECORD are relative.
        info: Name of the metadata folder in it.
        record_text: Contents of RECORD, or None if there is none.
    """
    health = Health()
    if not record_text:
        return health
    import csv  # noqa: PLC0415 - only when an index is made

    modules: list[str] = []
    needed = (f"{info}/METADATA", f"{info}/entry_points.txt")
    for row in csv.reader(record_text.splitlines()):
        name = row[0].replace("\\", "/") if row else ""
        if not name or name.endswith(_SKIPPED) or name.startswith("../") or os.path.isabs(name):
            continue
        if name.startswith(f"{info}/") and name not in needed:
            continue
        file = f"{location}/{name}"
        health.folders.add(os.path.dirname(file))
        if not os.path.lexists(file):
            health.gone.append(name)
        modules.append(name)
    health.packages = owned(modules)
    return health


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


def check_files(record: PackRecord, health: Health, path: Sequence[str]) -> PackRecord:
    """Return `record`, marked as broken with its first problem if it has any.

    The searched folders are added to `health`.
    """
    if health.gone:
        count = len(health.gone)
        files = "1 file that is" if count == 1 else f"{count} files that are"
        shown = tuple(health.gone[:4]) + (("...",) if count > 4 else ())
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
    for module in dict.fromkeys(entry.module for entry in record.entry_points):
        target = locate(module, path)
        health.folders.update(target.folders)
        if target.found is False:
            entry = next(each for each in record.entry_points if each.module == module)
            return broken(
                record,
                f"{_shown(entry)} leads to {module}, and there is no {target.missing}",
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
        ways_out=(
            f"install it again:  pip install --force-reinstall {record.id}",
            f"or leave it out of this call:  --no-pack {record.id}",
            f'or of this project, in handrail.toml:  [packs]  disable = ["{record.id}"]',
            f"or uninstall it:  pip uninstall {record.id}",
        ),
    )
    return replace(record, status="broken", why=why, problems=(*record.problems, problem))


def _shown(entry: EntryPoint) -> str:
    return f"{entry.group} {entry.name}"
