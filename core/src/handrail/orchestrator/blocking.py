"""The blocking driver; for a group its thread waits for those of the lanes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

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
    pause,
)
from handrail.engine.group import GroupRun
from handrail.engine.machine import abandon
from handrail.engine.outcome import Doing
from handrail.engine.state import RunState
from handrail.events import Event, InterruptReceived
from handrail.orchestrator.event_loop import EventLoop
from handrail.orchestrator.interrupts import Interrupts, active_interrupts, warn_on_stderr
from handrail.orchestrator.lanes import Lanes, LoopWaiting, commit
from handrail.orchestrator.time_limit import TimeLimit
from handrail.plan.plan import PlannedStep
from handrail.steps import StepResult
from handrail.user_code import calls_user_code
from handrail.wrapper import Layers

_LOOK = 0.5  # Seconds after which a wait ends by itself.
_BROKEN = 100  # Errors from outside of its steps, after which a group is given up.
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
                            answer = self._awaited(answer)
                            answer = answer if line.asking else checked(step, answer)
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
                    answer = self._awaited(answer)  # Any value of a rollback is ignored.
                    answer = answer if isinstance(answer, Raised) else None
                command = send(answer)
        except StopIteration:
            pass
        finally:
            interrupts.undoing = before

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
            if not isinstance(answer.error, KeyboardInterrupt):
                raise answer.error
            # An observer was in the middle of it, so it waits.
            self._interrupts.pending, self._interrupts.raised = answer.error, False

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
