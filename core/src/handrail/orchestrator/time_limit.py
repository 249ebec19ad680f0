"""TimeLimit: the time of one attempt, watched by a thread of its own; and the Alarm of that."""

from __future__ import annotations

import _thread
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from handrail.calls import Raised
from handrail.errors import StepTimedOut, StepTimeoutError
from handrail.steps import StepResult
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from handrail.limits import Limits

_AGAIN = 0.02  # Seconds until an interrupt that could not be delivered is tried again; doubles.
_SELDOM = 1.0  # The longest time between two such tries.
_CLOCK = time.monotonic
_LONGEST = 3600.0  # A lock cannot be waited for much longer on some systems.


class Alarm:
    """Calls `ring` in a thread after some seconds, unless it is stopped before.

    Not a threading.Timer: that one does more than a signal handler should.

    Args:
        seconds: The time until the first call.
        ring: The function; it returns the seconds until the next call, or None.
    """

    def __init__(self, seconds: float, ring: Callable[[], float | None]) -> None:
        self._stopped = _thread.allocate_lock()
        self._over = _thread.allocate_lock()
        self._stopped.acquire()
        self._over.acquire()
        _thread.start_new_thread(self._run, (seconds, ring))

    def _run(self, seconds: float | None, ring: Callable[[], float | None]) -> None:
        while seconds is not None:
            if self._stopped.acquire(timeout=min(max(seconds, 0), _LONGEST)):
                break
            seconds = seconds - _LONGEST if seconds > _LONGEST else ring()
        self._over.release()

    def stop(self) -> None:
        """Wait until it will not call the function any more."""
        self._stopped.release()
        self._over.acquire()


class TimeLimit:
    """The time of one attempt of a step, or of one undo.

    A thread looks whether it is over, and interrupts the step then, as `interrupt` can. A step that
    cannot be interrupted finds out when it logs, reports progress or records.

    Attributes:
        due: Whether StepTimedOut has yet to be raised in the step.
        error: Why its time is over, once it is.
        interrupt: Interrupts the step, called in another thread; None if nothing can.
        thread: The only thread in which a call of the step raises; None for any thread.
    """

    def __init__(self, limits: Limits) -> None:
        self.due = False
        self.error: StepTimeoutError | None = None
        self.interrupt: Callable[[], object] | None = None
        self.thread: int | None = _thread.get_ident()
        self._limits = limits
        self._began = self._seen = self._again = _CLOCK()
        self._pause = _AGAIN
        self._alarm: Alarm | None = None

    def start(self) -> None:
        """Begin to count."""
        self._began = self._seen = _CLOCK()
        self._alarm = Alarm(self._left(self._began), self._ring)

    def stop(self) -> None:
        """Stop counting; from here on nothing is interrupted."""
        if self._alarm is not None:
            self._alarm.stop()
        self._look(_CLOCK())
        self.due = False

    def beat(self) -> None:
        """Note a sign of life of the step.

        Raises:
            StepTimedOut: Its time is over.
        """
        self._seen = _CLOCK()
        if self.due and self.thread in (None, _thread.get_ident()):
            self.raise_it()

    def raise_it(self) -> None:
        """Raise StepTimedOut in the step."""
        self.due = False
        raise StepTimedOut(self.error)

    def settled(self, answer: Any, interruptions: tuple[type[BaseException], ...]) -> Any:
        """Return the answer to an attempt: that of the step, or why it is too late.

        An interruption of the run stays what it is.
        """
        raised = answer.error if isinstance(answer, Raised) else None
        ours = isinstance(raised, StepTimedOut) and self.error in raised.args
        if self.error is None or (isinstance(raised, interruptions) and not ours):
            return answer
        if isinstance(answer, StepResult):
            self.error.result = answer
        elif raised is not None and raised is not self.error:
            # Its traceback shows where the step was.
            self.error.__cause__ = raised
        return Raised(self.error)

    def _ring(self) -> float:
        """Interrupt the step if its time is over; return the seconds until the next look."""
        now = _CLOCK()
        left = self._look(now)
        if left > 0:
            return left
        if not self.due:
            if now < self._again:
                return self._again - now
            self._raise_soon(now)
        if self.interrupt is None:
            return _SELDOM
        self.interrupt()
        self._pause = min(self._pause * 2, _SELDOM)
        return self._pause

    def _look(self, now: float) -> float:
        """Return the seconds that are left; if none are, note why."""
        if self.error is not None:
            return 0.0
        left = self._left(now)
        if left > 0:
            return left
        limits = self._limits
        over = limits.timeout is not None and now - self._began >= limits.timeout
        self.error = too_long(limits) if over else too_silent(limits)
        self._raise_soon(now)
        return 0.0

    def _raise_soon(self, now: float) -> None:
        self.due, self._pause = True, _AGAIN
        self._again = now + self._limits.grace

    def _left(self, now: float) -> float:
        limits = self._limits
        ends: list[float] = []
        if limits.timeout is not None:
            ends.append(self._began + limits.timeout)
        if limits.heartbeat_timeout is not None:
            ends.append(self._seen + limits.heartbeat_timeout)
        return min(ends) - now


def too_long(limits: Limits) -> StepTimeoutError:
    """Return the error for a step that took longer than its timeout."""
    return StepTimeoutError(f"it took longer than its timeout of {limits.timeout:g}s")


def too_silent(limits: Limits) -> StepTimeoutError:
    """Return the error for a step that gave no sign of life for its heartbeat timeout."""
    seconds = f"{limits.heartbeat_timeout:g}s"
    return StepTimeoutError(f"it gave no sign of life for {seconds}, its heartbeat timeout")


@calls_user_code
async def cancelled_late(awaitable: Awaitable[Any], limit: TimeLimit) -> Any:
    """Await something, which is cancelled once the time of `limit` is over.

    Raises:
        StepTimeoutError: It was cancelled for that, and for nothing else.
    """
    import asyncio  # noqa: PLC0415 - only async steps pay for it

    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    before, asked = task.cancelling(), 0

    def cancel() -> None:
        nonlocal asked
        if limit.due:
            limit.due, asked = False, asked + 1
            task.cancel()

    limit.thread, limit.interrupt = _thread.get_ident(), partial(loop.call_soon_threadsafe, cancel)
    try:
        return await awaitable
    except asyncio.CancelledError as error:
        if asked and task.cancelling() - asked <= before and limit.error is not None:
            raise limit.error from error
        raise
    finally:
        limit.interrupt = None
        for _ in range(asked):
            task.uncancel()
