"""The blocking driver."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from handrail.engine.abort import Doing, abandon
from handrail.engine.commands import (
    Call,
    Commit,
    GoBack,
    Machine,
    NotRun,
    Pause,
    Raised,
    Report,
)
from handrail.engine.group import GroupRun
from handrail.engine.guard import checked, guarded, pause
from handrail.engine.state import RunState
from handrail.events import Event, InterruptReceived
from handrail.orchestrator.blocking_group import BlockingGroup
from handrail.orchestrator.event_loop import EventLoop
from handrail.orchestrator.interrupts import Interrupts, active_interrupts, warn_on_stderr
from handrail.orchestrator.time_limit import TimeLimit
from handrail.plan.plan import PlannedStep
from handrail.steps import StepResult
from handrail.user_code import calls_user_code
from handrail.wrapper import Layers

_NOT_AWAITABLE = frozenset({StepResult, Raised, bool, type(None)})


class Blocking:
    """Drives one run; a loop is started at the first async step, and kept for the run.

    Attributes:
        interrupted: An interrupt that came too late to change how the run went.
    """

    def __init__(self, run: RunState) -> None:
        self._run = run
        self._called = False
        self._interrupts = active_interrupts() or Interrupts(self._signalled)
        self._loop = EventLoop.of(run, self._interrupts)
        self.interrupted: KeyboardInterrupt | None = None

    def drive(self, opened: Callable[[], Machine], over: Callable[[], None]) -> None:
        """Play the machine of `opened`, then call `over`; signals do not interrupt these two."""
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
        if interrupts.undoing:
            return  # What came in the undo of an outer run is told, and raised, by that one.
        self.interrupted = interrupts.take_late()
        if isinstance(self.interrupted or self._run.failure, KeyboardInterrupt):
            interrupts.pass_on()

    def _drive(self, machine: Machine) -> None:
        current: Machine | None = machine
        try:
            while current is not None:
                try:
                    current = self._play(current)
                except BaseException as error:  # noqa: BLE001 - see `_play`
                    current = abandon(self._run, error, Doing())
        finally:
            self._loop.close(self._run)

    @calls_user_code
    def _play(self, machine: Machine) -> Machine | None:
        """Play `machine`; return its replacement if it is broken off."""
        run = self._run
        line, context = run.line, run.line.context
        interrupts = self._interrupts
        send = machine.send
        command: Any = None
        answer: Any = None
        try:
            command = send(None)
            while True:
                while type(command) is PlannedStep:
                    answer = None
                    # `always_run` steps start even if a signal is pending; see `_perform`.
                    if interrupts.pending is not None and run.outcome is None:
                        command = send(NotRun(_taken(interrupts)))
                        continue
                    context.current_step = command.name
                    try:
                        step = command.step
                        answer = step.can_skip(context) if line.asking else step.execute(context)
                    except BaseException as error:  # noqa: BLE001 - the engine decides
                        answer = Raised(error)
                    else:
                        if type(answer) is not StepResult and not (line.asking and answer is False):
                            answer = self._result(command.step, answer)
                    command = send(answer)
                answer = None
                if type(command) is GoBack:
                    self._undo(command.walk.send)
                else:
                    play = self._through if type(command) is Layers else self._perform
                    answer = play(command)
                self._called = False
                command = send(answer)
        except StopIteration:
            return None
        except BaseException as error:  # noqa: BLE001 - it came between two steps
            # Raised by a signal handler of the program: our own raises in user code only.
            called = self._called or answer is not None
            return abandon(run, error, Doing(command, called, answer))

    @calls_user_code
    def _undo(self, send: Callable[[Any], Any]) -> None:
        """Play a way back, in which steps are undone, to its end."""
        line, context = self._run.line, self._run.line.context
        interrupts = self._interrupts
        before = interrupts.begin_undo()
        try:
            command = send(None)
            while True:
                if type(command) is not PlannedStep:
                    limited = isinstance(command, Call) and command.limits is not None
                    stops = interrupts.pending is not None and (limited or type(command) is Pause)
                    done = Raised(_taken(interrupts)) if stops else self._perform(command)
                    command = send(done)
                    continue
                if interrupts.pending is not None:
                    command = send(Raised(_taken(interrupts)))
                    continue
                context.current_step = command.name
                step: Any = command.step
                try:
                    answer: Any = step.rollback(context, line.undo_result)
                except BaseException as error:  # noqa: BLE001 - the engine decides
                    answer = Raised(error)
                if answer is not None:
                    answer = self._undone(answer)
                command = send(answer)
        except StopIteration:
            pass
        finally:
            interrupts.undoing = before

    def _undone(self, answer: Any) -> Raised | None:
        """Return the error of a rollback; any other value that it returned is ignored."""
        answer = self._awaited(answer)
        return answer if isinstance(answer, Raised) else None

    def _perform(self, command: Any) -> Any:
        run = self._run
        interrupts = self._interrupts
        if isinstance(command, Commit):
            assert run.line.log is not None
            return guarded(run.line.log.commit)
        if isinstance(command, Event):
            assert run.listener is not None
            return self._tell(command)
        # `always_run` steps start even if a signal is pending; they receive it.
        if interrupts.pending is not None and run.outcome is None and self._stops(command):
            kind = Raised if isinstance(command, Report) else NotRun
            return kind(_taken(interrupts))
        if isinstance(command, Report):
            return guarded(run.progress.reached, command.percent)
        if isinstance(command, Call):
            return self._do(command)
        if isinstance(command, GroupRun):
            return BlockingGroup(run, command, interrupts, self._loop, self._tell).play()
        return guarded(pause, command.seconds)

    def _stops(self, command: Any) -> bool:
        """Return whether an interrupt that is pending stops the run before a command."""
        # A layer may still undo the attempt in which an interrupt was raised.
        calls = isinstance(command, Call) and command.step is None
        clears_up = self._interrupts.raised and calls
        return not (self._interrupts.undoing or clears_up)

    def _do(self, command: Call) -> Any:
        if command.limits is None:
            return self._call(command)
        line, limit = self._run.line, TimeLimit(command.limits)
        line.watched(limit.beat)
        try:
            with self._interrupts.within(limit):
                answer = self._call(command)
        finally:
            line.watched(None)
        return limit.settled(answer, self._run.interruptions)

    @calls_user_code
    def _through(self, layers: Layers) -> Any:
        """Play layers to their end, or until an attempt is to be undone; return which."""
        run, interrupts = self._run, self._interrupts
        # `always_run` steps start even if a signal is pending; they receive it.
        if interrupts.pending is not None and run.outcome is None:
            return NotRun(_taken(interrupts))
        self._called = True
        command = layers.begin()
        while isinstance(command, Call | Pause):
            if interrupts.pending is not None and run.outcome is None:
                answer: Any = Raised(_taken(interrupts))
            elif isinstance(command, Pause):
                answer = guarded(pause, command.seconds)
            else:
                answer = self._do(command)
            command = layers.move(answer)
        return command

    def _tell(self, event: Event) -> None:
        assert self._run.listener is not None
        answer = guarded(self._run.listener, event)
        if isinstance(answer, Raised):
            self._put_off(answer.error)

    def _put_off(self, error: BaseException) -> None:
        """Keep an interrupt that an observer was in the middle of; other errors pass through."""
        if not isinstance(error, KeyboardInterrupt):
            raise error
        self._interrupts.pending, self._interrupts.raised = error, False

    def _result(self, step: Any, answer: Any) -> Any:
        answer = self._awaited(answer)
        return answer if self._run.line.asking else checked(step, answer)

    def _call(self, command: Call) -> Any:
        self._called = True
        answer = self._awaited(guarded(command.function, *command.args))
        return answer if command.step is None else checked(command.step, answer)

    def _awaited(self, answer: Any) -> Any:
        # Asking whether something can be awaited takes longer than all the rest of a step.
        if type(answer) in _NOT_AWAITABLE or not inspect.isawaitable(answer):
            return answer
        return self._loop.wait(answer)

    def _signalled(self, name: str, undoing: bool) -> None:
        if self._run.listener is None:
            warn_on_stderr(name, undoing)
        else:
            self._run.listener(InterruptReceived(signal=name, undoing=undoing))


def _taken(interrupts: Interrupts) -> KeyboardInterrupt:
    return interrupts.take() or KeyboardInterrupt()
