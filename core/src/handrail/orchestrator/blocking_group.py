"""Plays a group for a blocking run, whose thread waits for those of the lanes."""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from handrail.engine.commands import Raised
from handrail.orchestrator.lanes import Lanes, LoopWaiting, commit

if TYPE_CHECKING:
    from collections.abc import Callable

    from handrail.engine.group import GroupRun
    from handrail.engine.state import RunState
    from handrail.events import Event
    from handrail.orchestrator.event_loop import EventLoop
    from handrail.orchestrator.interrupts import Interrupts

_LOOK = 0.5  # Seconds after which a wait ends by itself.
_BROKEN = 100  # Errors from outside of its steps, after which a group is given up.


class BlockingGroup:
    """Plays one group.

    Args:
        run: The run.
        group: What to play.
        interrupts: The interrupts of the run.
        loop: The event loop of the run.
        tell: Passes on an event.
    """

    def __init__(
        self,
        run: RunState,
        group: GroupRun,
        interrupts: Interrupts,
        loop: EventLoop,
        tell: Callable[[Event], None],
    ) -> None:
        self._run = run
        self._interrupts = interrupts
        self._undoing = interrupts.undoing
        self._waiting = Waiting(loop)
        self._asked = False  # Whether it was asked to stop, and is not stopping by itself.
        self._lanes = Lanes(run, group, tell=tell, wake=self._waiting.wake, loop=loop.running)

    def play(self) -> Raised | None:
        """Play it to its end; return why it was left as it is, if so."""
        errors: list[BaseException] = []
        try:
            while True:
                try:
                    left = self._came(errors[-1]) if errors else None
                    return left or self._play()
                except BaseException as error:
                    # Raised by a signal handler of the program: lanes run, and have to end first.
                    errors.append(error)
                    if len(errors) > _BROKEN:
                        raise
        finally:
            self._interrupts.undoing = self._undoing

    def _play(self) -> Raised | None:
        interrupts, waiting, lanes = self._interrupts, self._waiting, self._lanes
        while True:
            error = interrupts.take() or waiting.take()
            left = None if error is None else self._came(error)
            if left is not None:
                return left
            lanes.move()
            if lanes.over:
                return None
            if logs := lanes.committing:
                lanes.committed(commit(self._run, logs))
            else:
                # Once a step has failed the first signal only warns, as in the undo.
                interrupts.undoing = self._undoing or (lanes.stopping and not self._asked)
                waiting.wait(interrupts, in_loop=lanes.awaits)

    def _came(self, error: BaseException) -> Raised | None:
        """Stop the group because of an error from outside; the next Ctrl-C leaves it as it is."""
        lanes, interrupts = self._lanes, self._interrupts
        if not lanes.stopping:
            self._asked = True
            lanes.interrupt(error)
        elif isinstance(error, KeyboardInterrupt):
            if self._asked or interrupts.warned:
                lanes.leave()
                return Raised(error)
            # It came upon the failure of a step, and does as much as one in the undo.
            self._asked = True
            interrupts.warn(error)
        return None


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
