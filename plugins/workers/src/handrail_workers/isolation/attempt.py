"""IsolatedAttempt: one attempt of a step in another process, from the side of the run."""

from __future__ import annotations

import os
import selectors
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from handrail import StepResult
from handrail.errors import HandrailError, StepProcessError, StepTimeoutError
from handrail.frozen import values_of
from handrail.places import calls_user_code, too_long, too_silent
from handrail_workers.processes.connection import framed
from handrail_workers.processes.failures import rebuilt, told
from handrail_workers.processes.helper import Conversation, Helper, ending

if TYPE_CHECKING:
    from handrail import Limits
    from handrail.places import Line

_SETTING_UP = 60.0  # Seconds to import and to restore, which are not counted as the step's time.
_KILLED = 2.0  # Seconds until a helper that does not carry out a kill is killed itself.


HandBack = Callable[["Line", str | None, dict[str, str], list[str]], StepResult | None]


class IsolatedAttempt:
    """Runs one attempt: starts its process, serves it, and stops it when its time is over.

    Args:
        line: The line of the step.
        helper: Starts the process.
        order: All that the process needs to know.
        hand_back: Takes over what the attempt hands back.
    """

    def __init__(
        self, line: Line, helper: Helper, order: Mapping[str, Any], hand_back: HandBack
    ) -> None:
        planned = line.running()
        assert planned is not None
        assert planned.limits is not None
        self._line = line
        self._context = line.context
        self._limits: Limits = planned.limits
        self._helper = helper
        self._hand_back = hand_back
        self._record = line.context.record_rollback_many
        self._sending = bytearray(framed(order))
        self._begun = False
        self._over: float | None = None
        self._silent: float | None = None
        self._kill: float | None = None
        self._killed = False
        self._stopped_by: BaseException | None = None
        self._answer: list[Any] | None = None
        self._asked: BaseException | None = None
        self._woken, self._waker = os.pipe()
        self._waking = threading.Lock()

    def play(self) -> StepResult:
        """Run the attempt to its end, and return its result.

        Raises:
            StepTimeoutError: Its time was over.
            StepProcessError: Its process ended before the step did.
            BaseException: What the step raised.
        """
        self._line.interrupt = self.stop
        try:
            with ExitStack() as files:
                self._conversation = Conversation(self._helper, files, self._hear)
                self._conversation.selector.register(self._woken, selectors.EVENT_READ)
                self._over = time.monotonic() + max(_SETTING_UP, self._limits.timeout or 0.0)
                ended = self._conversation.serve(self._wait, self._look_at_the_clock)
        finally:
            self._line.interrupt = None
            os.close(self._woken)
            with self._waking:
                os.close(self._waker)
                self._waker = -1
        return self._result(ended)

    def stop(self, error: BaseException) -> None:
        """Stop the attempt from another thread; `error` is raised by it."""
        self._asked = error
        with self._waking:
            if self._waker >= 0:
                os.write(self._waker, b"!")

    # The conversation

    def _wait(self) -> set[int]:
        """Send what is to be sent, and wait for something to happen."""
        if self._conversation.talks:
            self._send()
        try:
            ready = {key.fd for key, _ in _wait(self._conversation.selector, self._seconds())}
        except KeyboardInterrupt as error:
            self._stop(error)
            return set()
        if self._woken in ready:
            os.read(self._woken, 16)
            assert self._asked is not None
            self._stop(self._asked)
        return ready

    def _send(self) -> None:
        """Send as much as there is room for."""
        end, events = self._conversation.end, selectors.EVENT_READ
        try:
            while self._sending:
                sent = end.send(self._sending)
                del self._sending[:sent]
        except BlockingIOError:
            events |= selectors.EVENT_WRITE
        except OSError:
            self._sending.clear()
        self._conversation.selector.modify(end, events)

    def _hear(self, message: list[Any]) -> None:
        if message[0] != "write":
            self._silent = self._until(self._limits.heartbeat_timeout)
        try:
            self._take(message)
        except BaseException as error:  # noqa: BLE001 - raised by the step, as if it had called
            self._stop(error)

    def _take(self, message: list[Any]) -> None:
        kind, *rest = message
        if kind == "begins":
            self._begun = True
            self._over = self._until(self._limits.timeout)
            if self._stopped_by is not None:
                self._over = self._silent = None
        elif kind in ("returned", "raised"):
            self._answer = message
            self._over = self._silent = None
            self._kill = self._kill or time.monotonic() + self._limits.grace  # It ends by itself.
        elif kind == "runtime":
            _call(self._context.runtime_ctx, *rest)
        elif kind == "line":
            _call(self._line, *rest)
        elif kind == "write":
            _write(*rest)
        else:
            number, *arguments = rest
            self._sending += framed(self._answered(kind, number, arguments))

    def _answered(self, what: str, number: int, arguments: list[Any]) -> list[Any]:
        """Do what the process asks for; return the answer. What is recorded is durable by then."""
        try:
            if what == "record":
                answer: Any = self._record(*arguments)
            elif what == "run_info":
                answer = values_of(self._line.run_info)
            else:
                answer = getattr(self._line, what)(*arguments)
        except BaseException as error:  # noqa: BLE001 - raised in the step
            if not isinstance(error, Exception):
                self._stop(error)
            return ["raised", number, told(error, {})]
        return ["done", number, answer]

    # Its time

    def _seconds(self) -> float | None:
        """Return the seconds until there is something to do, or None."""
        points = [each for each in (self._over, self._silent, self._kill) if each is not None]
        return max(0.0, min(points) - time.monotonic()) if points else None

    def _until(self, seconds: float | None) -> float | None:
        return None if seconds is None or not self._begun else time.monotonic() + seconds

    def _look_at_the_clock(self, *_: object) -> None:
        now = time.monotonic()
        if self._kill is not None and now >= self._kill:
            self._end_by_force(now)
        elif self._over is not None and now >= self._over:
            self._stop(self._too_long())
        elif self._silent is not None and now >= self._silent:
            self._stop(too_silent(self._limits))

    def _too_long(self) -> BaseException:
        if self._begun:
            return too_long(self._limits)
        waited = max(_SETTING_UP, self._limits.timeout or 0.0)
        return StepTimeoutError(f"its process was not ready within {waited:g}s")

    def _stop(self, error: BaseException) -> None:
        """Interrupt the processes, and kill them after a while; at once if asked again."""
        again = self._stopped_by is not None
        if self._stopped_by is None:
            self._stopped_by = error
        self._over = self._silent = None
        now = time.monotonic()
        if again and isinstance(error, KeyboardInterrupt):
            self._end_by_force(now)
        elif not again:
            self._helper.signal(self._conversation.number, signal.SIGINT)
            self._kill = now + self._limits.grace

    def _end_by_force(self, now: float) -> None:
        if self._killed:
            self._helper.kill()
            self._kill = None
            return
        self._killed = True
        self._helper.signal(self._conversation.number, signal.SIGKILL)
        self._kill = now + _KILLED

    # How it went

    def _result(self, ended: int | None) -> StepResult:
        stopped, answer = self._stopped_by, self._answer
        result: StepResult | None = None
        error: BaseException | None = None
        if answer is not None:
            kind, what, fields, errors = answer
            try:
                result = self._hand_back(
                    self._line, what if kind == "returned" else None, fields, errors
                )
            except HandrailError as problem:
                error = problem
            if kind == "raised":
                error = rebuilt(what)
        kinds = self._line.run.interruptions
        lenient = stopped is None or stopped is self._asked or isinstance(stopped, kinds)
        if isinstance(stopped, StepTimeoutError):
            stopped.result = result  # Returned too late, with data for the undo.
        if error is None and result is not None and lenient:
            return result  # If it was interrupted, it has suppressed that, as any step may.
        if stopped is not None and (error is None or not lenient or isinstance(error, kinds)):
            if isinstance(error, KeyboardInterrupt):
                error = error.__cause__  # Where it was interrupted.
            if error is None or error is stopped:
                raise stopped
            raise stopped from error
        raise error or StepProcessError(f"its process {ending(ended)}")


@calls_user_code
def _wait(selector: selectors.BaseSelector, seconds: float | None) -> list[Any]:
    """Wait for something to happen; Ctrl-C interrupts this."""
    return selector.select(seconds)


@calls_user_code
def _call(owner: object, name: str, *arguments: Any) -> None:
    getattr(owner, name)(*arguments)


@calls_user_code
def _write(name: str, text: str) -> None:
    stream = getattr(sys, name)
    if stream is not None:
        stream.write(text)
        stream.flush()
