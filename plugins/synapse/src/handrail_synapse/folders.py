"""Folders that steps make, so that an undo removes these and no others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

_MADE = "made_folders"


def make_folder(folder: Any, record: Callable[[str, Any], None]) -> Any:
    """Make a folder that is not there yet, and return it.

    It is made under a name that nobody else has, so that it is known again as the one of this run,
    also if the process is killed half way.

    Args:
        folder: Its path.
        record: Records what the undo needs; `context.record_rollback`.

    Raises:
        FileExistsError: It is there.
    """
    if not isinstance(folder, Path):  # Of a storage that is no folder of this machine.
        record(_MADE, {"path": str(folder), "elsewhere": True})
        folder.mkdir(parents=True)
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    held = folder.with_name(f".{folder.name}.{uuid4().hex}")
    record(_MADE, {"path": str(held)})
    held.mkdir()
    record(_MADE, {"path": str(folder), "is": _identity(held)})
    if folder.exists():
        held.rmdir()
        raise FileExistsError(f"{folder} is there already")
    held.rename(folder)
    return folder


def folders_to_remove(recorded: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the folders that a step has made and that are still the same ones."""
    for each in recorded.get(_MADE, ()):
        path = Path(each["path"])
        if "elsewhere" in each or not path.is_dir() or path.is_symlink():
            continue
        # One without an identity has a name that nobody else has; it is empty.
        if each["is"] == _identity(path) if "is" in each else path.name.startswith("."):
            yield path


def remove_folders(recorded: Mapping[str, Any], known: Any = None) -> list[str]:
    """Remove the folders that a step has made, with all that is in them.

    Args:
        recorded: What the step has recorded.
        known: The path of a folder of a storage that is no folder of this machine, if it is known.

    Returns:
        The paths of the folders that were removed.

    Raises:
        OSError: One is of another storage, which is not known.
    """
    removed = list(folders_to_remove(recorded))
    for each in removed:
        shutil.rmtree(each)
    told = [str(each) for each in removed]
    for each in recorded.get(_MADE, ()):
        if "elsewhere" in each:
            if isinstance(known, Path) or str(known) != each["path"]:
                raise OSError(f"{each['path']} cannot be removed: its storage cannot be opened")
            _remove_tree(known)
            told.append(each["path"])
    return told


def _remove_tree(folder: Any) -> None:
    for each in folder.iterdir() if folder.exists() else ():
        if each.is_dir():
            _remove_tree(each)
        else:
            each.unlink()
    if folder.exists():
        folder.rmdir()


def _identity(folder: Path) -> list[int]:
    status = os.stat(folder)
    return [status.st_dev, status.st_ino]
