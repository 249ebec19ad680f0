"""Locks that tell who has a run: the kernel frees one when its owner dies, however it dies."""

from __future__ import annotations

import errno
import os
import weakref
from pathlib import Path

from handrail.errors import JournalError
from handrail.settings.trust import refuse

try:
    import fcntl
except ImportError:  # Not on Windows; there a lease has to do.
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class LocksUnsupportedError(Exception):
    """The file system, or the operating system, has no such locks."""


class OwnerLock:
    """A lock that this process holds until it is closed, or the process ends.

    Args:
        name: Name of its file.
        descriptor: Of the locked file.
    """

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self._descriptor: int | None = descriptor
        _held.add(self)

    def close(self) -> None:
        """Give it up; harmless twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


_held: weakref.WeakSet[OwnerLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    # A forked child has the same locks open; one that outlives its parent would keep them. Closing
    # its descriptors leaves the locks with the parent.
    for lock in list(_held):
        lock.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


class OwnerLocks:
    """The locks of the runs of one journal: a file for each, which stays until its run goes.

    Args:
        folder: Where they are; made when the first one is taken.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, name: str) -> OwnerLock | None:
        """Take a lock, or return None where somebody has it.

        Raises:
            LocksUnsupportedError: There are no locks here.
            JournalError: Others may put files into the folder.
            OSError: The file of the lock cannot be made.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        refuse(self.folder, error=JournalError)
        descriptor = os.open(self.folder / name, os.O_RDWR | os.O_CREAT, 0o600)
        taken = False
        try:
            taken = _lock(descriptor, shared=False)
        finally:
            if not taken:
                os.close(descriptor)
        return OwnerLock(name, descriptor) if taken else None

    def is_free(self, name: str) -> bool:
        """Whether nobody has that lock.

        Raises:
            LocksUnsupportedError: There are no locks here.
            JournalError: Others may put files into the folder.
        """
        refuse(self.folder, error=JournalError)
        try:
            descriptor = os.open(self.folder / name, os.O_RDONLY)
        except FileNotFoundError:
            return True
        try:
            return _lock(descriptor, shared=True)
        finally:
            os.close(descriptor)

    def remove(self, number: int) -> None:
        """Remove the files of a run that is gone; the caller holds its lock."""
        for path in (self.folder / str(number), *self.folder.glob(f"{number}.*")):
            path.unlink(missing_ok=True)


def _lock(descriptor: int, *, shared: bool) -> bool:
    if fcntl is None:
        raise LocksUnsupportedError
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise LocksUnsupportedError from error
        raise
    return True
