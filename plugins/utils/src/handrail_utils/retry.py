"""RetryStep: runs a step again when it fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any, TypeVar, cast

from tenacity import RetryCallState, Retrying
from tenacity.retry import retry_any, retry_base, retry_if_exception, retry_if_result
from tenacity.stop import stop_after_attempt, stop_base
from tenacity.wait import wait_base, wait_fixed

from handrail import Around, BaseStep, BaseStepContext, Run, Sleep, StepResult, StepWrapper, Undo
from handrail.errors import HandrailError, InvalidStepError, describe
from handrail_utils.log import log_safely

C = TypeVar("C", bound=BaseStepContext, contravariant=True)

ErrorTypes = type[Exception] | tuple[type[Exception], ...]
RetryOn = ErrorTypes | Callable[[Exception], bool] | retry_base


class AttemptUndoError(HandrailError, RuntimeError):
    """A failed attempt could not be undone, so the step was not tried again.

    `__cause__` is the error of the undo, and its `__context__` the error of the attempt.

    Attributes:
        step: Name of the step.
        attempt: Number of the attempt, from 1.
        error: The error message of the attempt.
        undo_error: The error message of its undo.
    """

    code = "attempt-undo-failed"

    def __init__(self, step: str, attempt: int, error: str, undo_error: Exception) -> None:
        super().__init__(
            f"attempt {attempt} failed: {error}; no further attempt, because its undo failed: "
            f"{describe(undo_error)}"
        )
        self.step = step
        self.attempt = attempt
        self.error = error
        self.undo_error = undo_error


class RetryStep(StepWrapper[C]):
    """Runs the wrapped step again when it fails; each failed attempt is undone before the next.

    The failure of the last attempt is passed on unchanged, and the run undoes that attempt as for
    any failed step. KeyboardInterrupt, SystemExit and cancellation are never retried. Before each
    further attempt it logs `step_retry {'step', 'attempt', 'error', 'wait'}`, with the number of
    the failed attempt (from 1) and the pause in seconds. The status of the step says so too.

    It keeps the name of the wrapped step.

    Args:
        step: The step.
        attempts: The maximum number of attempts, or a tenacity stop strategy.
        wait: Seconds between two attempts, or a tenacity wait strategy.
        retry_on: The errors to retry: exception types, a function of the error that returns a
            bool, or a tenacity retry strategy.
        retry_failed: Whether to retry a result with `success=False` too.

    Raises:
        InvalidStepError: An argument is not valid.
    """

    def __init__(
        self,
        step: BaseStep[C],
        attempts: int | stop_base = 3,
        wait: float | wait_base = 1.0,
        retry_on: RetryOn = (Exception,),
        *,
        retry_failed: bool = True,
    ) -> None:
        super().__init__(step)
        # The first attempt is not a retry.
        self._of = f"/{attempts - 1}" if isinstance(attempts, int) else ""
        on_error = _retry_strategy(retry_on)
        on_result = retry_if_result(_has_failed)
        self._strategy = Retrying(
            stop=_stop_strategy(attempts),
            wait=_wait_strategy(wait),
            retry=retry_any(on_error, on_result) if retry_failed else on_error,
        )

    def around(self, context: C) -> Around:
        step = self.wrapped.name
        state = RetryCallState(self._strategy, None, (), {})
        while True:
            try:
                result = yield Run()
            except Exception as error:
                state.set_exception((type(error), error, error.__traceback__))
                if not self._wants_another(state):
                    raise
                failure = describe(error)
            else:
                state.set_result(result)
                if not self._wants_another(state):
                    return result
                failure = result.error or "it returned success=False without saying why"
            yield from _undo(step, state, failure)
            wait = state.upcoming_sleep
            data = {"step": step, "attempt": state.attempt_number, "error": failure, "wait": wait}
            log_safely(context, "step_retry", data)
            context.set_status(f"retrying {state.attempt_number}{self._of}: {failure}")
            yield Sleep(wait)
            state.idle_for += wait
            state.prepare_for_next_attempt()

    def _wants_another(self, state: RetryCallState) -> bool:
        strategy = self._strategy
        if not strategy.retry(state):
            return False
        # In tenacity's order: some stop strategies consider the next pause.
        state.upcoming_sleep = max(0.0, float(strategy.wait(state)))
        return not strategy.stop(state)


def _undo(step: str, state: RetryCallState, failure: str) -> Generator[Undo, Any, None]:
    try:
        yield Undo()
    except Exception as undo_error:
        outcome = state.outcome
        if outcome is not None and outcome.failed and undo_error.__context__ is None:
            undo_error.__context__ = outcome.exception()
        raise AttemptUndoError(step, state.attempt_number, failure, undo_error) from undo_error


def _has_failed(result: StepResult) -> bool:
    return not result.success


def _stop_strategy(attempts: object) -> stop_base:
    if isinstance(attempts, stop_base):
        return attempts
    if isinstance(attempts, bool) or not isinstance(attempts, int) or attempts < 1:
        raise InvalidStepError(
            f"RetryStep: attempts is a whole number from 1 on or a tenacity stop strategy, "
            f"not {attempts!r}"
        )
    return stop_after_attempt(attempts)


def _wait_strategy(wait: object) -> wait_base:
    if isinstance(wait, wait_base):
        return wait
    if isinstance(wait, int | float) and not isinstance(wait, bool) and 0 <= wait < math.inf:
        return wait_fixed(wait)
    raise InvalidStepError(
        "RetryStep: wait is a number of seconds from 0 on or a tenacity wait strategy, "
        f"not {wait!r}"
    )


def _retry_strategy(retry_on: object) -> retry_base:
    if isinstance(retry_on, retry_base):
        return retry_on
    if callable(retry_on) and not isinstance(retry_on, type):
        return retry_if_exception(cast("Callable[[BaseException], bool]", retry_on))
    types = cast("tuple[object, ...]", retry_on) if isinstance(retry_on, tuple) else (retry_on,)
    kinds: list[type[Exception]] = []
    for kind in types:
        if not isinstance(kind, type) or not issubclass(kind, Exception):
            raise InvalidStepError(
                f"RetryStep: retry_on takes subclasses of Exception or a function of the error, "
                f"not {kind!r}"
            )
        kinds.append(kind)
    return retry_if_exception(lambda error: isinstance(error, tuple(kinds)))
