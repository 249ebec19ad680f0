"""The step API under the SDK's names: Handrail's own classes, with what the SDK's have beside them.

A step, a registry or a context of these classes is one of Handrail's, so packs, plans, journals and
the undo treat them like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any

import handrail
import handrail_utils
from handrail import StepResult
from handrail.inspection import run_of
from handrail_synapse.loggers import HandrailLogger, for_run, run_is_told, told_of_the_whole
from handrail_synapse.messages import LogLevel, level_of, resolved
from handrail_synapse.runtime import takes

if TYPE_CHECKING:
    from handrail_synapse.messages import Message

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    C = TypeVar(
        "C",
        bound=handrail.BaseStepContext,
        contravariant=True,
        default=handrail.BaseStepContext,
    )
    R = TypeVar("R", bound=handrail.BaseStepContext, default=handrail.BaseStepContext)
else:
    from typing import TypeVar

    C = TypeVar("C", bound=handrail.BaseStepContext, contravariant=True)
    R = TypeVar("R", bound=handrail.BaseStepContext)

__all__ = [
    "BaseStep",
    "BaseStepContext",
    "LoggingStep",
    "Orchestrator",
    "StepRegistry",
    "StepResult",
    "TimingStep",
    "ValidationStep",
]


class BaseStep(handrail.BaseStep[C]):
    """A step; see `handrail.BaseStep`.

    Attributes:
        progress_proportion: Percent of the progress of the job, or 0; the steps that have one are
            what `StepRegistry.get_step_proportions` returns.
    """

    progress_proportion: Any = 0


class LoggingStep(handrail_utils.LoggingStep[C], BaseStep[C]):
    """Logs the start, the end and the undo of a step; see `handrail_utils.LoggingStep`."""


class TimingStep(handrail_utils.TimingStep[C], BaseStep[C]):
    """Adds the duration of a step to its result; see `handrail_utils.TimingStep`."""


class ValidationStep(handrail_utils.ValidationStep[C], BaseStep[C]):
    """Stops the workflow if a validator says so; see `handrail_utils.ValidationStep`."""


@dataclass
class BaseStepContext(handrail.BaseStepContext):
    """The state that the steps of a run share."""

    if not TYPE_CHECKING:

        @property
        def current_step(self):
            """Name of the running step, or None; a logger of the SDK's kind is told each one."""
            return self.__dict__.get("current_step")

        @current_step.setter
        def current_step(self, name):
            self.__dict__["current_step"] = name
            logger = getattr(self.runtime_ctx, "logger", None)
            tell = getattr(logger, "set_step", None)
            if not callable(tell):
                return
            if isinstance(logger, HandrailLogger):
                logger.run = partial(run_of, self)
            if name is not None and takes(tell, "order"):
                tell(name, order=self.current_step_order)
            else:
                tell(name)

    @property
    def current_step_order(self) -> int | None:
        """Place of the running step in the workflow, from 0; None between steps."""
        if self.current_step is None:
            return None
        run = run_of(self)
        return self.__dict__.get("_order") if run is None else run.position

    def _set_current_step(self, step_name: str | None, order: int | None = None) -> None:
        """Do what a run does before a step, in a test of a single step."""
        self.__dict__["_order"] = order
        self.current_step = step_name

    def log(
        self,
        event: str,
        data: Mapping[str, Any],
        file: str | None = None,
        level: LogLevel = LogLevel.INFO,
    ) -> None:
        """Log an event with its data."""
        with run_is_told():
            if takes(self.runtime_ctx.log, "level"):
                self.runtime_ctx.log(event, data, file, level=level)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
            else:
                self.runtime_ctx.log(event, data, file)
        self._tell_run(event, data, file)

    def _tell_run(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        run = run_of(self)
        if run is not None:
            run.logged(event, data, file)

    def log_message(
        self,
        message: Message,
        level: LogLevel = LogLevel.INFO,
        *,
        context: LogLevel | str | None = None,
        **values: Any,
    ) -> None:
        """Log a message for the user, with `values` in the place of its fields.

        Args:
            message: A text, texts by language, or a code that was registered with its texts.
            level: The level; that of a code wins.
            context: Another name of the level.
            **values: What stands for the `{fields}` of the text.
        """
        level = level_of(context, level)
        text, said, key = resolved(message, level, _language_of(self.runtime_ctx), values)
        data = {"content": text, **({"key": key} if key else {})}
        tell = getattr(self.runtime_ctx, "log_message", None)
        with run_is_told():
            if callable(tell):
                tell(message, level, step=self.current_step, **values)
            else:
                self.runtime_ctx.log("message", {"context": said.value, **data})
        self._tell_run(*for_run(said, data))

    def set_progress(  # type: ignore[override]
        self,
        current: float,
        total: float,
        step: str | None = None,
        *,
        category: str | None = None,
    ) -> None:
        """Report progress within a step, by default the running one."""
        super().set_progress(current, total, category if step is None else step)

    def set_metrics(  # type: ignore[override]
        self, value: Mapping[str, Any], step: str | None = None, *, category: str | None = None
    ) -> None:
        """Report measured values of a step, by default the running one.

        Raises:
            ValueError: No step was given, and none is running.
        """
        named = category if step is None else step
        if named is None and self.current_step is None:
            raise ValueError(
                "no step is running: step must be provided (or category must be provided)"
            )
        super().set_metrics(value, named)


def _language_of(runtime: Any) -> str | None:
    speaks = getattr(runtime, "speaks", None)
    return speaks() if isinstance(speaks, MethodType) else None


class StepRegistry(handrail.StepRegistry[R]):
    """The ordered list of steps, with the SDK's names of the arguments."""

    def insert_before(  # type: ignore[override]
        self, before_name: str, step: handrail.BaseStep[R], **options: Any
    ) -> None:
        """Insert a step before the step `before_name`; see `handrail.StepRegistry`."""
        super().insert_before(before_name, step, **options)

    def insert_after(  # type: ignore[override]
        self, after_name: str, step: handrail.BaseStep[R], **options: Any
    ) -> None:
        """Insert a step after the step `after_name`; see `handrail.StepRegistry`."""
        super().insert_after(after_name, step, **options)

    @property
    def _steps(self) -> list[handrail.BaseStep[R]]:
        """The steps, for the tests of plugins that look at them."""
        return self.get_steps()

    def get_step_orders(self) -> dict[str, int]:
        """Return the place of each step, from 0, by its name."""
        return {step.name: place for place, step in enumerate(self.get_steps())}

    def get_step_proportions(self) -> dict[str, int]:
        """Return the `progress_proportion` of each step that has one, by its name."""
        shares = {step.name: getattr(step, "progress_proportion", 0) for step in self.get_steps()}
        return {name: share for name, share in shares.items() if share > 0}


class Orchestrator(handrail.Orchestrator[R]):
    """Runs the steps of a registry; see `handrail.Orchestrator`.

    Args:
        registry: The steps.
        context: Their shared context.
        progress_callback: Called as `callback(percent, 100)`.
        before_step: Called as `before_step(name, context)` before each step, and before it is asked
            whether it can be skipped.
        **options: Those of `handrail.Orchestrator`.
    """

    def __init__(
        self,
        registry: handrail.StepRegistry[R],
        context: R,
        progress_callback: Callable[[int, int], object] | None = None,
        before_step: Callable[[str, R], object] | None = None,
        **options: Any,
    ) -> None:
        if before_step is not None:
            registry = _announced(registry, before_step)
        if progress_callback is not None:
            progress_callback = told_of_the_whole(progress_callback)
        super().__init__(registry, context, progress_callback, **options)


class _Announced(handrail.StepWrapper[Any]):
    """Calls a function before a step is asked whether it can be skipped."""

    def __init__(self, inner: handrail.BaseStep[Any], tell: Callable[[str, Any], object]) -> None:
        super().__init__(inner)
        self._tell = tell

    def can_skip(self, context: Any) -> Any:
        self._tell(self.wrapped.name, context)
        return self.wrapped.can_skip(context)


def _announced(
    registry: handrail.StepRegistry[R], tell: Callable[[str, R], object]
) -> handrail.StepRegistry[R]:
    told: StepRegistry[R] = StepRegistry()
    for step in registry.get_steps():
        told.register(_Announced(step, tell))
    return told
