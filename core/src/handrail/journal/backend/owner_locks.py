"""Locks that tell who has a run: the kernel frees one when its owner dies, however it dies."""

from __future__ import annotations

import contextlib
import errno
import os
import weakref
from dataclasses import dataclass
from pathlib import Path

from handrail.errors import JournalError
from handrail.settings.trust import refuse

try:
    import fcntl
except ImportError:  # Not on Windows; there a lease has to do.
    fcntl = None  # type: ignore[assignment]

Identity = tuple[int, int]
"""Which file something is: its device, and its inode there."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_TRIES = 20  # For who removes files as fast as we make them.
# A link would lead to a file of somebody else; to open a pipe would wait for another process.
_AS_IT_IS: int = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class LocksUnsupportedError(Exception):
    """The file system, or the operating system, has no such locks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLock:
    """The state of a lock at a look, which does not take it.

    Attributes:
        identity: Which file it is.
        free: Whether nobody had the lock.
    """

    identity: Identity
    free: bool


class OwnerLock:
    """A lock that this process holds until it is closed, or the process ends.

    Args:
        name: Name of its file.
        descriptor: Of the locked file.
    """

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self.identity = identity_of(os.fstat(descriptor))
        self._descriptor: int | None = descriptor
        _held.add(self)

    def close(self) -> None:
        """Give it up; harmless twice."""
        if self._descriptor is not None:
            # A child that was forked without Python's knowledge has the same lock.
            _unlock(self._descriptor)
        self.leave()

    def leave(self) -> None:
        """Close its file, and leave the lock to the parent of this process."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


_held: weakref.WeakSet[OwnerLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    # A forked child has the same locks open; one that outlives its parent would keep them. Closing
    # its descriptors leaves the locks with the parent.
    for lock in list(_held):
        lock.leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


class OwnerLocks:
    """The locks of the runs of one journal: a file for each, which stays until its run goes.

    Args:
        folder: Where they are; made when the first one is taken.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return the file of a lock."""
        return self.folder / name

    def take(self, name: str) -> OwnerLock | None:
        """Take a lock, or return None where somebody has it.

        Raises:
            LocksUnsupportedError: There are no locks here.
            JournalError: Others may put files into the folder.
            OSError: The file of the lock cannot be made.
        """
        failed: OSError | None = None
        for _ in range(_TRIES):
            with contextlib.suppress(FileExistsError):
                self.folder.mkdir(mode=0o700)
            refuse(self.folder, error=JournalError)
            try:
                lock = self._lock(name)
            except FileNotFoundError as error:  # The folder was removed in between.
                failed = error
                continue
            # A file that has lost its name keeps nobody away.
            if lock is None or lock.identity == self._named(name):
                return lock
            lock.close()
        if failed is not None:
            raise failed
        return None

    def look(self, name: str) -> SeenLock | None:
        """Return a lock as it is, or None where its file is not there, or not to be looked at.

        Raises:
            LocksUnsupportedError: There are no locks here.
            JournalError: Others may put files into the folder.
        """
        refuse(self.folder, error=JournalError)
        try:
            descriptor = os.open(self.path(name), os.O_RDONLY | _AS_IT_IS)
        except OSError:
            return None
        try:
            free = _lock(descriptor, shared=True)
            return SeenLock(identity=identity_of(os.fstat(descriptor)), free=free)
        finally:
            os.close(descriptor)

    def remove(self, number: int) -> None:
        """Remove the files of a run that is gone; the caller holds its lock."""
        for path in (self.folder / str(number), *self.folder.glob(f"{number}.*")):
            path.unlink(missing_ok=True)

    def _named(self, name: str) -> Identity | None:
        try:
            return identity_of(os.stat(self.path(name)))
        except FileNotFoundError:
            return None

    def _lock(self, name: str) -> OwnerLock | None:
        descriptor = os.open(self.path(name), os.O_RDWR | os.O_CREAT | _AS_IT_IS, 0o600)
        taken = False
        try:
            taken = _lock(descriptor, shared=False)
        finally:
            if not taken:
                os.close(descriptor)
        return OwnerLock(name, descriptor) if taken else None


def identity_of(found: os.stat_result) -> Identity:
    """Return which file that is, whatever it is called."""
    return found.st_dev, found.st_ino


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


def _unlock(descriptor: int) -> None:
    if fcntl is None:
        raise LocksUnsupportedError
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
