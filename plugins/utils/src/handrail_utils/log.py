"""LoggingStep: logs an event when a step starts, ends and is undone."""

from __future__ import annotations

from time import perf_counter
from typing import Any, TypeVar

from handrail import Around, BaseStep, BaseStepContext, Run, StepResult, StepWrapper
from handrail.errors import describe

C = TypeVar("C", bound=BaseStepContext, contravariant=True)


class LoggingStep(StepWrapper[C]):
    """Logs the start, the end and the undo of the wrapped step through `context.log`.

    The events have the name of the wrapped step:

    - `step_start {'step'}`
    - `step_end {'step', 'elapsed', 'success', 'skipped'}`, with `elapsed` in seconds, rounded to 3
      decimals; if the step raised, `success` is False and `error` is the message
    - `step_rollback {'step'}`

    If the log itself raises, the error is added to `context.errors` and the step continues.

    Its own name is `logged_<name of the wrapped step>`; both names work as anchors. As a layer
    added by a pack or a project, it does not change the step's name.
    """

    def __init__(self, step: BaseStep[C]) -> None:
        super().__init__(step)

    @property
    def name(self) -> str:
        """`logged_`, followed by the name of the wrapped step."""
        return f"logged_{self.wrapped.name}"

    def around(self, context: C) -> Around:
        step = self.wrapped.name
        log_safely(context, "step_start", {"step": step})
        began = perf_counter()
        try:
            result = yield Run()
        except GeneratorExit:
            raise
        except BaseException as error:
            ended = _ended(step, began, StepResult(success=False))
            log_safely(context, "step_end", {**ended, "error": describe(error)})
            raise
        log_safely(context, "step_end", _ended(step, began, result))
        return result

    def before_rollback(self, context: C) -> None:
        log_safely(context, "step_rollback", {"step": self.wrapped.name})


def log_safely(context: BaseStepContext, event: str, data: dict[str, Any]) -> None:
    """Log an event; if that raises, add the error to `context.errors`.

    A broken log must neither fail a step that succeeded nor prevent an undo.
    """
    try:
        context.log(event, data)
    except Exception as error:  # noqa: BLE001 - see above
        context.errors.append(f"{event} of step '{data['step']}' was not logged: {describe(error)}")


def _ended(step: str, began: float, result: StepResult) -> dict[str, Any]:
    return {
        "step": step,
        "elapsed": round(perf_counter() - began, 3),
        "success": result.success,
        "skipped": result.skipped,
    }
