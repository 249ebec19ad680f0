"""The files beside a journal with values of results that JSON lacks, in one folder for each run."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, BinaryIO, cast

from handrail.builtin.sqlite.place import make_folder, sync
from handrail.errors import JournalError
from handrail.journal import value_names
from handrail.journal.damage import damaged
from handrail.trust import refuse

_NUMBER = re.compile("-?[0-9]+")
_DENIED = (errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, errno.ENFILE)
# Follow no link, which might lead to a file of another user, and do not block on a pipe.
_AS_IT_IS: int = (
    getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)


class ValueFiles:
    """The files of a journal, each written once.

    A file is only part of a run if a result names it. What a killed process leaves is in nobody's
    way, and is deleted with its run.

    Args:
        folder: The folder for all runs; it is created with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def store(
        self, run: int, stem: str, suffix: str, write: Callable[[BinaryIO], None]
    ) -> dict[str, Any]:
        """Write a file of a run; see `OwnedRun`.

        Raises:
            OSError: It cannot be written.
        """
        folder = self._folder / str(run)
        make_folder(self._folder)
        make_folder(folder)
        path, descriptor = _new_file(folder, stem, suffix)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                write(file)
            # Opened again, because a serializer may have closed it.
            with path.open("rb") as file:
                os.fsync(file.fileno())
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
            sync(folder)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return {"name": path.name, "size": size, "sha256": digest}

    def open(self, run: int, name: str) -> BinaryIO:
        """Return a file of a run, opened for reading.

        Raises:
            JournalDamagedError: It is missing, or is not a file of the run.
            JournalError: It cannot be trusted, or cannot be read.
        """
        path, value = self._folder / str(run) / name, f"the value {name}"
        if name != path.name or name in (".", ".."):
            raise damaged(run, value, "is not the name of a file")
        refuse(self._folder, path.parent, path, error=JournalError)
        try:
            file = os.fdopen(os.open(path, os.O_RDONLY | _AS_IT_IS), "rb")
        except OSError as error:
            if error.errno in _DENIED:
                raise JournalError(f"{path} cannot be read: {error.strerror}") from error
            raise damaged(run, value, f"is missing: {path}") from error
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise damaged(run, value, f"is not a regular file: {path}")
        return cast("BinaryIO", file)

    def remove(self, runs: Collection[int]) -> None:
        """Remove the files of these runs."""
        for run in runs:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self._folder / str(run))

    def runs(self) -> list[int]:
        """Return the numbers of the runs that have files."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        return [int(name) for name in names if _NUMBER.fullmatch(name)]


def _new_file(folder: Path, stem: str, suffix: str) -> tuple[Path, int]:
    """Create an empty file, under a name that nothing has had in this folder."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _AS_IT_IS
    for name in value_names(stem, suffix):
        with contextlib.suppress(FileExistsError):
            return folder / name, os.open(folder / name, flags, 0o600)
    raise AssertionError  # There is always another name.
