"""Manifests: an SQLite file for each run in the state folder, which lists its stored files."""

from __future__ import annotations

import json
import re
import uuid
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from handrail.errors import NotFoundError
from handrail.frozen import frozen

__all__ = [
    "RUN",
    "KeptRun",
    "find_run",
    "manifest_files",
    "manifests_in",
    "remove_manifest",
    "runs_in",
]

RUN = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""The UUID of a run, as a regular expression."""

_WITH_TIME = 7  # The version of UUIDs that begin with the time.


@frozen
class KeptRun:
    """A run whose manifest is in a folder.

    Attributes:
        path: Its manifest.
        number: Its number in its journal; None if it had none, or if a later run in the folder has
            the same, of another journal.
    """

    path: Path
    number: int | None

    @property
    def uid(self) -> str:
        """Its UUID."""
        return self.path.stem

    @property
    def name(self) -> str:
        """Its name for people: its number, else its UUID."""
        return self.uid if self.number is None else str(self.number)


def runs_in(folder: Path) -> list[KeptRun]:
    """Return the runs whose manifests are in a folder, the latest last."""
    found: list[KeptRun] = []
    numbers: set[int | None] = set()
    for path in reversed(manifests_in(folder)):
        number = _number_in(path)
        found.append(KeptRun(path=path, number=None if number in numbers else number))
        numbers.add(number)
    return found[::-1]


def manifests_in(folder: Path) -> list[Path]:
    """Return the manifests in a folder, that of the latest run last."""
    found = [path for path in folder.glob("*.db") if re.fullmatch(RUN, path.stem)]
    return sorted(found, key=lambda path: (_time_of(path), path.stem))


def _time_of(path: Path) -> float:
    """Return when a run began, in seconds, or for an action of a chain when it was last at work."""
    run = uuid.UUID(path.stem)
    if run.version == _WITH_TIME:
        return (run.int >> 80) / 1000
    try:
        return path.stat().st_mtime
    except OSError:  # It was deleted meanwhile.
        return 0.0


def _number_in(path: Path) -> int | None:
    """Return the number of the run that is described as `number` in a manifest."""
    import sqlite3  # noqa: PLC0415 - a plan only needs the names

    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as opened:
            row = opened.execute("SELECT value FROM about WHERE name = 'number'").fetchone()
            number = None if row is None else json.loads(row[0])
    except (sqlite3.Error, ValueError):
        return None  # It is damaged, as is told where it is read.
    return number if isinstance(number, int) else None


def find_run(folder: Path, run: str | None, *, action: str) -> KeptRun:
    """Return a run whose manifest is in a folder.

    Args:
        folder: The folder of the manifests.
        run: The number of the run, or its UUID; the latest if None.
        action: The action of the runs, such as `upload`.

    Raises:
        NotFoundError: There is no such run.
    """
    runs = runs_in(folder)
    found = [each for each in runs if run is None or run in (each.name, each.uid)]
    if found:
        return found[-1]
    if runs:
        told, way = f"there is no {action} {run} in {folder}", f"handrail runs --action {action}"
    else:
        told = f"there is no {action} in {folder}"
        way = "give the folder where they are kept: --state-folder FOLDER"
    raise NotFoundError(f"{told}, where nothing is kept of one that was undone", ways_out=(way,))


def manifest_files(path: str | Path) -> list[Path]:
    """Return the file of a manifest, and those that SQLite may keep beside it."""
    # The journal exists only if a process was killed while it created the file.
    return [Path(f"{path}{suffix}") for suffix in ("", "-wal", "-shm", "-journal")]


def remove_manifest(path: str | Path) -> None:
    """Delete a manifest and its SQLite side files, if they exist."""
    for each in manifest_files(path):
        with suppress(FileNotFoundError, NotADirectoryError):
            each.unlink()
