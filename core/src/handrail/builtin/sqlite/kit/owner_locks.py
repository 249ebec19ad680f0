"""File locks of run owners: the kernel releases them when the process ends in any way."""

from __future__ import annotations

import contextlib
import errno
import os
import weakref
from pathlib import Path

from handrail.errors import JournalError
from handrail.frozen import frozen
from handrail.trust import refuse

try:
    import fcntl
except ImportError:  # On Windows, where only the lease counts.
    fcntl = None  # type: ignore[assignment]

Identity = tuple[int, int]
"""The device and the inode of a file."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_TRIES = 20  # Limit for the case that another process keeps removing the files.
# Follow no link, which might lead to a file of another user, and do not block on a pipe.
_AS_IT_IS: int = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class LocksUnsupportedError(Exception):
    """The file system or the operating system does not support file locks."""


@frozen
class SeenLock:
    """The state of a lock, observed without taking it.

    Attributes:
        identity: Device and inode of the lock file.
        free: Whether no process had the lock.
    """

    identity: Identity
    free: bool


class OwnerLock:
    """A lock of this process, until it is closed or the process ends.

    Args:
        name: Name of the lock file.
        descriptor: File descriptor of the locked file.
    """

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self.identity = identity_of(os.fstat(descriptor))
        self._descriptor: int | None = descriptor
        _open_locks.add(self)

    @property
    def descriptor(self) -> int | None:
        """The descriptor of the locked file, or None once it is closed."""
        return self._descriptor

    def close(self) -> None:
        """Release the lock. Calling it twice is harmless."""
        if self._descriptor is not None:
            # Unlock explicitly: a child forked without Python's knowledge shares the lock.
            _unlock(self._descriptor)
        self.leave()

    def leave(self) -> None:
        """Close the file in a forked child, leaving the lock to the parent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


_open_locks: weakref.WeakSet[OwnerLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    # A forked child inherits the locks and would keep them if it outlives its parent. Closing its
    # descriptors leaves the locks with the parent.
    for lock in list(_open_locks):
        lock.leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


class OwnerLocks:
    """The locks of a journal's runs: one file each, which exists as long as the run.

    Args:
        folder: Folder of the lock files, created when the first lock is taken.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return the path of a lock file."""
        return self.folder / name

    def take(self, name: str) -> OwnerLock | None:
        """Take a lock, or return None if another process has it.

        Raises:
            LocksUnsupportedError: File locks are not supported here.
            JournalError: Other users may write to the folder.
            OSError: The lock file cannot be created.
        """
        failed: OSError | None = None
        for _ in range(_TRIES):
            with contextlib.suppress(FileExistsError):
                self.folder.mkdir(mode=0o700)
            refuse(self.folder, error=JournalError)
            try:
                lock = self._lock(name)
            except FileNotFoundError as error:  # The folder was removed meanwhile.
                failed = error
                continue
            # If the file was removed meanwhile, others would lock a new one.
            if lock is None or lock.identity == self._named(name):
                return lock
            lock.close()
        if failed is not None:
            raise failed
        return None

    def look(self, name: str) -> SeenLock | None:
        """Return the state of a lock, or None if its file does not exist or cannot be read.

        Raises:
            LocksUnsupportedError: File locks are not supported here.
            JournalError: Other users may write to the folder.
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
        """Remove the files of a deleted run; the caller must have its lock."""
        for path in (self.folder / f"{number:d}", *self.folder.glob(f"{number:d}.*")):
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
    """Return the device and the inode of a file."""
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
