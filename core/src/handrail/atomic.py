"""Writes files atomically: readers see the old contents or the new, nothing in between."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING

from handrail.trust import distrust

if TYPE_CHECKING:
    from pathlib import Path

OWN_FOLDER = ".handrail"


def replace_file(file: Path, contents: bytes, *, mode: int | None = None) -> None:
    """Write `contents` to `file` atomically.

    Args:
        file: The file; its folder must exist.
        contents: The new contents.
        mode: Permissions; by default, those of the existing file, or the usual ones.

    Raises:
        OSError: The file cannot be written; it is unchanged.
    """
    number, draft = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(number, "wb") as stream:
            stream.write(contents)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(draft, _mode_of(file) if mode is None else mode)
        os.replace(draft, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def own_folder(project: Path) -> Path:
    """Return the folder for data of this copy of a project, created if missing.

    A new folder is accessible to its owner only, and ignored by version control.

    Raises:
        OSError: The folder cannot be created, or cannot be trusted.
    """
    folder = project / OWN_FOLDER
    distrusted = distrust(folder)
    if distrusted is not None:
        raise PermissionError(distrusted.message)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return folder  # Leave an existing folder as it is.
    (folder / ".gitignore").write_text("# Made by handrail.\n*\n", encoding="utf-8")
    return folder


def _mode_of(file: Path) -> int:
    try:
        return file.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
