"""The blocking driver."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

from handrail.engine.abort import Doing, abandon
from handrail.engine.commands import (
    Abreast,
    Attempt,
    Call,
    Commit,
    GoBack,
    Limited,
    Machine,
    Mark,
    NotRun,
    Pause,
    Raised,
    Report,
)
from handrail.engine.guard import checked, guarded, pause, target
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
                    stops = interrupts.pending is not None and type(command) in (Limited, Pause)
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
            answer = guarded(run.listener, command)
            if isinstance(answer, Raised):
                self._put_off(answer.error)
            return None
        # `always_run` steps start even if a signal is pending; they receive it.
        if interrupts.pending is not None and run.outcome is None and self._stops(command):
            kind = Raised if isinstance(command, Mark | Report) else NotRun
            return kind(_taken(interrupts))
        if isinstance(command, Report):
            return guarded(run.progress.reached, command.percent)
        if isinstance(command, Call | Attempt):
            return self._do(command)
        if isinstance(command, Limited | Pause):
            return self._pause_or_limited(command)
        return self._play_group(command) if isinstance(command, Abreast) else None

    def _stops(self, command: Any) -> bool:
        """Return whether an interrupt that is pending stops the run before a command."""
        played = command.command if isinstance(command, Limited) else command
        # A layer may still undo the attempt in which an interrupt was raised.
        clears_up = self._interrupts.raised and isinstance(played, Call)
        return not (self._interrupts.undoing or clears_up)

    def _do(self, command: Call | Attempt) -> Any:
        function, args = target(command, self._run.line.context)
        answer = self._call(function, args)
        return answer if isinstance(command, Call) else checked(command.step, answer)

    def _pause_or_limited(self, command: Limited | Pause) -> Any:
        if isinstance(command, Pause):
            return guarded(pause, command.seconds)
        line, limit = self._run.line, TimeLimit(command.limits)
        line.watched(limit.beat)
        try:
            with self._interrupts.within(limit):
                answer = self._do(command.command)
        finally:
            line.watched(None)
        return limit.settled(answer, self._run.interruptions)

    @calls_user_code
    def _through(self, layers: Layers) -> Any:
        """Play layers to their end, or until an attempt is to be undone; return which."""
        run, context, interrupts = self._run, self._run.line.context, self._interrupts
        # `always_run` steps start even if a signal is pending; they receive it.
        if interrupts.pending is not None and run.outcome is None:
            return NotRun(_taken(interrupts))
        self._called = True
        command: Any = None
        while True:
            kind = cast("type[object]", type(command))
            answer: Any = None
            if command is None:
                answer, layers.answer = layers.answer, None
            elif kind is not Attempt and kind is not Limited and kind is not Pause:
                return command
            elif interrupts.pending is not None and run.outcome is None:
                answer = Raised(_taken(interrupts))
            elif kind is not Attempt:
                answer = self._pause_or_limited(command)
            else:
                try:
                    answer = command.step.execute(context)
                except BaseException as error:  # noqa: BLE001 - the layers decide
                    answer = Raised(error)
                else:
                    if type(answer) is not StepResult:
                        answer = checked(command.step, self._awaited(answer))
            command = layers.move(answer)

    def _play_group(self, command: Abreast) -> Raised | None:
        run, interrupts, loop = self._run, self._interrupts, self._loop
        return BlockingGroup(run, command, interrupts, loop, self._tell).play()

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

    def _call(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        self._called = True
        return self._awaited(guarded(function, *args))

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
