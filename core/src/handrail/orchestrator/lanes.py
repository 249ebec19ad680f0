"""Plays the lanes of a group for a driver: what they ask for is done side by side.

The machines are moved in one thread only, that of the driver. Blocking code of users is called in a
daemon thread for each lane, so that a step that never returns does not keep the process alive; what
can be awaited becomes a task in the loop of the driver.
"""

from __future__ import annotations

import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from handrail.calls import Call, Commit, NotRun, Pause, Raised, Report, attempt, checked, guarded
from handrail.engine.outcome import Doing
from handrail.errors import AsyncStepError, StepCancelled
from handrail.events import Event
from handrail.frozen import record
from handrail.orchestrator.time_limit import TimeLimit, cancelled_late
from handrail.plan.plan import PlannedStep
from handrail.steps import is_async
from handrail.user_code import calls_user_code
from handrail.wrapper import Layers

if TYPE_CHECKING:
    import asyncio

    from handrail.engine.group import GroupRun, Lane
    from handrail.engine.line import Line
    from handrail.engine.log import RunLog
    from handrail.engine.state import RunState

_WAITING: Any = object()


@record
class Job:
    """One call of user code for a lane.

    Attributes:
        function: What is called.
        args: Its arguments.
        answer: What it returned, or `Raised`, once `over` is set.
        over: Whether it has returned.
        task: The task in which the rest of it is awaited, if there is one.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    answer: Any = None
    over: bool = False
    task: asyncio.Task[Any] | None = None

    def ended(self, answer: Any) -> None:
        """Keep the answer."""
        self.answer, self.over = answer, True


class Worker:
    """A daemon thread that makes the blocking calls of one lane, one after the other.

    Args:
        wake: Tells the driver that a job is over.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        # Steps of a lane see the context variables that the ones before them have set.
        self.variables = contextvars.copy_context()
        self._thread: threading.Thread | None = None
        self._job: Job | None = None
        # Not a semaphore: what is written in Python could stay locked if a signal handler raises.
        self._go: SimpleQueue[None] = SimpleQueue()

    def call(self, job: Job) -> None:
        """Make a call, unless it is being made."""
        if self._thread is None:
            run = self.variables.run
            thread = threading.Thread(target=run, args=(self._run,), name="lane", daemon=True)
            thread.start()
            self._thread = thread
        self._job = job
        self._go.put(None)

    def has(self, job: Job) -> bool:
        """Return whether a call has been handed over; then it is made in any case."""
        if self._job is not job:
            return False
        self._go.put(None)  # The first time it may have been kept from doing so.
        return True

    def end(self) -> None:
        """Let the thread end, once its call returns."""
        self._job = None
        self._go.put(None)

    def _run(self) -> None:
        last: Job | None = None
        while True:
            self._go.get()
            job = self._job
            if job is None:
                return
            if job is not last:
                last = job
                job.ended(guarded(job.function, *job.args))
                self._wake()


@record
class _Playing:
    """A lane that has started, and the command that it waits for.

    Attributes:
        lane: The lane.
        worker: Its thread.
        command: The command that is being performed.
        layers: The layers of the step, while they are played.
        cut_short: Ends the latest pause, once something is put there.
        limit: The time of the attempt that is made, if it is limited.
        job: The call of user code that it waits for.
        answer: What it is moved on with next, unless it waits.
        last: What it was moved on with.
        over: Whether it has come to its end.
    """

    lane: Lane
    worker: Worker
    command: Any = None
    layers: Layers | None = None
    cut_short: SimpleQueue[None] | None = None
    limit: TimeLimit | None = None
    job: Job | None = None
    answer: Any = None
    last: Any = None
    over: bool = False


class Lanes:
    """The lanes of one group, moved by a driver.

    A driver calls `move`, which goes as far as it can; then commits if lanes are `committing`, and
    otherwise waits until it is woken.

    Args:
        run: The run.
        group: What to play.
        tell: Passes on an event.
        wake: Wakes the driver; called from any thread.
        loop: Returns the running or to be run event loop, in which what is awaitable is awaited.
    """

    def __init__(
        self,
        run: RunState,
        group: GroupRun,
        *,
        tell: Callable[[Event], None],
        wake: Callable[[], None],
        loop: Callable[[], asyncio.AbstractEventLoop],
    ) -> None:
        self._run = run
        self._group = group
        self._coming = list(reversed(group.lanes))
        self._limit = group.limit or len(group.lanes)
        self._playing: list[_Playing] = []
        self._committing: list[_Playing] = []
        self._tell = tell
        self._wake = wake
        self._loop = loop

    @property
    def over(self) -> bool:
        """Whether all lanes are over."""
        return not (self._playing or self._coming)

    @property
    def committing(self) -> list[RunLog]:
        """The logs of the lanes that wait for a commit; they share it."""
        return [log for each in self._committing if (log := each.lane.line.log) is not None]

    @property
    def awaits(self) -> bool:
        """Whether a task is running."""
        return any(each.job is not None and each.job.task is not None for each in self._playing)

    def committed(self, answer: Any) -> None:
        """Take the answer to the commit."""
        for playing in self._committing:
            playing.answer = answer
        self._committing = []

    def interrupt(self, error: BaseException) -> None:
        """Stop the group because of an error from outside of its steps."""
        self._group.interrupt(error)
        self._cancel()

    @property
    def stopping(self) -> bool:
        """Whether no lane may start a step any more."""
        return self._group.stopping

    def leave(self) -> None:
        """Let go of the threads of the lanes."""
        for playing in self._playing:
            self._stop_limit(playing)
            playing.worker.end()

    def move(self) -> None:
        """Move all lanes as far as they come without waiting."""
        moved = True
        while moved:
            moved = False
            while self._coming and len(self._playing) < self._limit and not self._group.stopping:
                self._playing.append(_Playing(self._coming[-1], Worker(self._wake)))
                self._coming.pop()
            if self._group.stopping:
                self._coming.clear()
            stopping = self._group.stopping
            for playing in self._playing:
                moved = self._go_on(playing) or moved
            if self._group.stopping and not stopping:
                self._cancel()
            for playing in [each for each in self._playing if each.over]:
                playing.worker.end()
                self._playing.remove(playing)

    def _go_on(self, playing: _Playing) -> bool:
        """Move a lane until it waits; return whether it has moved."""
        moved = False
        try:
            self._collect(playing)
            while playing.answer is not _WAITING and not playing.over:
                moved = True
                answer, playing.answer, playing.last = playing.answer, _WAITING, playing.answer
                try:
                    command = playing.command = playing.lane.machine.send(answer)
                except StopIteration:
                    playing.over = True
                else:
                    self._perform(playing, command)
        except BaseException as error:  # noqa: BLE001 - it came between two steps
            # Raised by a signal handler of the program.
            self._broken_off(playing, error)
        return moved

    def _broken_off(self, playing: _Playing, error: BaseException) -> None:
        job = playing.job
        goes_on = job is not None and (job.over or bool(job.task) or playing.worker.has(job))
        if goes_on or playing.over or playing in self._committing:
            self.interrupt(error)
            return
        playing.job, playing.over = None, True
        self._stop_limit(playing)
        doing = Doing(playing.command, answer=playing.last)
        self._group.broke_off(playing.lane, error, doing)

    def _perform(self, playing: _Playing, command: Any) -> None:
        line = playing.lane.line
        if isinstance(command, Commit):
            self._committing.append(playing)
        elif isinstance(command, Event):
            self._tell(command)
            playing.answer = None
        elif isinstance(command, Report):
            playing.answer = guarded(self._run.progress.reached, command.percent)
        elif self._group.stopping and _starts(command):
            playing.answer = NotRun(self._cancelled(line))
        elif isinstance(command, Layers):
            playing.command = playing.layers = command
            self._call(playing, command.begin)
        else:
            self._start(playing, command)

    def _cancelled(self, line: Line) -> StepCancelled:
        return StepCancelled(line.cancelled or "cancelled")

    def _start(self, playing: _Playing, command: Any) -> None:
        """Start the user code of a command."""
        line = playing.lane.line
        if isinstance(command, PlannedStep):
            command = call_of(command, line)
        playing.command = command
        if isinstance(command, Pause):
            playing.cut_short = SimpleQueue()
            if self._group.stopping:
                playing.cut_short.put(None)
            self._call(playing, _pause, command.seconds, playing.cut_short)
            return
        if command.limits is not None:
            playing.limit = limit = TimeLimit(command.limits)
            limit.thread = None  # Unless it is awaited.
            line.watched(limit.beat)
            limit.start()
        self._call(playing, command.function, *command.args, inline=is_short(command))

    def _stop_limit(self, playing: _Playing) -> TimeLimit | None:
        limit, playing.limit = playing.limit, None
        if limit is not None:
            limit.stop()
            playing.lane.line.watched(None)
        return limit

    def _call(
        self, playing: _Playing, function: Callable[..., Any], *args: Any, inline: bool = False
    ) -> None:
        job = Job(function, args)
        playing.job = job
        if inline:
            job.ended(playing.worker.variables.copy().run(guarded, function, *args))
        else:
            playing.worker.call(job)

    def _move_layers(self, playing: _Playing, answer: Any) -> None:
        """Move the layers of a step on; that is code of theirs, too."""
        assert playing.layers is not None
        playing.command = playing.layers
        self._call(playing, playing.layers.move, answer)

    def _collect(self, playing: _Playing) -> None:
        """Take the answer of user code that is over."""
        while (job := playing.job) is not None and job.over:
            answer = job.answer
            if inspect.isawaitable(answer):
                self._await(playing, job, answer)
                return
            if self._group.stopping and job.task is not None and is_cancelled(answer):
                answer = Raised(self._cancelled(playing.lane.line))
            # Both at once: a signal handler that raises in between would lose the answer.
            playing.last, playing.job = answer, None
            self._take(playing, answer)

    def _take(self, playing: _Playing, answer: Any) -> None:
        command, layers = playing.command, playing.layers
        if isinstance(command, Call) and command.step is not None:
            answer = checked(command.step, answer)
        limit = self._stop_limit(playing)
        if limit is not None:
            answer = limit.settled(answer, self._run.interruptions)
        if layers is None:
            playing.answer = answer
        elif command is not layers:
            self._move_layers(playing, answer)
        elif not isinstance(answer, Call | Pause):
            playing.layers, playing.answer = None, answer
        elif self._group.stopping:
            self._move_layers(playing, Raised(self._cancelled(playing.lane.line)))
        else:
            self._start(playing, answer)

    def _await(self, playing: _Playing, job: Job, awaitable: Any) -> None:
        """Await what a call has returned, in a task."""
        try:
            loop = self._loop()
        except AsyncStepError as error:
            getattr(awaitable, "close", lambda: None)()
            job.ended(Raised(error))
            self._wake()
            return

        def ended(task: asyncio.Task[Any]) -> None:
            if task.cancelled():  # Before it began.
                getattr(awaitable, "close", lambda: None)()
                job.ended(Raised(StepCancelled(playing.lane.line.cancelled or "cancelled")))
            else:
                job.ended(task.result())
            self._wake()

        task = loop.create_task(
            _awaited(awaitable, playing.limit), context=playing.worker.variables.copy()
        )
        job.task, job.over = task, False
        task.add_done_callback(ended)
        if self._group.stopping:
            task.cancel()

    def _cancel(self) -> None:
        """Cancel all that waits or can be cancelled."""
        for playing in self._playing:
            if playing.cut_short is not None:
                playing.cut_short.put(None)
            job = playing.job
            if job is not None and job.task is not None and not job.over:
                job.task.cancel()
            elif (interrupt := playing.lane.line.interrupt) is not None:
                interrupt(self._cancelled(playing.lane.line))


@calls_user_code
def _pause(seconds: float, cut_short: SimpleQueue[None]) -> None:
    with suppress(Empty):
        cut_short.get(timeout=max(seconds, 0))
        raise StepCancelled("cancelled")


@calls_user_code
async def _awaited(awaitable: Awaitable[Any], limit: TimeLimit | None) -> Any:
    try:
        if limit is None:
            return await awaitable
        return await cancelled_late(awaitable, limit)
    except BaseException as error:  # noqa: BLE001 - the engine decides
        return Raised(error)


def call_of(planned: PlannedStep, line: Line) -> Call:
    """Begin a step without layers and limits: return the call of its `can_skip`, or of itself."""
    step, context = planned.step, line.context
    context.current_step = planned.name
    return Call(step.can_skip, (context,)) if line.asking else attempt(step, context)


def is_short(call: Call) -> bool:
    """Return whether a call is short, or only makes what is awaited: so in a loop it is made."""
    function: Any = call.function
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if call.step is not None:
        return is_async(call.step, "execute" if len(call.args) == 1 else "resume")
    if owner is not None and name in ("can_skip", "rollback"):
        return is_async(owner, name)
    return call.inline or inspect.iscoroutinefunction(function)


def _starts(command: Any) -> bool:
    """Return whether a command starts a step, or an attempt of one."""
    attempts = isinstance(command, Call) and command.step is not None
    return attempts or isinstance(command, PlannedStep | Layers)


def is_cancelled(answer: Any) -> bool:
    """Return whether what was awaited was cancelled."""
    import asyncio  # noqa: PLC0415 - only where something was awaited

    return isinstance(answer, Raised) and isinstance(answer.error, asyncio.CancelledError)


class LoopWaiting:
    """Lets a coroutine wait for threads and tasks. `wake` may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        from asyncio import Event as Woken  # noqa: PLC0415 - only where there is a loop

        self._loop = loop
        self._woken = Woken()

    def wake(self) -> None:
        """End the wait, or the next one."""
        with suppress(RuntimeError):  # A thread that was left behind ends after the loop.
            self._loop.call_soon_threadsafe(self._woken.set)

    async def wait(self) -> None:
        """Wait until it is woken."""
        await self._woken.wait()
        self._woken.clear()


def commit(run: RunState, logs: Iterable[RunLog]) -> Any:
    """Write the notes of lanes in one commit; return None or `Raised`."""
    assert run.line.log is not None
    return guarded(run.line.log.commit, logs)
