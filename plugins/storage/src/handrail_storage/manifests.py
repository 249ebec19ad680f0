"""Manifests: an SQLite file for each run in the state folder, which lists its stored files."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from handrail.errors import HandrailError

__all__ = ["RUN", "find_manifest", "manifest_files", "manifests_in", "remove_manifest"]

RUN = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""The id of a run, as a regular expression."""


def manifests_in(folder: Path) -> list[Path]:
    """Return the manifests in a folder, that of the latest run last."""
    # Runs are UUIDs that begin with the time, so their order is that of the runs.
    return sorted(path for path in folder.glob("*.db") if re.fullmatch(RUN, path.stem))


def find_manifest(
    folder: Path, run: str | None, *, action: str, error: type[HandrailError]
) -> Path:
    """Return the manifest of a run.

    Args:
        folder: The folder of the manifests.
        run: The id of the run, or a unique part of it; the latest if None.
        action: The action of the runs, such as `upload`.
        error: The class of the error that is raised.

    Raises:
        HandrailError: There is no such run, or several match.
    """
    paths = manifests_in(folder)
    if not paths:
        raise error(
            f"there is no {action} in {folder}",
            ways_out=("give the folder where they are kept: --state-folder FOLDER",),
        )
    if run is None:
        return paths[-1]
    fitting = [path for path in paths if path.stem == run] or [
        path for path in paths if path.stem.startswith(run) or path.stem.endswith(run)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise error(
            f"there is no {action} {run} in {folder}",
            ways_out=(f"handrail {action} list shows those that there are",),
        )
    names = ", ".join(path.stem for path in fitting[:5])
    raise error(f"several {action}s fit {run}: {names}", ways_out=("give more of it",))


def manifest_files(path: str | Path) -> list[Path]:
    """Return the file of a manifest, and those that SQLite may keep beside it."""
    # The journal exists only if a process was killed while it created the file.
    return [Path(f"{path}{suffix}") for suffix in ("", "-wal", "-shm", "-journal")]


def remove_manifest(path: str | Path) -> None:
    """Delete a manifest and its SQLite side files, if they exist."""
    for each in manifest_files(path):
        with suppress(FileNotFoundError, NotADirectoryError):
            each.unlink()
