"""Owner: the process that owns a run, its lock, and how to find out whether it is still alive."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import time
import weakref
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from handrail.errors import JournalError
from handrail.frozen import from_json, frozen, values_of
from handrail.journal.this_process import host_name, user_name
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


# A clock that also counts while the machine is suspended, if there is one.
_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)
# Positions of fields in /proc/PID/stat after the program's name, which may contain anything.
_STATE, _STARTED = 0, 19


def clock() -> float:
    """Return seconds since a fixed time in this boot, the same for all processes."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


@cache
def boot() -> str:
    """Return an identifier of this boot of the machine, or an empty string if unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def is_other_boot(recorded: str) -> bool:
    """Return whether `recorded` is a different boot of the machine; False if either is unknown."""
    return bool(recorded and boot()) and recorded != boot()


@frozen
class Owner:
    """A process that claimed a run.

    Attributes:
        pid: Its process id.
        host: Name of its machine.
        user: Name of its user.
        started: When it started, in UTC, or when it claimed its first run.
        ticks: Its start time in clock ticks of the kernel, or None; tells processes with the same
            id apart.
        space: Identifiers of its PID namespace and of that of its clock, or None if unknown.
        lock: Name of its lock, or None if locks are not supported.
        lock_identity: Device and inode of the lock file, or None if unknown.
        journal: Path of the journal, or None if it has none or it is unknown.
        journal_identity: Device and inode of the journal, or None.
        lease: Length of its lease, in seconds.
    """

    pid: int
    host: str
    user: str
    started: str
    ticks: int | None = None
    space: str | None = None
    lock: str | None = None
    lock_identity: Identity | None = None
    journal: str | None = None
    journal_identity: Identity | None = None
    lease: float = 0.0

    def to_json(self) -> str:
        """Return the owner as JSON."""
        return json.dumps(values_of(self))

    @classmethod
    def from_json(cls, text: str) -> Owner:
        """Return the owner recorded as `text`.

        Raises:
            ValueError: The text is not what `to_json` returns; or another error of its conversion,
                see `handrail.journal.damage.MISFIT`.
        """
        owner = from_json(cls, json.loads(text))
        if not 0 < owner.pid < 2**31:
            raise ValueError("its pid is none")
        return owner

    @property
    def described(self) -> str:
        """A description for display."""
        me = self.pid == os.getpid() and self.space == _space() and self.host == host_name()
        return f"pid {self.pid}{' (this process)' * me} on {self.host}, user {self.user}"

    @property
    def lives(self) -> bool | None:
        """Whether the process is alive, or None if unknown; valid for an owner of this boot."""
        if self.space is None or self.space != _space():
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # A process of another user, which may be hidden in /proc.
        found = _stat(str(self.pid)) if _proc_shows_our_namespace() else None
        if found is None or self.ticks is None:
            return None
        return found[_STATE] not in "ZX" and int(found[_STARTED]) == self.ticks

    @property
    def takes_interrupts(self) -> bool:
        """Whether it handles SIGINT; False if that is unknown. Valid for an owner that lives."""
        (caught,) = _said_of(str(self.pid), "SigCgt") or ["0"]
        return bool(int(caught, 16) >> (signal.SIGINT - 1) & 1)


def this_process(
    *,
    lease: float,
    lock: OwnerLock | None = None,
    journal: str | None = None,
    journal_identity: Identity | None = None,
) -> Owner:
    """Return this process as an owner."""
    found = _stat("self")
    ticks = None if found is None else int(found[_STARTED])
    return Owner(
        pid=os.getpid(),
        host=host_name(),
        user=user_name(),
        started=_started(ticks),
        ticks=ticks,
        space=_space(),
        lock=None if lock is None else lock.name,
        lock_identity=None if lock is None else lock.identity,
        journal=journal,
        journal_identity=journal_identity,
        lease=lease,
    )


def _started(ticks: int | None) -> str:
    ago = 0.0
    if ticks is not None:
        ago = max(0.0, clock() - ticks / os.sysconf("SC_CLK_TCK"))
    at = datetime.fromtimestamp(time.time() - ago, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _space() -> str | None:
    # Kernels before 5.6 have none of the second kind, other systems neither.
    links = [Path("/proc/self/ns", kind) for kind in ("pid", "time")]
    try:
        return " ".join(os.readlink(link) for link in links if link.is_symlink()) or None
    except OSError:
        return None


def _proc_shows_our_namespace() -> bool:
    """Return whether /proc shows our PID namespace; it may be mounted from another."""
    # Our ids, from the namespace of /proc down to our own.
    return _said_of("self", "NSpid") == [str(os.getpid())]


def _said_of(process: str, name: str) -> list[str]:
    """Return the words that /proc has of a process under a name; none if it is unknown."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.partition(f"\n{name}:")[2].partition("\n")[0].split()


def _stat(process: str) -> list[str] | None:
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
