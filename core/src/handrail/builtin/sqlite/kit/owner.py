"""Owner: the process that owns a run, and how to find out whether it is still alive."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from handrail.builtin.sqlite.kit.owner_locks import Identity
from handrail.frozen import from_json, frozen, values_of
from handrail.journal.this_process import host_name, user_name

if TYPE_CHECKING:
    from handrail.builtin.sqlite.kit.owner_locks import OwnerLock

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
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    # Our ids, from the namespace of /proc down to our own.
    numbers = [line.split()[1:] for line in lines if line.startswith("NSpid:")]
    return numbers == [[str(os.getpid())]]


def _stat(process: str) -> list[str] | None:
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
