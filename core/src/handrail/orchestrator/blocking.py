"""The blocking driver."""

from __future__ import annotations

import inspect
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from handrail.engine.commands import UNDO_BEGINS, Mark, NotRun, Report
from handrail.engine.machine import Machine, abandon
from handrail.errors import AsyncStepError
from handrail.events import Event, InterruptReceived
from handrail.orchestrator.calls import checked, guarded, target
from handrail.orchestrator.interrupts import Interrupts, warn_on_stderr
from handrail.plan.plan import PlannedStep
from handrail.steps import StepResult
from handrail.wrapper import Attempt, Call, Raised, Sleep

if TYPE_CHECKING:
    import asyncio

    from handrail.engine.state import RunState

ENGINE = frozenset(
    {
        "handrail.orchestrator.blocking",
        "handrail.orchestrator.calls",
        "handrail.engine.machine",
        "handrail.engine.rollback",
        "handrail.engine.progress",
        "handrail.engine.state",
        "handrail.wrapper",
        "handrail.context",
    }
)


def running_loop() -> bool:
    """Return whether an asyncio loop runs in this thread, without importing asyncio."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


class Blocking:
    """Drives one run; a loop is started at the first async step, and kept for the run."""

    def __init__(self, run: RunState) -> None:
        self._run = run
        self._runner: asyncio.Runner | None = None
        self._interrupts = Interrupts(ENGINE, _CALLS_USER_CODE, self._signalled)

    def drive(self, machine: Machine) -> None:
        """Play `machine` to its end."""
        with self._interrupts:
            try:
                self._play(machine)
            except BaseException as error:
                # Somebody else's signal handler raised between two steps.
                self._play(abandon(self._run, error))
            finally:
                if self._runner is not None:
                    self._runner.close()

    def _play(self, machine: Machine) -> None:
        run = self._run
        context = run.context
        interrupts = self._interrupts
        send = machine.send
        try:
            command = send(None)
            while True:
                while command.__class__ is PlannedStep:
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
                if command is UNDO_BEGINS:
                    self._undo(send)
                    command = send(None)
                else:
                    command = send(self._perform(command))
        except StopIteration:
            pass

    def _undo(self, send: Callable[[Any], Any]) -> None:
        """Call the rollbacks up to the end of the undo."""
        run = self._run
        context = run.context
        self._interrupts.pending = None
        self._interrupts.undoing = True
        command = send(None)
        while not isinstance(command, Mark):
            if isinstance(command, PlannedStep):
                context.current_step = command.name
                answer = self._call(command.step.rollback, (context, run.undo_result))
                command = send(answer if isinstance(answer, Raised) else None)
            else:
                command = send(self._perform(command))
        self._interrupts.undoing = False

    def _perform(self, command: Any) -> Any:
        run = self._run
        interrupts = self._interrupts
        if isinstance(command, Event):
            assert run.listener is not None
            run.listener(command)
            return None
        if interrupts.pending is not None and not interrupts.undoing:
            kind = Raised if isinstance(command, Mark | Report) else NotRun
            return kind(_taken(interrupts))
        if isinstance(command, Call | Attempt):
            function, args = target(command, run.context)
            answer = self._call(function, args)
            return checked(command.step, answer) if isinstance(command, Attempt) else answer
        if isinstance(command, Report):
            answer = guarded(run.reached, command.percent)
            return answer if isinstance(answer, Raised) else None
        if isinstance(command, Sleep):
            answer = guarded(_sleep, command.seconds)
            return answer if isinstance(answer, Raised) else None
        return None

    def _result(self, step: Any, answer: Any) -> Any:
        if inspect.isawaitable(answer):
            answer = self._wait(answer)
        return checked(step, answer)

    def _call(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        try:
            answer = function(*args)
        except BaseException as error:  # noqa: BLE001 - the engine decides
            return Raised(error)
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

        if self._runner is None:
            self._runner = asyncio.Runner()
        loop = self._runner.get_loop()
        interrupts = self._interrupts
        cancelled = False

        async def body() -> Any:
            task = asyncio.current_task()
            assert task is not None

            def cancel() -> None:
                nonlocal cancelled
                cancelled = True
                loop.call_soon_threadsafe(task.cancel)

            interrupts.cancel_task = cancel
            return await awaitable

        try:
            return self._runner.run(body())
        except asyncio.CancelledError as error:
            interrupt = interrupts.take() if cancelled else None
            return Raised(error if interrupt is None else interrupt)
        except BaseException as error:  # noqa: BLE001 - the engine decides
            return Raised(error)
        finally:
            interrupts.cancel_task = None

    def _signalled(self, name: str, undoing: bool) -> None:
        if self._run.listener is None:
            warn_on_stderr(name, undoing)
        else:
            self._run.listener(InterruptReceived(signal=name, undoing=undoing))


def _taken(interrupts: Interrupts) -> KeyboardInterrupt:
    interrupt = interrupts.take()
    assert interrupt is not None
    return interrupt


def _sleep(seconds: float) -> None:
    # Not time.sleep: a signal that arrives in a C call of this module would count as the engine's.
    threading.Event().wait(seconds) if seconds > 0 else time.sleep(0)


_CALLS_USER_CODE = frozenset(
    function.__code__
    for function in (
        Blocking._play,
        Blocking._call,
        Blocking._wait,
        guarded,
        _sleep,
    )
)
