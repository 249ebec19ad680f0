"""Slots that are threads of the driver: for functions that wait, and for platforms without fork."""

from __future__ import annotations

import json
import queue
import threading

from handrail.errors import ExecutorError, describe
from handrail.frozen import replace
from handrail.journal import AttemptId
from handrail_workers.executors.mailbox import Mailbox
from handrail_workers.executors.protocol import (
    Cancelled,
    ChunkCall,
    CodeRef,
    Death,
    Full,
    Guarantees,
    Host,
    Outcome,
)
from handrail_workers.executors.worker import work


class ThreadExecutor:
    """Works on chunks in threads of this process; see `Executor`.

    Args:
        slots: How many chunks are worked on at a time.
        host: What the run offers.
    """

    def __init__(self, slots: int, host: Host) -> None:
        self.guarantees = Guarantees(
            bounded=2 * slots,
            slots=slots,
            hard_cancel=False,
            descendants=False,
            survives_driver=False,
            death="its call has returned",
        )
        self._host = host
        self._code: CodeRef | None = None
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._calls: queue.SimpleQueue[ChunkCall | None] = queue.SimpleQueue()
        self._taken: set[AttemptId] = set()  # Calls whose outcome was not yet returned.
        self._on: set[AttemptId] = set()  # Those that have not ended.
        self._cancelled: set[AttemptId] = set()
        self._mailbox = Mailbox()
        self._closed = False

    def open(self, env_digest: str, code: CodeRef) -> None:
        """Take the functions; no thread is started before the first call."""
        self._code = code

    def submit(self, call: ChunkCall) -> None:
        """Take a call, and start a thread if all are busy and there may be more."""
        with self._changed:
            if len(self._taken) >= self.guarantees.bounded:
                raise Full
            if len(self._threads) < min(self.guarantees.slots, len(self._on) + 1):
                self._start()
            self._taken.add(call.attempt)
            self._on.add(call.attempt)
        self._calls.put(call)

    def wait(self, timeout: float) -> list[Outcome]:
        """Return outcomes, each once."""
        outcomes = self._mailbox.take(timeout)
        with self._changed:
            self._taken.difference_update(each.attempt for each in outcomes)
        return outcomes

    def cancel(self, attempt: AttemptId) -> None:
        """Let `item_context.cancelled` be true, and begin no other item of the chunk."""
        with self._changed:
            if attempt in self._on:
                self._cancelled.add(attempt)

    def confirm_dead(self, attempt: AttemptId, timeout: float) -> Death:
        """Return `dead` once the call has returned; those of an earlier process ended with it."""
        with self._changed:
            ended = self._changed.wait_for(lambda: attempt not in self._on, timeout)
        return "dead" if ended else "unknown"

    def close(self) -> None:
        """Cancel all attempts, and wait for their functions to return."""
        with self._changed:
            self._closed = True
            self._cancelled |= self._on
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()
        self._mailbox.close()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name="handrail-slot", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # No more threads; those that there are go on.
            if not self._threads:
                raise ExecutorError(
                    f"items cannot be worked on: {describe(error)} (ulimit -u)",
                    ways_out=("use fewer: --executor threads:1",),
                ) from error
        else:
            self._threads.append(thread)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            outcome = self._outcome(call)
            with self._changed:
                self._on.discard(call.attempt)
                self._cancelled.discard(call.attempt)
                self._mailbox.put(outcome)
                self._changed.notify_all()

    def _outcome(self, call: ChunkCall) -> Outcome:
        attempt, host = call.attempt, self._host
        assert self._code is not None, "open comes first"
        if attempt in self._cancelled:
            return Cancelled(attempt=attempt)
        # As another process would get them, so that a function cannot change those of the step.
        items, shared = json.loads(json.dumps([list(call.items), call.shared]))
        return work(
            self._code,
            replace(call, items=items, shared=shared),
            record=lambda notes: host.record(attempt, notes),
            heard=lambda tried, failed: host.heard(attempt, tried, failed),
            cancelled=lambda: attempt in self._cancelled,
        )
