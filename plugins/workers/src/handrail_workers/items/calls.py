"""Calls: what an executor is asked to do for one step, until it is done, lost or stopped."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from handrail.errors import ExecutorLostError, HandrailError, JournalError, RecordError, describe
from handrail.journal import ItemNoteRow, encode
from handrail.places import calls_user_code
from handrail_workers.executors.protocol import Full, Lost

if TYPE_CHECKING:
    from handrail.journal import AttemptId, Note
    from handrail_workers.executors.protocol import ChunkCall, Death, Executor, Outcome
    from handrail_workers.items.ledger import Ledger

T = TypeVar("T")

_LOOK = 0.1  # Seconds after which a wait for outcomes ends, to look whether it has to stop.
_DEAD = 60.0  # Seconds to wait for the end of a worker that was lost.


class Stop:
    """Why what waits for an executor has to end, if so; any thread may set it.

    Attributes:
        error: What it raises once it has ended.
        at_once: Whether it does so without waiting for what runs.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.at_once = False

    def __call__(self, error: BaseException) -> None:
        """Ask for the end; only the first error counts, and a second interrupt does not wait."""
        self.at_once = self.error is not None and isinstance(error, KeyboardInterrupt)
        self.error = self.error or error


class StepHost:
    """What a run offers to the executor of one of its steps; see `executors.Host`.

    Args:
        ledger: The accounts of the items of the step.
        stop: Asked for the end of all calls once the accounts cannot be written.
        journal: The URL of the journal, or None.
        run: The number of the run, or None.
        inherited: Descriptors that worker processes of this machine inherit.
    """

    def __init__(
        self,
        ledger: Ledger,
        stop: Stop,
        *,
        journal: str | None = None,
        run: int | None = None,
        inherited: tuple[int, ...] = (),
    ) -> None:
        self.journal = journal
        self.run = run
        self.inherited = inherited
        self._ledger = ledger
        self._stop = stop
        self._running: dict[AttemptId, tuple[int, int]] = {}
        self._heard = 0
        self._lock = threading.Lock()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The variables of the environment that have secrets of the run."""
        return self._ledger.secret_variables()

    def begins(self, attempt: AttemptId) -> None:
        """Note that an attempt may record from now on."""
        with self._lock:
            self._running[attempt] = (0, 0)

    def ends(self, attempt: AttemptId) -> None:
        """Note that an attempt may record no more."""
        with self._lock:
            self._running.pop(attempt, None)

    @property
    def tried(self) -> tuple[int, int]:
        """How many items the running attempts have tried so far, and how many of them failed."""
        with self._lock:
            found = list(self._running.values())
        return sum(tried for tried, _ in found), sum(failed for _, failed in found)

    def taken(self) -> bool:
        """Return whether a running attempt has told or recorded something since the last call."""
        heard, self._heard = self._heard, 0
        return heard > 0

    def record(self, attempt: AttemptId, notes: Sequence[Note]) -> None:
        """Make rollback data of a running attempt durable; it is when this returns.

        Raises:
            RecordError: The attempt has ended, as far as the run knows.
            JournalError: It could not be written.
        """
        step, n, chunk, number = attempt[1:5]
        with self._lock:
            known = attempt in self._running and not attempt.undo
        if not known:
            raise RecordError(f"rollback data of an item of step '{step}' came after it had ended")
        self._heard += 1
        changes = [
            ItemNoteRow(step, n, chunk, number, item, key, self._stored(step, item, key, values))
            for item, key, values in notes
        ]
        try:
            self._ledger.write(changes)
        except JournalError as error:
            # What is recorded is unknown now: no item may begin, and none be undone.
            self._stop(error)
            raise

    def _stored(self, step: str, item: int, key: str, values: Sequence[object]) -> str:
        about = f"rollback data '{key}' of an item of step '{step}'"
        self._ledger.refuse(encode(key, about), f"the key of {about}")
        return self._ledger.mask(encode(list(values), about))

    def heard(self, attempt: AttemptId, tried: int, failed: int) -> None:
        """Receive how many items of a running attempt were tried so far, and how many failed."""
        with self._lock:
            self._heard += 1
            if attempt in self._running:
                self._running[attempt] = (tried, failed)

    @calls_user_code
    def wrote(self, stream: Literal["stdout", "stderr"], text: str) -> None:
        """Show what a worker has printed."""
        to = getattr(sys, stream)
        if to is not None:
            to.write(text)
            to.flush()


@contextmanager
def of_executor() -> Generator[None]:
    """Make an error of an executor's own, in the block, one that is no failure of the step.

    Raises:
        ExecutorLostError: It has raised something that is none of our errors.
    """
    try:
        yield
    except (HandrailError, Full):
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {describe(error)}"
        raise ExecutorLostError(f"what works on the items has died: {text}") from error


class Calls(Generic[T]):
    """The calls that an executor has, each with what it is about.

    Args:
        executor: The executor, which is open.
        host: What the run offers to it.
        stop: Why the calls have to end, if so.
    """

    def __init__(self, executor: Executor, host: StepHost, stop: Stop) -> None:
        promised = executor.guarantees
        self.slots = max(1, promised.slots)
        self.executor = executor
        self.stop = stop
        self._window = max(1, min(2 * self.slots, promised.bounded))
        self._host = host
        self._running: dict[AttemptId, T] = {}
        self._cancelled = False

    @property
    def room(self) -> int:
        """How many more calls may be submitted."""
        return self._window - len(self._running)

    @property
    def running(self) -> Mapping[AttemptId, T]:
        """What has been submitted and has not ended."""
        return self._running

    def submit(self, call: ChunkCall, about: T) -> None:
        """Hand over a call."""
        self._running[call.attempt] = about
        self._host.begins(call.attempt)
        with of_executor():
            self.executor.submit(call)

    def wait(self) -> Iterator[tuple[Outcome, T]]:
        """Yield the outcomes that came within a moment; cancel all if they have to stop."""
        if self.stop.error is not None and not self._cancelled:
            self._cancelled = True
            with of_executor():
                for attempt in list(self._running):
                    self.executor.cancel(attempt)
        if self.stop.at_once and self.stop.error is not None:
            raise self.stop.error
        with of_executor():
            outcomes = self.executor.wait(_LOOK)
        for outcome in outcomes:
            about = self._running.pop(outcome.attempt, None)
            self._host.ends(outcome.attempt)
            if isinstance(outcome, Lost) and outcome.breaks_off:
                self.stop(ExecutorLostError(outcome.reason))
            if about is not None:
                yield outcome, about

    def confirm_dead(self, attempt: AttemptId) -> Death:
        """Return what is certain of an attempt."""
        with of_executor():
            return self.executor.confirm_dead(attempt, _DEAD)


class Clock:
    """Tells when something that is done now and then is due.

    Args:
        every: Seconds between two times.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self._last = time.monotonic()

    def due(self) -> bool:
        """Return whether it is due, which counts as done then."""
        now = time.monotonic()
        if now - self._last < self._every:
            return False
        self._last = now
        return True
