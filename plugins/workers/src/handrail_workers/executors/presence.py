"""Presence: whether workers that an earlier driver of a run has started live on this machine."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from hashlib import sha256

from handrail.errors import ExecutorError
from handrail_workers.executors.protocol import Host

_PAUSE = 0.01  # Seconds between tries.
_ENDING = 10.0  # Seconds for those of an earlier driver, which end with it, but not at once.


class Presence:
    """A lock that all workers of a run inherit, so it is free once they are gone.

    Where they inherit the lock of the run itself, nobody can drive the run before that, and no
    other lock is needed. A run that is not recorded has no earlier driver.

    Args:
        host: What the run offers.
    """

    def __init__(self, host: Host) -> None:
        self._is_needed = host.run is not None and not host.inherited
        self._name = sha256(f"{host.journal} {host.run}".encode()).hexdigest()[:24]
        self._file: int | None = None

    @property
    def _path(self) -> str:
        return os.path.join(tempfile.gettempdir(), f"handrail-items-{os.getuid()}-{self._name}")

    def take(self, until: float) -> bool:
        """Take the lock, waiting for it until a point in time; return whether it was taken."""
        import fcntl  # noqa: PLC0415 - there is none on Windows

        while self._is_needed and self._file is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            file = os.open(self._path, flags, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_still(file, self._path):
                    self._file = file
                    return True
            except BlockingIOError:
                pass
            except BaseException:
                os.close(file)
                raise
            os.close(file)
            if time.monotonic() >= until:
                return False
            time.sleep(_PAUSE)
        return True

    def inherited(self) -> tuple[int, ...]:
        """Take the lock; return what workers inherit.

        Raises:
            ExecutorError: Workers of an earlier driver live on.
        """
        if not self.take(time.monotonic() + _ENDING):
            raise ExecutorError(
                "processes of this run that an earlier process of it has started live on",
                ways_out=(f"end those that have {self._path} open, and resume the run",),
            )
        return () if self._file is None else (self._file,)

    def close(self) -> None:
        """Leave the lock to the workers that live on, if any."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            os.close(self._file)
            self._file = None


def _is_still(file: int, path: str) -> bool:
    """Return whether a file was not removed and made anew before it was locked."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return os.path.samestat(found, os.fstat(file))
