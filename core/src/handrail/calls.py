"""What the engine asks of its driver, and how code of users is called for it.

The command for a plain step is the `PlannedStep` itself: while going forward it means "execute it",
and is answered by a StepResult or `Raised`; while `Line.asking` it means "ask its `can_skip`".
Exceptions are returned as values, and a wrapper can be played by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Generator
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from handrail.context import notes_without_run, run_of
from handrail.errors import StepResultError
from handrail.frozen import frozen, record
from handrail.rollback_data import ended
from handrail.steps import BaseStep, StepResult
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from handrail.limits import Limits

Machine = Generator[Any, Any, None]
"""A run that is played: it yields commands, and is sent answers."""


@record
class GoBack:
    """Play `walk` to its end, even if the run is cancelled; answered by None.

    In `walk`, a `PlannedStep` means "call its rollback with `Line.undo_result`"; it is answered by
    None or `Raised`. The driver plays it directly, not through the requesting machine: passing a
    command up through three generators costs as much as the rest of an undo.
    """

    walk: Machine


@frozen(kw_only=False)
class Commit:
    """Ask the driver to commit the log; answered by None or `Raised`, interrupts wait."""


COMMIT = Commit()


@frozen(kw_only=False)
class Report:
    """Ask the driver to report that the run has come to `percent`.

    It is answered by None, or by `Raised`, also if an interrupt is pending.
    """

    percent: int


CHECK = Report(0)
"""Comes after the last ordinary step, where nothing is to be reported."""


@record
class Call:
    """Ask a driver to call `function(*args)`, user code, and to send the value or a `Raised`.

    Attributes:
        function: What to call.
        args: Its arguments.
        step: The step of which this is an attempt, if it is: then the answer is a StepResult or
            `Raised`.
        limits: Within which to do it. Once its time is over it is interrupted as far as the driver
            can, and the answer is a `Raised` with a StepTimeoutError, however it ended.
        inline: Whether it is short and never blocks: an async driver makes it in the event loop.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    step: BaseStep[Any] | None = None
    limits: Limits | None = None
    inline: bool = False


def attempt(
    step: BaseStep[Any],
    context: Any,
    resumed: StepResult | None = None,
    limits: Limits | None = None,
) -> Call:
    """Return the command for one attempt of a step, which is not a layer.

    Args:
        step: The step.
        context: Its context.
        resumed: The record of an interrupted attempt, to be continued.
        limits: The limits of the attempt.
    """
    if resumed is None:
        return Call(step.execute, (context,), step, limits)
    return Call(step.resume, (context, resumed), step, limits)


@record
class Revert:
    """Ask for the undo of the last attempt of `step`, which ended as `outcome`."""

    step: BaseStep[Any]
    outcome: StepResult


@frozen(kw_only=False)
class Pause:
    """Ask for a pause of `seconds`; a driver of async steps suspends, others block."""

    seconds: float


@record
class Raised:
    """The answer to a call that raised.

    `left` is rollback data that a step has returned before a layer around it raised.
    """

    error: BaseException
    left: dict[str, Any] | None = None


@record
class NotRun:
    """The answer to a step that was not started, because `error` came first."""

    error: BaseException


@calls_user_code
def guarded(function: Callable[..., Any], *args: Any) -> Any:
    """Call `function` and return its result, or `Raised`."""
    try:
        return function(*args)
    except BaseException as error:  # noqa: BLE001 - the engine decides what each error means
        return Raised(error)


@calls_user_code
def pause(seconds: float) -> None:
    """Wait for `seconds`; a signal may cut it short."""
    # Not time.sleep: a signal that arrives in a C call of this module counts as the engine's.
    threading.Event().wait(max(seconds, 0))


def checked(step: BaseStep[Any], returned: Any) -> Any:
    """Return `returned` if it is a StepResult or `Raised`, otherwise a `Raised` with the reason."""
    if isinstance(returned, StepResult | Raised):
        return returned
    try:
        name = str(step.name)
        shown = repr(returned)[:80]
    except Exception:  # noqa: BLE001 - a message must not fail over its subject
        name, shown = type(step).__name__, f"a {type(returned).__name__}"
    if isinstance(returned, Awaitable):
        hint = "; it awaits something else than its own coroutine"
    elif returned is None:
        hint = " (did you forget `return StepResult()`?)"
    else:
        hint = " (for output: `return StepResult(data=...)`)"
    return Raised(StepResultError(f"step '{name}' returned {shown} instead of a StepResult{hint}"))


# A wrapper whose `execute` is called directly: by a unit test, or by an outer wrapper.


def play_alone(layers: Any, context: Any) -> StepResult | Awaitable[StepResult]:
    """Play the layers of a step; return the result, or an awaitable once something is async."""
    playing = _playing(layers, context)
    try:
        awaitable = next(playing)
    except StopIteration as stop:
        return _result(stop.value)
    return _play_async(playing, awaitable)


@calls_user_code
async def _play_async(playing: _Playing, awaitable: Awaitable[Any]) -> StepResult:
    while True:
        try:
            answer = await awaitable
        except BaseException as error:  # noqa: BLE001 - handed to the layer
            answer = Raised(error)
        try:
            awaitable = playing.send(answer)
        except StopIteration as stop:
            return _result(stop.value)


_Playing = Generator[Awaitable[Any], Any, "StepResult | Raised"]


def _playing(layers: Any, context: Any) -> _Playing:
    """Execute the commands of `layers`; yield awaitables, and be sent their results."""
    is_async = False
    command = layers.begin()
    while True:
        if isinstance(command, StepResult | Raised):
            return command
        answer = _answer(command, context, is_async=is_async)
        if isawaitable(answer):
            is_async = True
            answer = yield answer
        if isinstance(command, Call):
            answer = answer if command.step is None else checked(command.step, answer)
        elif isinstance(command, Revert):
            if not isinstance(answer, Raised):
                answer = None
            elif (run := run_of(context)) is not None:
                run.leave_behind(command.outcome)
        command = layers.move(answer)


def _answer(command: Call | Revert | Pause, context: Any, *, is_async: bool) -> Any:
    if isinstance(command, Pause):
        if is_async:
            import asyncio  # noqa: PLC0415 - only async steps pay for it

            return asyncio.sleep(command.seconds)
        return guarded(pause, command.seconds)
    if isinstance(command, Revert):
        run = run_of(context)
        if run is None:
            command.outcome = ended(command.outcome, notes_without_run(context))
        else:
            command.outcome = run.end_attempt(command.outcome)
        return guarded(command.step.rollback, context, command.outcome)
    return guarded(command.function, *command.args)


def _result(answer: StepResult | Raised) -> StepResult:
    if isinstance(answer, Raised):
        raise answer.error
    return answer
