"""Calls user code: exceptions are returned as values, and a wrapper can be played by itself."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Generator
from inspect import isawaitable
from typing import Any

from handrail.context import notes_without_run, run_of
from handrail.engine.commands import Call, Pause, Raised, Revert
from handrail.engine.rollback_data import ended
from handrail.errors import StepResultError
from handrail.steps import BaseStep, StepResult
from handrail.user_code import calls_user_code


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
