"""Writes files so that a reader finds the old contents or the new ones, and nothing between."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from handrail.settings.trust import distrust

OWN_FOLDER = ".handrail"


def replace_file(file: Path, contents: bytes, *, mode: int | None = None) -> None:
    """Put `contents` into `file`, all of it or nothing.

    Args:
        file: Where to; its folder is there.
        contents: What to write.
        mode: Permissions; those of the file that is replaced, or of a new file, when None.

    Raises:
        OSError: It cannot be written; the file is as it was.
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
    """Return the folder that keeps what belongs to this copy of a project, made where it is not.

    One that is made is for its owner alone, and version control leaves it alone.

    Raises:
        OSError: It cannot be made, or is not to be trusted.
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
        return folder  # Somebody's own stays as it is.
    (folder / ".gitignore").write_text("# Made by handrail.\n*\n", encoding="utf-8")
    return folder


def _mode_of(file: Path) -> int:
    try:
        return file.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
