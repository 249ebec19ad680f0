"""Calls user code for the drivers: exceptions are returned as values."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

from handrail.engine.commands import Raised
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
