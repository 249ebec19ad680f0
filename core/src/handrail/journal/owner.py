"""Who a run belongs to: a process, as it is recorded, described, and found gone."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

# The one that goes on while the machine sleeps, where there is one.
_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)
# Fields of /proc/PID/stat behind the name of the program, which may hold anything.
_STATE, _STARTED = 0, 19


def clock() -> float:
    """Return seconds since some moment before all processes of this boot."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


@cache
def boot() -> str:
    """Return what tells this boot of the machine from others, or an empty string."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that claimed a run.

    Attributes:
        pid: Its number.
        host: Name of its machine.
        user: Whose it is.
        started: When it was started, in UTC, or when it claimed its first run.
        ticks: The same in the words of the kernel, or None; a number may be given again.
        space: Which processes its number is one of, or None where that is unknown.
        lock: Name of the lock that it holds, or None where locks do not work.
        lease: Seconds that its lease lasts.
    """

    pid: int
    host: str
    user: str
    started: str
    ticks: int | None = None
    space: str | None = None
    lock: str | None = None
    lease: float = 0.0

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: str) -> Owner:
        """Return the owner that was recorded as `text`, whatever later versions add to it."""
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})

    @property
    def described(self) -> str:
        """Who it is, for people."""
        me = self.pid == os.getpid() and self.space == _space() and self.host == _host()
        return f"pid {self.pid}{' (this process)' * me} on {self.host}, user {self.user}"

    @property
    def is_gone(self) -> bool:
        """Whether it certainly does not run any more; only for an owner of this boot."""
        if self.ticks is None or self.space is None or self.space != _space():
            return False
        found = _stat(self.pid)
        return found is None or found[_STATE] in "ZX" or int(found[_STARTED]) != self.ticks


def this_process(*, lock: str | None, lease: float) -> Owner:
    """Return this process as an owner."""
    found = _stat(os.getpid())
    ticks = None if found is None else int(found[_STARTED])
    return Owner(
        pid=os.getpid(),
        host=_host(),
        user=_user(),
        started=_started(ticks),
        ticks=ticks,
        space=_space(),
        lock=lock,
        lease=lease,
    )


def _host() -> str:
    if hasattr(os, "uname"):
        return os.uname().nodename
    import platform  # noqa: PLC0415 - slow, and only where there is no other way

    return platform.node()


def _user() -> str:
    if hasattr(os, "getuid"):
        import pwd  # noqa: PLC0415 - not on every system

        with contextlib.suppress(KeyError):
            return pwd.getpwuid(os.getuid()).pw_name
        return str(os.getuid())
    return os.environ.get("USERNAME", "unknown")


def _started(ticks: int | None) -> str:
    ago = 0.0
    if ticks is not None:
        ago = max(0.0, clock() - ticks / os.sysconf("SC_CLK_TCK"))
    moment = datetime.fromtimestamp(time.time() - ago, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _space() -> str | None:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
