"""Runs a wrapper whose `execute` is called directly: a unit test, or a wrapper around it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from typing import Any

from handrail.engine.guard import checked, guarded, pause, target
from handrail.engine.rollback_data import ended
from handrail.recording import notes_without_run, run_of
from handrail.steps import StepResult
from handrail.wrapper import (
    Attempt,
    Call,
    Interpretation,
    Raised,
    Revert,
    Sleep,
    StepWrapper,
    interpret,
)


def run_by_hand(wrapper: StepWrapper[Any], context: Any) -> StepResult | Awaitable[StepResult]:
    """Drive the layers of `wrapper`; return its result, or an awaitable once something is async."""
    machine = interpret(wrapper, context)
    command, answer = _next(machine, None)
    while command is not None:
        if isinstance(command, Sleep):
            answer = guarded(pause, command.seconds)
        else:
            answer = _ask(command, context)
            if inspect.isawaitable(answer):
                return _go_on(machine, command, answer, context)
        command, answer = _next(machine, _settled(command, answer, context))
    return _unwrapped(answer)


async def _go_on(
    machine: Interpretation, command: Any, awaitable: Awaitable[Any], context: Any
) -> StepResult:
    import asyncio  # noqa: PLC0415 - only async steps pay for it

    answer: Any = awaitable
    while command is not None:
        try:
            if isinstance(command, Sleep):
                await asyncio.sleep(command.seconds)
                answer = None
            elif inspect.isawaitable(answer):
                answer = await answer
        except BaseException as error:  # noqa: BLE001 - handed to the layer
            answer = Raised(error)
        command, answer = _next(machine, _settled(command, answer, context))
        if command is not None and not isinstance(command, Sleep):
            answer = _ask(command, context)
    return _unwrapped(answer)


def _next(machine: Interpretation, answer: Any) -> tuple[Any, Any]:
    try:
        return machine.send(answer), None
    except StopIteration as stop:
        return None, stop.value


def _ask(command: Call | Attempt | Revert, context: Any) -> Any:
    if isinstance(command, Revert):
        run = run_of(context)
        if run is None:
            command.outcome = ended(command.outcome, notes_without_run(context))
        else:
            command.outcome = run.end_attempt(command.outcome)
        return guarded(command.step.rollback, context, command.outcome)
    function, args = target(command, context)
    return guarded(function, *args)


def _settled(command: Any, answer: Any, context: Any) -> Any:
    if isinstance(command, Attempt):
        return checked(command.step, answer)
    if isinstance(command, Revert) and isinstance(answer, Raised):
        run = run_of(context)
        if run is not None and isinstance(command.outcome, StepResult):
            run.leave_behind(command.outcome)
    return answer


def _unwrapped(answer: StepResult | Raised) -> StepResult:
    if isinstance(answer, Raised):
        raise answer.error
    return answer
