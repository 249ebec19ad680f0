"""System calls: copy between files, flush a file or a file system, and label folders."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_UNSUPPORTED = (errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM)


def copy_range(source: int, target: int, count: int) -> int:
    """Copy up to `count` bytes from the position of one file to that of another.

    Returns:
        The number of copied bytes; 0 at the end of the source.

    Raises:
        OSError: A file cannot be read or written.
    """
    kernel: Callable[[int, int, int], int] | None = getattr(os, "copy_file_range", None)
    if kernel is not None:
        try:
            copied = kernel(source, target, count)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
        else:
            if copied:
                return copied
            # Some file systems, such as /proc, say 0 before the end; reading settles it.
    block = os.read(source, min(count, 1 << 20))
    view = memoryview(block)
    while view:
        view = view[os.write(target, view) :]
    return len(block)


def _of_linux(name: str) -> Any:
    """Return a call that the os module does not have; None on other systems."""
    try:
        return getattr(ctypes.CDLL(None, use_errno=True), name)
    except (OSError, AttributeError, TypeError):
        return None


_sync_file_range = _of_linux("sync_file_range")
_BEGIN = 2  # SYNC_FILE_RANGE_WRITE


def begin_flush(fd: int, start: int, count: int) -> None:
    """Let the disk begin to write a part of a file, if possible; waits for nothing.

    A flush has to follow, which tells whether it was written.
    """
    if _sync_file_range is not None:
        place = ctypes.c_int64(start), ctypes.c_int64(count)
        _sync_file_range(fd, *place, ctypes.c_uint(_BEGIN))


_syncfs = _of_linux("syncfs")


def flush_file_system(folder: str) -> None:
    """Wait until the file system of `folder` has written all changes to disk.

    If there is no call for that, only the folder is flushed; see `flushes_file_systems`.

    Raises:
        OSError: A change could not be written.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _syncfs is None:
            os.fsync(fd)
        elif _syncfs(fd):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), folder)
    finally:
        os.close(fd)


def flushes_file_systems() -> bool:
    """Return whether this system can flush a whole file system."""
    return _syncfs is not None


# Linux alone has these calls.
_set: Callable[[str, str, bytes], None] | None = getattr(os, "setxattr", None)
_get: Callable[[str, str], bytes] | None = getattr(os, "getxattr", None)
_MADE = ("user.handrail", b"folder")


def make_folders(path: str) -> None:
    """Create a folder and those above it, labelled as made by Handrail.

    The undo of the last run that has a file in such a folder removes it, whoever has made it.

    Raises:
        OSError: A folder cannot be created.
    """
    missing: list[str] = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for folder in reversed(missing):
        with suppress(FileExistsError):  # Another run was faster.
            os.mkdir(folder)
            if _set is not None:
                with suppress(OSError):  # What a file system cannot label, the journal has.
                    _set(folder, *_MADE)


def is_made_folder(path: str) -> bool:
    """Return whether `make_folders` has labelled a folder."""
    if _get is None:
        return False
    with suppress(OSError):
        return not os.path.islink(path) and _get(path, _MADE[0]) == _MADE[1]
    return False
