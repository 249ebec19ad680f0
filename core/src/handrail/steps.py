"""The unit of work: BaseStep, its StepResult, and the `step` decorator for plain functions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, cast, overload

from handrail.engine.user_code import calls_user_code
from handrail.errors import InvalidStepError, StepResultError

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from handrail.context import BaseStepContext

    C = TypeVar("C", bound=BaseStepContext, contravariant=True, default=BaseStepContext)
    F = TypeVar("F", bound=BaseStepContext, default=BaseStepContext)
else:
    from typing import TypeVar

    C = TypeVar("C", bound="BaseStepContext", contravariant=True)
    F = TypeVar("F", bound="BaseStepContext")


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class StepResult:
    """What a step has to say for itself.

    Attributes:
        success: Whether the step did its work.
        data: Output for later steps and for the reader of the run.
        error: What went wrong, when `success` is false.
        rollback_data: What `rollback` needs to undo the step.
        skipped: Whether `can_skip` said that there was nothing to do.
        timestamp: When the result was made, in UTC and aware.
    """

    success: bool = True
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    error: str | None = None
    rollback_data: dict[str, Any] = field(default_factory=dict[str, Any])
    skipped: bool = False
    timestamp: datetime = field(default_factory=_now)


if TYPE_CHECKING:

    def _declared() -> Any: ...

else:

    class _declared:  # noqa: N801 - stands for a declaration
        """An attribute that every subclass has to give, as a constant, a property or in `__init__`.

        It defines no `__set__`, so an instance attribute wins. It raises when read on the class
        too, so that a dataclass step does not take it for a default.
        """

        def __set_name__(self, owner, name):
            self.name = name

        def __get__(self, step, owner):
            message = f"{owner.__qualname__} has no {self.name}: give it one, for example "
            example = "'upload_files'" if self.name == "name" else "0.1"
            raise AttributeError(f"{message}`{self.name} = {example}`", name=self.name, obj=step)


class BaseStep(ABC, Generic[C]):
    """One unit of work with a name, a share of the progress, and a way back.

    Subclasses give `name` and `progress_weight` (as class attributes, properties or instance
    attributes) and `execute`; the rest is optional. Any of `execute`, `can_skip`, `rollback` and
    `resume` may be `async def`.

    Attributes:
        name: Identifies the step within its workflow.
        progress_weight: Its share of the progress, relative to the other steps; usually 0.0 to 1.0.
        effects: False for a step that only reads; a dry run really executes those.
        always_run: True for clean-up that closes the plan, also after a failure; never undone.
        final: True for a step that no pack may remove, replace or wrap.
        aliases: Other names that the step answers to as an anchor, such as its former ones.
        data_version: Version of the shape of `rollback_data`; raise it when that shape changes.
    """

    name: Any = _declared()
    progress_weight: Any = _declared()
    effects: bool = True
    always_run: bool = False
    final: bool = False
    aliases: tuple[str, ...] = ()
    data_version: int = 1

    @abstractmethod
    def execute(self, context: C) -> StepResult | Awaitable[StepResult]:
        """Do the work.

        Record what undo needs with `context.record_rollback` before each effect, or return it in
        `StepResult.rollback_data`. To fail, return `StepResult(success=False, error=...)` or raise.
        """

    def can_skip(self, context: C) -> bool | Awaitable[bool]:
        """Say whether there is nothing to do. Must have no effects."""
        return False

    def rollback(self, context: C, result: StepResult) -> None | Awaitable[None]:
        """Undo the step, from `result.rollback_data` alone.

        Called for the failing step first, then for the executed ones in reverse. It may be called
        twice, or for a thing that was recorded but never made.
        """
        return None

    def resume(self, context: C, result: StepResult) -> StepResult | Awaitable[StepResult]:
        """Go on with a step that was interrupted half way; `result` holds what it recorded.

        Unless a step overrides this, what it recorded is rolled back and it executes anew. Raise
        SourceChangedError where what it reads is not what it was, as in `restore`.
        """
        raise NotImplementedError(f"{type(self).__qualname__} does not override resume")

    def restore(self, context: C, result: StepResult) -> None:
        """Rebuild transient things, such as clients, when a run goes on in a new process.

        Has no effects. Raise SourceChangedError where what the step had read is not what it was:
        the run then stops, and nothing is undone. An undo goes on all the same.
        """

    def preview(self, context: C) -> str | Iterable[str] | None:
        """Tell a dry run what `execute` would do, one line each; None means no preview."""
        return None

    def preview_rollback(self, context: C, result: StepResult) -> str | Iterable[str] | None:
        """Say what `rollback` would do with this result, one line each; None means no preview.

        `handrail rollback` shows it before it asks. Has no effects, and takes seconds at most.
        """
        return None

    def __repr__(self) -> str:
        try:
            name = repr(self.name)
        except Exception:  # noqa: BLE001 - it is shown in messages about exactly such steps
            name = "(unnamed)"
        return f"<{type(self).__qualname__} {name}>"


StepFunction = Callable[
    [F],
    "StepResult | Mapping[str, Any] | None | Awaitable[StepResult | Mapping[str, Any] | None]",
]
UndoFunction = Callable[[F, StepResult], "None | Awaitable[None]"]
SkipFunction = Callable[[F], "bool | Awaitable[bool]"]


def _as_result(returned: object, name: str) -> StepResult:
    if returned is None:
        return StepResult()
    if isinstance(returned, StepResult):
        return returned
    if isinstance(returned, Mapping):
        return StepResult(data=dict(returned))  # pyright: ignore[reportUnknownArgumentType]
    raise StepResultError(
        f"step function '{name}' returned {type(returned).__name__}; "
        "it may return None, a dict (which becomes `data`) or a StepResult"
    )


class FunctionStep(BaseStep[F]):
    """A step made from a function by `step`; still callable like that function."""

    def __init__(
        self, function: StepFunction[F], *, name: str, weight: float, effects: bool
    ) -> None:
        self.name = name
        self.progress_weight = weight
        self.effects = effects
        self.function = function
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self._undo: UndoFunction[F] | None = None

    @calls_user_code
    def __call__(self, context: F) -> Any:
        """Call the function itself, as a unit test would."""
        return self.function(context)

    @calls_user_code
    def execute(self, context: F) -> StepResult | Awaitable[StepResult]:
        """Call the function and turn what it returns into a StepResult."""
        returned = self.function(context)
        if isinstance(returned, Awaitable):
            return self._finish(returned)
        return _as_result(returned, self.name)

    @calls_user_code
    async def _finish(
        self, pending: Awaitable[StepResult | Mapping[str, Any] | None]
    ) -> StepResult:
        return _as_result(await pending, self.name)

    @overload
    def rollback(self, context: UndoFunction[F], /) -> UndoFunction[F]: ...
    @overload
    def rollback(self, context: F, result: StepResult) -> None | Awaitable[None]: ...

    @calls_user_code
    def rollback(self, context: Any, result: StepResult | None = None) -> Any:
        """With a function: make it the undo of this step. With context and result: undo."""
        if result is None:
            if not callable(context):
                raise TypeError("use @step_name.rollback on a function of (context, result)")
            function = cast("UndoFunction[F]", context)
            self._undo = function
            return function
        return None if self._undo is None else self._undo(context, result)

    def skip_if(self, function: SkipFunction[F]) -> SkipFunction[F]:
        """Make `function(context)` say whether the step has nothing to do."""
        # An instance attribute, so that a step without one costs no call in the run.
        vars(self)["can_skip"] = function
        return function

    def writes_async(self, methods: Iterable[str]) -> bool:
        """Whether the function or the undo behind one of `methods` is written as `async def`."""
        behind = {"execute": self.function, "rollback": self._undo}
        return any(_is_coroutine_function(behind.get(method)) for method in methods)

    @property
    def has_undo(self) -> bool:
        """Whether a function was given with `@step_name.rollback`."""
        return self._undo is not None


@overload
def step(function: StepFunction[F], /) -> FunctionStep[F]: ...
@overload
def step(
    *, weight: float = ..., name: str | None = ..., effects: bool = ...
) -> Callable[[StepFunction[F]], FunctionStep[F]]: ...


def step(
    function: StepFunction[Any] | None = None,
    /,
    *,
    weight: float = 0.1,
    name: str | None = None,
    effects: bool = True,
) -> Any:
    """Make a step from a function that takes the context.

    The function, plain or `async`, returns None, a dict (which becomes `data`) or a StepResult.
    `@f.rollback` marks its undo, a function of `(context, result)`; `@f.skip_if` its skip check,
    a function of `(context)`.

    Args:
        function: The function, when used as a bare `@step`.
        weight: Share of the progress, relative to the other steps.
        name: Name of the step; the function's own unless given.
        effects: False when the function only reads, so that a dry run may execute it.

    Raises:
        InvalidStepError: `step` was used on something that is not a function.
    """

    def decorate(target: StepFunction[Any]) -> FunctionStep[Any]:
        if not callable(cast("object", target)) or isinstance(target, type):
            raise InvalidStepError(
                f"@step takes a function of the context, not {target!r}",
                ways_out=("for options, use keywords: @step(weight=0.1)",),
            )
        label = name if name is not None else getattr(target, "__name__", "")
        return FunctionStep(target, name=label, weight=weight, effects=effects)

    return decorate if function is None else decorate(function)


def overrides(step: BaseStep[Any], method: str) -> bool:
    """Return whether `step` (or what it wraps) brings a `method` of its own."""
    current: Any = step
    while current is not None:
        own: dict[str, Any] = getattr(current, "__dict__", {})
        cls = cast("Any", type(current))
        found: Any = own.get(method) or getattr(cls, method, None)
        inner = own.get("wrapped")
        forwards = inner is not None and getattr(found, "__handrail_forwards__", False)
        if not forwards and found is not getattr(BaseStep, method):
            return current.has_undo if _is_bare_undo(current, method) else True
        current = inner
    return False


def _is_bare_undo(step: object, method: str) -> bool:
    return method == "rollback" and isinstance(step, FunctionStep)


def is_async(step: BaseStep[Any], method: str | None = None) -> bool:
    """Return whether `method` of `step`, or any method, is written as `async def`.

    It looks through wrappers, at what they forward to.
    """
    methods = ("execute", "can_skip", "rollback", "resume") if method is None else (method,)
    current: Any = step
    while current is not None:
        if any(_is_coroutine_function(getattr(current, each, None)) for each in methods):
            return True
        if isinstance(current, FunctionStep):
            return bool(current.writes_async(methods))  # pyright: ignore[reportUnknownMemberType]
        current = getattr(current, "wrapped", None)
    return False


def _is_coroutine_function(function: object) -> bool:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return bool(code is not None and code.co_flags & 0x80)  # inspect.CO_COROUTINE
