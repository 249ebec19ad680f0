"""The blocking driver."""

from __future__ import annotations

import contextvars
import inspect
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from handrail import wrapper
from handrail.context import BaseStepContext
from handrail.engine.broken_off import Doing, abandon
from handrail.engine.commands import UNDO_BEGINS, Commit, Machine, Mark, NotRun, Report
from handrail.engine.state import RunState
from handrail.errors import AsyncStepError
from handrail.events import Event, InterruptReceived
from handrail.orchestrator.calls import checked, guarded, pause, target
from handrail.orchestrator.interrupts import Interrupts, active_interrupts, warn_on_stderr
from handrail.plan.plan import PlannedStep
from handrail.recording import Recorder
from handrail.steps import StepResult
from handrail.wrapper import Attempt, Call, Raised, Sleep

if TYPE_CHECKING:
    import asyncio


ENGINE = frozenset(
    {
        "handrail.orchestrator.blocking",
        "handrail.orchestrator.calls",
        "handrail.engine.attempt",
        "handrail.engine.broken_off",
        "handrail.engine.closing",
        "handrail.engine.durable",
        "handrail.engine.machine",
        "handrail.engine.outcome",
        "handrail.engine.undo",
        "handrail.engine.rollback",
        "handrail.engine.progress",
        "handrail.engine.state",
        "handrail.wrapper",
        "handrail.context",
        "handrail.journal.run_log",
        "handrail.recording",
    }
)


def running_loop() -> bool:
    """Return whether an asyncio loop runs in this thread, without importing asyncio."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


class Blocking:
    """Drives one run; a loop is started at the first async step, and kept for the run.

    Attributes:
        interrupted: An interrupt that came too late to change how the run went.
    """

    def __init__(self, run: RunState) -> None:
        self._run = run
        self._runner: asyncio.Runner | None = None
        self._called = False
        self._interrupts = active_interrupts() or Interrupts(
            ENGINE, CALLS_USER_CODE, self._signalled
        )
        self.interrupted: KeyboardInterrupt | None = None

    def drive(self, opened: Callable[[], Machine], over: Callable[[], None]) -> None:
        """Play what `opened` returns to its end, then call `over`; no signal interrupts those."""
        interrupts = self._interrupts
        try:
            interrupts.enter(self)
            try:
                self._drive(opened())
            finally:
                over()
            interrupts.leave(self)
        finally:
            interrupts.leave(self)
        self.interrupted = interrupts.take_late()

    def _drive(self, machine: Machine) -> None:
        current: Machine | None = machine
        try:
            while current is not None:
                try:
                    current = self._play(current)
                except BaseException as error:  # noqa: BLE001 - see `_play`
                    current = abandon(self._run, error, Doing())
        finally:
            if self._runner is not None:
                self._runner.close()

    def _play(self, machine: Machine) -> Machine | None:
        """Play `machine`; return what is to be played instead, should it be broken off."""
        run = self._run
        context = run.context
        interrupts = self._interrupts
        send = machine.send
        command: Any = None
        answer: Any = None
        try:
            command = send(None)
            while True:
                while command.__class__ is PlannedStep:
                    answer = None
                    if interrupts.pending is not None:
                        command = send(NotRun(_taken(interrupts)))
                        continue
                    context.current_step = command.name
                    try:
                        answer = command.step.execute(context)
                    except BaseException as error:  # noqa: BLE001 - the engine decides
                        answer = Raised(error)
                    else:
                        if answer.__class__ is not StepResult:
                            answer = self._result(command.step, answer)
                    command = send(answer)
                answer = None
                if command is UNDO_BEGINS:
                    self._undo(send)
                else:
                    answer = self._perform(command)
                self._called = False
                command = send(answer)
        except StopIteration:
            return None
        except BaseException as error:  # noqa: BLE001 - it came between two steps
            # Raised by a signal handler of the program: our own raises in user code only.
            return abandon(run, error, Doing(command, self._called, answer))

    def _undo(self, send: Callable[[Any], Any]) -> None:
        """Call the rollbacks up to the end of the undo."""
        run = self._run
        context = run.context
        interrupts = self._interrupts
        before = interrupts.begin_undo()
        try:
            command = send(None)
            while not isinstance(command, Mark):
                if not isinstance(command, PlannedStep):
                    command = send(self._perform(command))
                elif interrupts.pending is not None:
                    command = send(Raised(_taken(interrupts)))
                else:
                    context.current_step = command.name
                    answer = guarded(command.step.rollback, context, run.undo_result)
                    if answer is not None:
                        answer = self._wait(answer) if inspect.isawaitable(answer) else answer
                        answer = answer if isinstance(answer, Raised) else None
                    command = send(answer)
        finally:
            interrupts.undoing = before

    def _perform(self, command: Any) -> Any:
        run = self._run
        interrupts = self._interrupts
        if isinstance(command, Commit):
            assert run.log is not None
            return guarded(run.log.commit)
        if isinstance(command, Event):
            assert run.listener is not None
            told = guarded(run.listener, command)
            if isinstance(told, Raised):
                self._put_off(told.error)
            return None
        # What always runs is started also when a signal waits; it is delivered in there.
        if interrupts.pending is not None and run.outcome is None and not interrupts.undoing:
            kind = Raised if isinstance(command, Mark | Report) else NotRun
            return kind(_taken(interrupts))
        if isinstance(command, Call | Attempt):
            function, args = target(command, run.context)
            answer = self._call(function, args)
            return checked(command.step, answer) if isinstance(command, Attempt) else answer
        if isinstance(command, Report):
            return guarded(run.reached, command.percent)
        if isinstance(command, Sleep):
            return guarded(pause, command.seconds)
        return None

    def _put_off(self, error: BaseException) -> None:
        """Keep an interrupt that an observer was in the middle of; other errors pass through."""
        if not isinstance(error, KeyboardInterrupt):
            raise error
        self._interrupts.pending = error

    def _result(self, step: Any, answer: Any) -> Any:
        if inspect.isawaitable(answer):
            answer = self._wait(answer)
        return checked(step, answer)

    def _call(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        self._called = True
        answer = guarded(function, *args)
        return self._wait(answer) if inspect.isawaitable(answer) else answer

    def _wait(self, awaitable: Awaitable[Any]) -> Any:
        """Run an awaitable to its end in this run's own loop."""
        if running_loop():
            getattr(awaitable, "close", lambda: None)()
            return Raised(
                AsyncStepError(
                    "an async step cannot run inside a running event loop from execute()",
                    ways_out=("await orchestrator.execute_async() instead",),
                )
            )
        import asyncio  # noqa: PLC0415 - only runs with an async step pay for it

        from handrail.orchestrator.beside import beside  # noqa: PLC0415 - it imports asyncio

        if self._runner is None:
            self._runner = asyncio.Runner()
            self._run.beside = beside
        loop = self._runner.get_loop()
        interrupts = self._interrupts
        task: asyncio.Task[Any] | None = None
        cancelled = False

        def cancel() -> None:
            nonlocal cancelled
            cancelled = True
            if task is not None:
                loop.call_soon_threadsafe(task.cancel)

        async def body() -> Any:
            nonlocal task
            task = asyncio.current_task()
            if cancelled:
                getattr(awaitable, "close", lambda: None)()
                raise asyncio.CancelledError
            return await awaitable

        outer, interrupts.cancel_task = interrupts.cancel_task, cancel
        answer = guarded(_run_in_loop, self._runner, body())
        interrupts.cancel_task = outer
        if not cancelled or not isinstance(answer, Raised):
            return answer
        if isinstance(answer.error, asyncio.CancelledError):
            return Raised(interrupts.take() or answer.error)
        return answer

    def _signalled(self, name: str, undoing: bool) -> None:
        if self._run.listener is None:
            warn_on_stderr(name, undoing)
        else:
            self._run.listener(InterruptReceived(signal=name, undoing=undoing))


def _taken(interrupts: Interrupts) -> KeyboardInterrupt:
    return interrupts.take() or KeyboardInterrupt()


def _run_in_loop(runner: asyncio.Runner, body: Coroutine[Any, Any, Any]) -> Any:
    # Steps see the context variables that the ones before them have set.
    return runner.run(body, context=contextvars.copy_context())


CALLS_USER_CODE = frozenset(
    function.__code__
    for function in (
        Blocking._play,  # pyright: ignore[reportPrivateUsage]
        guarded,
        pause,
        _run_in_loop,
        wrapper.advance,
        *(
            getattr(wrapper.StepWrapper, name)
            for name in ("execute", "can_skip", "rollback", "resume", "restore", "preview")
        ),
        RunState.reached,
        RunState.progressed,
        RunState.measured,
        RunState.logged,
        Recorder.record_many,
        *(getattr(BaseStepContext, name) for name in ("log", "set_progress", "set_metrics")),
    )
)
"""Functions of the engine's modules out of which user code is called."""
