"""The lease of a run: it is renewed in a thread during long steps; and the errors of losing it."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from handrail.builtin.sqlite.kit.owner import Owner
from handrail.errors import LeaseLostError, RunHeldError
from handrail.frozen import replace
from handrail.journal.damage import MISFIT

if TYPE_CHECKING:
    from handrail.journal import Holder

SECONDS = 20.0  # Default length of a lease.
SHARE = 4  # Number of renewals within the length of a lease.
_ORPHANS = 5.0  # Seconds for the processes of an owner that is gone to end.
_PAUSE = 0.05


class Renewal:
    """A thread that renews a lease until it is stopped; it also makes calls that can wait.

    While native code keeps the interpreter's lock for longer than the lease, the process seems to
    be stuck; its file lock still shows that it is alive.

    Args:
        seconds: Length of the lease.
        renew: Renews the lease; returns whether we still own the run.
    """

    def __init__(self, seconds: float, renew: Callable[[], bool]) -> None:
        self._every = seconds / SHARE
        self._renew = renew
        self._stopped = False
        self._later: tuple[float, Callable[[], None]] | None = None
        # A plain lock, which wakes the thread when it is released: any thread may, and a signal
        # handler that raises meanwhile does no harm.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._thread = threading.Thread(target=self._run, name="handrail-lease", daemon=True)
        self._thread.start()

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call a function once in this many seconds; a call that waits is replaced."""
        self._later = time.monotonic() + seconds, call
        self._ring()

    def finish(self) -> None:
        """Make the call that waits, if there is one; then stop."""
        later, self._later = self._later, None
        self.stop()
        if later is not None:
            later[1]()

    def stop(self) -> None:
        """Stop renewing, without waiting for a renewal in progress."""
        self._stopped = True
        self._ring()

    def _ring(self) -> None:
        with suppress(RuntimeError):  # It was rung already.
            self._bell.release()

    def _run(self) -> None:
        due = time.monotonic() + self._every
        while True:
            later = self._later
            until = due if later is None else min(due, later[0])
            self._bell.acquire(timeout=max(0.0, until - time.monotonic()))
            if self._stopped:
                return
            if later is not None and later is self._later and time.monotonic() >= later[0]:
                self._later = None
                later[1]()
            if time.monotonic() >= due:
                if not self._renew():
                    return
                due = time.monotonic() + self._every


def forked_from(holder: Holder, lock: str) -> Holder:
    """Return the holder of a run whose owner is gone but whose lock is still taken.

    Args:
        holder: The owner.
        lock: Path of the lock file.
    """
    described = f"a process forked from {holder.described}, which is gone"
    return replace(holder, described=described, stale=True, lock=lock)


def after_orphans(look: Callable[[], Holder | None]) -> Holder | None:
    """Return the holder of a run, once no process ends any more that its dead owner has started.

    The processes of isolated steps and of items end with their run, but not in the same instant.

    Args:
        look: Returns the holder.
    """
    deadline = time.monotonic() + _ORPHANS
    while (holder := look()) is not None and holder.owner_is_gone:
        if time.monotonic() > deadline:
            break
        time.sleep(_PAUSE)
    return holder


def held_error(number: int, holder: Holder) -> RunHeldError:
    """Return the error for a claim of a run that has a holder."""
    if holder.journal is not None:
        there = shlex.quote(holder.journal)
        return RunHeldError(
            f"this journal is a copy; run {number} belongs to the journal at {holder.journal}",
            ways_out=(
                f"continue there: handrail resume {number} --journal {there}",
                "or, if this one is to replace it, remove that one first",
            ),
        )
    if holder.lock is not None:
        return RunHeldError(
            f"run {number} is held by {holder.described}, which inherited its lock",
            ways_out=(
                f"find that process and end it: fuser -v {shlex.quote(holder.lock)}",
                "or take the run from it: --take-over",
            ),
        )
    silent = "" if holder.silent is None else f"{holder.silent:.0f} s"
    if not holder.stale:
        return RunHeldError(
            f"run {number} is held by {holder.described}, which is alive"
            f"{f' (last heard of {silent} ago)' * bool(silent)}",
            ways_out=("wait for it to end, or end it",),
        )
    return RunHeldError(
        f"run {number} is held by {holder.described}, "
        f"which has given no sign of life{f' for {silent}' * bool(silent)}: stopped, or stuck",
        ways_out=("end it, or take the run from it: --take-over",),
    )


def lost_error(
    number: int, fence: int, found: tuple[int, str | None, str] | None
) -> LeaseLostError:
    """Return the error for a write to a run that we no longer own.

    Args:
        number: The number of the run.
        fence: The writer's fence.
        found: The recorded fence, outcome and owner; None if the run is gone.
    """
    if found is None:
        return LeaseLostError(f"run {number} was deleted from the journal")
    now, outcome, owner = found
    described = "another process"
    if now != fence:
        with suppress(*MISFIT):
            described = Owner.from_json(owner).described
        return LeaseLostError(
            f"run {number} was taken over by {described}; this process must stop working on it",
            ways_out=(f"handrail show {number}",),
        )
    return LeaseLostError(f"run {number} is closed ({outcome}); nothing more can be recorded in it")
