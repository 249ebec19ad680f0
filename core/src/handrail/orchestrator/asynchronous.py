"""The asyncio driver: async steps run in the loop, blocking ones in a worker thread."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from handrail.calls import (
    Call,
    Commit,
    GoBack,
    Machine,
    NotRun,
    Pause,
    Raised,
    Report,
    checked,
    guarded,
)
from handrail.engine.group import GroupRun
from handrail.engine.machine import abandon
from handrail.engine.outcome import Doing
from handrail.engine.places import Placed
from handrail.engine.state import INTERRUPTIONS
from handrail.events import Event
from handrail.orchestrator.lanes import Lanes, LoopWaiting, call_of, commit, is_short
from handrail.orchestrator.time_limit import TimeLimit, cancelled_late
from handrail.plan.plan import PlannedStep
from handrail.user_code import calls_user_code
from handrail.wrapper import Layers

if TYPE_CHECKING:
    from handrail.engine.state import RunState

T = TypeVar("T")


class Asynchronous:
    """Drives one run inside a running event loop.

    A cancellation waits for the blocking step in its thread, then the run is undone, shielded, and
    CancelledError is raised after that.
    """

    def __init__(self, run: RunState) -> None:
        self._run = run
        run.in_thread = call_in_thread
        self._called = False
        self._pending: asyncio.CancelledError | None = None
        self._raised = False  # In user code, which may suppress it.
        self._cancellations = 0  # Requests to cancel this task that were noticed.
        self.cancelled: asyncio.CancelledError | None = None

    async def drive(self, machine: Machine) -> None:
        """Play `machine` to its end."""
        self._asked_to_cancel()  # Only later requests are for this run.
        current: Machine | None = machine
        while current is not None:
            command: Any = None
            answer: Any = None
            try:
                command = _advance(current, None)
                while command is not None:
                    answer = None
                    if isinstance(command, GoBack):
                        await self._undo_shielded(command.walk)
                    else:
                        answer = await self._perform(command)
                        self._called = False
                    command = _advance(current, answer)
                current = None
            except BaseException as error:  # noqa: BLE001 - it came between two steps
                # Raised by a signal handler of the program.
                current = abandon(self._run, error, Doing(command, self._called, answer))

    async def _undo_shielded(self, walk: Machine) -> None:
        while True:
            task = asyncio.ensure_future(self._undo(walk))
            try:
                return await _end_of(task, self._cancel)
            except asyncio.CancelledError:
                # A loop that shuts down cancels every task; this one may not have begun.
                if not task.cancelled():
                    raise

    async def _undo(self, walk: Machine) -> None:
        """Play a way back, in which steps are undone, to its end."""
        command = _advance(walk, None)
        while command is not None:
            if isinstance(command, PlannedStep):
                line = self._run.line
                line.context.current_step = command.name
                call = Call(command.step.rollback, (line.context, line.undo_result))
                answer = await self._call(call)
                command = _advance(walk, answer if isinstance(answer, Raised) else None)
            else:
                command = _advance(walk, await self._perform(command))

    async def _perform(self, command: Any) -> Any:
        run, line = self._run, self._run.line
        if isinstance(command, Event):
            return self._tell(command)
        if isinstance(command, Commit):
            assert line.log is not None
            return await self._in_thread(guarded, line.log.commit)
        # `always_run` steps start even after a cancellation.
        # A layer may still undo the attempt in which a cancellation was raised.
        clears_up = self._raised and isinstance(command, Call) and command.step is None
        stops = run.outcome is None and not (run.undoing or clears_up)
        if self._pending is not None and stops:
            pending, self._pending = self._pending, None
            return (Raised if isinstance(command, Report) else NotRun)(pending)
        if isinstance(command, PlannedStep):
            command = call_of(command, line)
        if isinstance(command, Call):
            return await self._do(command)
        if isinstance(command, Report):
            return guarded(run.progress.reached, command.percent)
        if isinstance(command, Pause):
            return await self._call(Call(asyncio.sleep, (command.seconds,), inline=True))
        if isinstance(command, GroupRun):
            return await self._play_lanes(command)
        return await self._through(command)

    async def _do(self, command: Call) -> Any:
        """Make a call, within its limits."""
        line, limit = self._run.line, None
        if command.limits is not None:
            limit = TimeLimit(command.limits)
            limit.thread = None  # Unless it runs in the loop, see `cancelled_late`.
            line.watched(limit.beat)
            limit.start()
        try:
            answer = await self._call(command, limit)
        finally:
            if limit is not None:
                # It waits for its thread, which is not longer than one call takes.
                limit.stop()
                line.watched(None)
        if command.step is not None:
            answer = checked(command.step, answer)
        return answer if limit is None else limit.settled(answer, self._run.interruptions)

    async def _play_lanes(self, group: GroupRun) -> None:
        """Play a group."""
        run, loop = self._run, asyncio.get_running_loop()
        waiting = LoopWaiting(loop)
        lanes = Lanes(run, group, tell=self._tell, wake=waiting.wake, loop=lambda: loop)
        while True:
            pending, self._pending = self._pending, None
            if pending is not None and not lanes.stopping:
                lanes.interrupt(pending)
            lanes.move()
            if lanes.over:
                return
            if logs := lanes.committing:
                lanes.committed(await self._in_thread(commit, run, logs))
            else:
                try:
                    await waiting.wait()
                except asyncio.CancelledError as error:
                    self._asked_to_cancel()  # This request was noticed.
                    self._cancel(error)

    def _tell(self, event: Event) -> None:
        assert self._run.listener is not None
        self._run.listener(event)

    async def _through(self, layers: Layers) -> Any:
        """Play layers to their end, or until an attempt is to be undone; return which."""
        self._called = True
        command = layers.begin()
        while isinstance(command, Call | Pause):
            answer = await self._perform(command)
            command = layers.move(Raised(answer.error) if isinstance(answer, NotRun) else answer)
        return command

    @calls_user_code
    async def _call(self, command: Call, limit: TimeLimit | None = None) -> Any:
        self._called = True
        # An isolated step only makes what is awaited, too.
        placed = isinstance(command.step, Placed) and self._run.line.elsewhere is not None
        if placed or is_short(command):
            answer = guarded(command.function, *command.args)
        else:
            answer = await self._in_thread(guarded, command.function, *command.args)
        if not inspect.isawaitable(answer):
            return answer
        raised: asyncio.CancelledError | None = None
        try:
            found: Any = await (answer if limit is None else cancelled_late(answer, limit))
        except asyncio.CancelledError as error:
            found, raised = Raised(error), error
        except BaseException as error:  # noqa: BLE001 - the engine decides
            found = Raised(error)
        if self._asked_to_cancel(raised=raised is not None) and (raised or self.cancelled is None):
            self._raised = self._raised or raised is not None
            # If none was raised, the step suppressed it.
            self._cancel(raised or asyncio.CancelledError())
        return found

    def _cancel(self, error: asyncio.CancelledError) -> None:
        """Stop the run at the next boundary, because its task was cancelled."""
        self._pending = self.cancelled = error
        self._run.interruptions = (*INTERRUPTIONS, asyncio.CancelledError)

    def _asked_to_cancel(self, *, raised: bool = False) -> bool:
        """Return whether this task was asked to be cancelled since it last noticed that.

        Args:
            raised: Whether CancelledError came: then the request may also be older than the run.
        """
        task = asyncio.current_task()
        if task is None or self._run.undoing:  # An undo has a task of its own.
            return False
        before, self._cancellations = self._cancellations, task.cancelling()
        return self._cancellations > (0 if raised else before)

    async def _in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        return await call_until_stopped(partial(function, *args), self._cancel)


async def call_in_thread(function: Callable[..., None], *args: object) -> None:
    """Call `function` in a thread, for a coroutine.

    A cancellation waits for its end, and is raised after that.
    """
    cancelled: list[asyncio.CancelledError] = []
    try:
        await call_until_stopped(partial(function, *args), cancelled.append)
    except Exception as error:
        if cancelled:
            raise cancelled[-1] from error
        raise
    if cancelled:
        raise cancelled[-1]


async def call_until_stopped(
    function: Callable[[], T], stop: Callable[[asyncio.CancelledError], None]
) -> T:
    """Call `function` in a thread, for a coroutine; a cancellation stops it.

    Args:
        function: What is called; its result or its error is that of this coroutine.
        stop: Called in the loop with each CancelledError, which `function` raises once it stops.
    """
    call = partial(contextvars.copy_context().run, function)
    return await _end_of(asyncio.get_running_loop().run_in_executor(None, call), stop)


async def _end_of(future: asyncio.Future[T], stop: Callable[[asyncio.CancelledError], None]) -> T:
    """Wait for `future` even if this task is cancelled: then `stop` is called.

    Raises:
        CancelledError: The future was cancelled.
    """
    while not future.done():
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError as error:
            if future.cancelled():
                raise
            stop(error)
        except BaseException:  # noqa: BLE001 - read from the future below
            pass
    return future.result()


def _advance(machine: Machine, answer: Any) -> Any:
    """Return the next command, or None at the end."""
    try:
        return machine.send(answer)
    except StopIteration:
        return None
