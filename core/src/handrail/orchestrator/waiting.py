"""Waits, in the thread of a blocking run, for the threads and tasks of a group."""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from handrail.orchestrator.lanes import LoopWaiting

if TYPE_CHECKING:
    from handrail.orchestrator.event_loop import EventLoop
    from handrail.orchestrator.interrupts import Interrupts

_LOOK = 0.5  # Seconds after which a wait ends by itself.


class Waiting:
    """Lets a thread wait for others, and for tasks in the event loop of its run.

    A signal ends the wait, and raises nothing: so no answer of a step is lost on its way.

    Args:
        loop: The event loop of the run.

    Attributes:
        heard: True; see `RunningTask`.
    """

    heard = True

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        # Its methods are C code, which a signal handler may call in the middle of one.
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self._in_loop: LoopWaiting | None = None
        self._because: BaseException | None = None

    def wake(self) -> None:
        """End the wait, or the next one; called from any thread, or from a signal handler."""
        self._tokens.put(None)
        if self._in_loop is not None:
            self._in_loop.wake()

    def cancel(self, because: BaseException | None = None) -> None:
        """End the wait, because of a signal, or as the time of the step is over that has this run.

        See `RunningTask`.
        """
        self._because = because or self._because
        self.wake()

    def take(self) -> BaseException | None:
        """Return why the group has to end other than by a signal, once: see `cancel`."""
        because, self._because = self._because, None
        return because

    def wait(self, interrupts: Interrupts, *, in_loop: bool) -> None:
        """Wait until it is woken; return at once when it comes to the loop for the first time.

        Args:
            interrupts: Those of the run.
            in_loop: Whether tasks run in the loop meanwhile.
        """
        if in_loop and self._in_loop is None:
            self._in_loop = LoopWaiting(self._loop.running())
            return
        outer, interrupts.task = interrupts.task, self
        try:
            if interrupts.pending is not None:
                return
            if in_loop and self._in_loop is not None:
                self._loop.run(self._in_loop.wait())
            else:
                # A signal that comes right before the wait is noticed after it.
                with suppress(Empty):
                    self._tokens.get(timeout=_LOOK)
        finally:
            interrupts.task = outer
