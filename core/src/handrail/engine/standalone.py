"""Plays a wrapper whose `execute` is called directly: by a unit test, or by an outer wrapper."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from inspect import isawaitable
from typing import Any

from handrail.context import notes_without_run, run_of
from handrail.engine.commands import Call, Pause, Raised, Revert
from handrail.engine.guard import checked, guarded, pause
from handrail.engine.rollback_data import ended
from handrail.steps import StepResult
from handrail.user_code import calls_user_code


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
