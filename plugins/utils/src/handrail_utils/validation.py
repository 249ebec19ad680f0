"""ValidationStep: checks the context before later steps run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

from handrail import BaseStep, BaseStepContext, StepResult
from handrail.errors import InvalidStepError, StepResultError

C = TypeVar("C", bound=BaseStepContext, contravariant=True)

Verdict = tuple[bool, str | None]


class ValidationStep(BaseStep[C]):
    """Stops the workflow if `validator(context)` reports an error.

    Args:
        validator: A function, plain or async, that returns `(ok, error)`; `error` is the message
            if `ok` is False. It must have no effects, because a dry run calls it too.
        name: Name of the step.
        progress_weight: Share of the progress, relative to the other steps.

    Raises:
        InvalidStepError: `validator` cannot be called.
    """

    effects = False

    def __init__(
        self,
        validator: Callable[[C], Verdict | Awaitable[Verdict]],
        name: str = "validate",
        progress_weight: float = 0.05,
    ) -> None:
        if not callable(validator):
            raise InvalidStepError(
                f"ValidationStep takes a function of the context, not {validator!r}"
            )
        self.name = name
        self.progress_weight = progress_weight
        self.validator = validator
        if iscoroutinefunction(validator):
            # On the instance, so that planning recognises this step as async.
            vars(self)["execute"] = self._execute_async

    def execute(self, context: C) -> StepResult | Awaitable[StepResult]:
        verdict = self.validator(context)
        if isinstance(verdict, Awaitable):
            return self._await(verdict)
        return self._judged(verdict)

    async def _execute_async(self, context: C) -> StepResult:
        return await self._await(cast("Awaitable[Verdict]", self.validator(context)))

    async def _await(self, pending: Awaitable[Verdict]) -> StepResult:
        return self._judged(await pending)

    def _judged(self, verdict: object) -> StepResult:
        pair = _pair(verdict)
        if pair is None:
            called = getattr(self.validator, "__qualname__", repr(self.validator))
            raise StepResultError(
                f"the validator {called} returned {repr(verdict)[:80]}; it has to return "
                "(ok, error), such as (True, None) or (False, 'no files')"
            )
        ok, error = pair
        if ok:
            return StepResult()
        return StepResult(success=False, error=str(error or "the validator did not say why"))


def _pair(verdict: Any) -> tuple[Any, Any] | None:
    if isinstance(verdict, tuple | list) and len(cast("Sequence[Any]", verdict)) == 2:
        first, second = cast("Sequence[Any]", verdict)
        return first, second
    return None
