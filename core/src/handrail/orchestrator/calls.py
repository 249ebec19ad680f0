"""How drivers call user code: whatever happens comes back as a value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from handrail.errors import StepResultError
from handrail.steps import BaseStep, StepResult
from handrail.wrapper import Attempt, Call, Raised


def guarded(function: Callable[..., Any], *args: Any) -> Any:
    """Call `function` and return what it returns, or `Raised`."""
    try:
        return function(*args)
    except BaseException as error:  # noqa: BLE001 - the engine decides what each error means
        return Raised(error)


def target(command: Call | Attempt, context: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return what a command wants called, and with what."""
    if isinstance(command, Attempt):
        return command.step.execute, (context,)
    return command.function, command.args


def checked(step: BaseStep[Any], returned: Any) -> Any:
    """Return what `step` returned if it is a StepResult (or `Raised`), else a `Raised` that says so."""
    if isinstance(returned, StepResult | Raised):
        return returned
    name = getattr(step, "name", type(step).__name__)
    if isinstance(returned, Awaitable):
        hint = "; it awaits something else than its own coroutine"
    elif returned is None:
        hint = " (did you forget `return StepResult()`?)"
    else:
        hint = f" (for output: `return StepResult(data=...)`), but {type(returned).__name__}"
    kind = "None" if returned is None else repr(returned)[:80]
    return Raised(StepResultError(f"step '{name}' returned {kind} instead of a StepResult{hint}"))
