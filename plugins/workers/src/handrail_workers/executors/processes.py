"""Local slots: one process each, which works on one chunk after the other.

Each slot has a thread in the driver, which serves its process: notes of several wait for one commit
of the journal together. A helper starts the processes and kills them; it ends with the driver.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from contextlib import suppress

from handrail.errors import ExecutorError, describe
from handrail.journal import AttemptId
from handrail_workers.executors.mailbox import Mailbox
from handrail_workers.executors.presence import Presence
from handrail_workers.executors.protocol import (
    Cancelled,
    ChunkCall,
    CodeRef,
    Death,
    Failed,
    Full,
    Guarantees,
    Host,
    Lost,
    Outcome,
)
from handrail_workers.executors.slot import Slot
from handrail_workers.processes.groups import is_gone
from handrail_workers.processes.helper import Helper

_TRIES = 3  # Processes in a row that end before they are ready, until no other one is started.
_ENDING = 5.0  # Seconds for killed processes to end.


class ProcessExecutor:
    """Works on chunks in processes of this machine; see `Executor`.

    Args:
        slots: How many chunks are worked on at a time.
        host: What the run offers.
    """

    def __init__(self, slots: int, host: Host) -> None:
        self.guarantees = Guarantees(
            bounded=2 * slots,
            slots=slots,
            hard_cancel=True,
            descendants=True,
            survives_driver=False,
            death="its group of processes was killed, and has ended",
        )
        self.host = host
        self._code: CodeRef | None = None
        self._changed = threading.Condition()
        self._most = slots
        self._slots: list[Slot] = []
        self._idle: list[Slot] = []
        self._waiting: deque[ChunkCall] = deque()
        self._taken: set[AttemptId] = set()  # Calls whose outcome was not yet returned.
        self._dying: dict[AttemptId, int] = {}  # The groups of attempts that ended by force.
        self._mailbox = Mailbox()
        self._helper: _HelperThread | None = None
        self._presence = Presence(host)
        self._starts = 0  # Processes in a row that were not ready.
        self._problem = ""
        self._closed = False

    @property
    def code(self) -> CodeRef:
        """Where the functions are."""
        assert self._code is not None, "open comes first"
        return self._code

    def open(self, env_digest: str, code: CodeRef) -> None:
        """Take the functions, and start the helper, which imports while the first items are read.

        It waits for the first call if workers of an earlier driver of the run may live on.
        """
        if not hasattr(os, "fork") or not sys.executable:
            raise ExecutorError(
                f"items cannot be worked on in processes of their own on {sys.platform}",
                ways_out=("use threads: --executor threads",),
            )
        self._code = code
        if self._presence.take(time.monotonic()):
            with suppress(OSError, RuntimeError):  # The first call tries again, and tells why.
                self._helper = self._new_helper()

    def submit(self, call: ChunkCall) -> None:
        """Take a call; it goes to a slot that has nothing to do, or waits for one."""
        with self._changed:
            if self._problem:
                raise self._refused()
            if len(self._taken) >= self.guarantees.bounded:
                raise Full
            self._taken.add(call.attempt)
            slot = self._idle.pop() if self._idle else None
            if slot is None:
                self._waiting.append(call)
                self._start()
            else:
                slot.attempt = call.attempt
        if slot is not None:
            slot.give(call)

    def wait(self, timeout: float) -> list[Outcome]:
        """Return outcomes, each once."""
        outcomes = self._mailbox.take(timeout)
        with self._changed:
            self._taken.difference_update(each.attempt for each in outcomes)
        return outcomes

    def cancel(self, attempt: AttemptId) -> None:
        """Interrupt an attempt, and kill its processes some seconds later; at once if asked again.

        One that waits for a slot is dropped.
        """
        with self._changed:
            for slot in self._slots:
                if slot.attempt == attempt:
                    slot.cancel()
            for call in [*self._waiting]:
                if call.attempt == attempt:
                    self._waiting.remove(call)
                    self._ended(Cancelled(attempt=attempt))

    def confirm_dead(self, attempt: AttemptId, timeout: float) -> Death:
        """Return `dead` once an attempt, and the processes that it has started, have ended."""
        until = time.monotonic() + timeout
        with self._changed:
            if not self._changed.wait_for(lambda: not self._is_on(attempt), timeout):
                return "unknown"
            group, is_ours = self._dying.get(attempt), attempt in self._taken
        if group is None:
            # An earlier process may have had it, or it has ended long ago.
            return "dead" if is_ours or self._presence.take(until) else "unknown"
        if not is_gone(group, until):
            return "unknown"
        with self._changed:
            self._dying.pop(attempt, None)
        return "dead"

    def close(self) -> None:
        """Kill all processes, and wait for their end."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            slots, groups = [*self._slots], {*self._dying.values()}
        if self._helper is not None:
            self._helper.close()  # It kills them.
        for slot in slots:
            slot.join()
        for group in groups | {slot.process for slot in slots if slot.process}:
            is_gone(group, time.monotonic() + _ENDING)
        self._mailbox.close()
        self._presence.close()

    # Called by slots, in their threads

    def is_ready(self, slot: Slot) -> ChunkCall | None:
        """Take a slot that has nothing to do; return its next call, if there is one."""
        with self._changed:
            self._starts = 0
            return self._next(slot)

    def has_ended(self, slot: Slot, outcome: Outcome) -> ChunkCall | None:
        """Take the outcome of the call of a slot; return its next call, if there is one."""
        with self._changed:
            if slot.cancelled:
                # What it has started ends first, and an interrupt may still be on its way.
                slot.outcome = outcome
                slot.kill()
                return None
            slot.attempt = None
            self._ended(outcome)
            return self._next(slot)

    def is_stuck(self, slot: Slot) -> None:
        """Tell that an attempt is lost whose process was killed and does not end."""
        with self._changed:
            self._lose(slot, "was killed, and does not end")

    def is_gone(self, slot: Slot, why: str, *, started: bool) -> None:
        """Tell that an attempt is lost, and start another process if there is work for it."""
        with self._changed:
            self._slots.remove(slot)
            if slot in self._idle:
                self._idle.remove(slot)
            self._lose(slot, why)
            if self._closed:
                return
            if not slot.process:
                self._starts += 1
                if not started or self._starts >= _TRIES:
                    self._cannot_start(why)
            self._start()

    # With the lock

    def _is_on(self, attempt: AttemptId) -> bool:
        waits = any(each.attempt == attempt for each in self._waiting)
        return waits or any(each.attempt == attempt for each in self._slots)

    def _next(self, slot: Slot) -> ChunkCall | None:
        if not self._waiting or self._closed:
            self._idle.append(slot)
            return None
        call = self._waiting.popleft()
        slot.attempt = call.attempt
        return call

    def _ended(self, outcome: Outcome) -> None:
        self._mailbox.put(outcome)
        self._changed.notify_all()

    def _lose(self, slot: Slot, why: str) -> None:
        attempt, slot.attempt = slot.attempt, None
        if attempt is None:
            return
        self._dying[attempt] = slot.process
        lost: Outcome = Lost(attempt=attempt, reason=f"process {slot.process} {slot.frozen or why}")
        if slot.cancelled:
            lost = Cancelled(attempt=attempt)
        self._ended(slot.outcome or lost)

    def _start(self) -> None:
        """Start a process if there is a call that none of the others will take."""
        coming = sum(not each.process for each in self._slots)
        if coming >= len(self._waiting) or len(self._slots) >= self._most:
            return
        try:
            if self._helper is not None and not self._helper.lives:
                self._helper.close()
                self._helper = None
            if self._helper is None:
                self._helper = self._new_helper()
            slot = Slot(self, self._helper.helper)
            slot.start()
        except (OSError, RuntimeError) as error:  # No more processes, threads or descriptors.
            self._cannot_start(f"could not be started: {describe(error)}")
        else:
            self._slots.append(slot)

    def _new_helper(self) -> _HelperThread:
        return _HelperThread((*self.host.inherited, *self._presence.inherited()))

    def _cannot_start(self, why: str) -> None:
        """Go on with the processes that there are, or refuse all calls if there are none."""
        if self._slots:
            self._most = len(self._slots)
            text = f"{self._most} of {self.guarantees.slots} slots are used: a process {why}\n"
            self.host.wrote("stderr", text)
            return
        self._problem = why
        for call in self._waiting:
            self._ended(Failed(attempt=call.attempt, error=self._refused().message))
        self._waiting.clear()

    def _refused(self) -> ExecutorError:
        return ExecutorError(
            f"items cannot be worked on: a process for them {self._problem}",
            ways_out=("use fewer: --executor processes:1", "or threads: --executor threads"),
        )


class _HelperThread:
    """The helper, and a thread that lives as long: the kernel ends the helper with its thread.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, inherited: tuple[int, ...]) -> None:
        self._over = threading.Event()
        self._started = threading.Event()
        self._helper: Helper | None = None
        self._failure: OSError | None = None
        self._thread = threading.Thread(
            target=self._live, args=(inherited,), name="handrail-helper", daemon=True
        )
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def helper(self) -> Helper:
        assert self._helper is not None
        return self._helper

    @property
    def lives(self) -> bool:
        return self.helper.lives

    def _live(self, inherited: tuple[int, ...]) -> None:
        try:
            self._helper = Helper(inherited)
            self._helper.prepare({"serves": "handrail_workers.executors.slot_process"})
        except OSError as error:
            self._failure = error
        finally:
            self._started.set()
        if self._failure is None:
            self._over.wait()

    def close(self) -> None:
        self.helper.close()
        self._over.set()
        self._thread.join()
