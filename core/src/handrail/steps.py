"""BaseStep, its StepResult, and the `step` decorator for plain functions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Generic, cast, overload

from handrail.errors import InvalidStepError, StepResultError
from handrail.limits import NO_LIMITS, NO_POLICY, Limits, RollbackPolicy, changed_by
from handrail.own_points import html_of
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from typing import Unpack

    from typing_extensions import TypeVar

    from handrail.context import BaseStepContext
    from handrail.limits import StepLimits

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
    """The result of a step.

    Attributes:
        success: Whether the step succeeded.
        data: Output for later steps and for the reports of the run.
        error: The error message if `success` is false.
        rollback_data: The data that `rollback` needs to undo the step.
        skipped: Whether the step was skipped because `can_skip` returned True.
        timestamp: Time of creation, an aware datetime in UTC.
    """

    success: bool = True
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    error: str | None = None
    rollback_data: dict[str, Any] = field(default_factory=dict[str, Any])
    skipped: bool = False
    timestamp: datetime = field(default_factory=_now)

    _repr_html_ = html_of


class _Declared:
    """Placeholder for an attribute that every subclass must define, in the class or `__init__`.

    It defines no `__set__`, so an instance attribute wins. It raises when read on the class too, so
    that a dataclass step does not take it for a default.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, step: object, owner: type) -> Any:
        message = f"{owner.__qualname__} has no {self.name}: give it one, for example "
        example = "'upload_files'" if self.name == "name" else "0.1"
        raise AttributeError(f"{message}`{self.name} = {example}`", name=self.name, obj=step)


class BaseStep(ABC, Generic[C]):
    """One unit of work, with a name, a share of the progress, and an optional undo.

    Subclasses define `name` and `progress_weight` (as class attributes, properties or instance
    attributes) and `execute`; the rest is optional. Any of `execute`, `can_skip`, `rollback` and
    `resume` may be `async def`.

    Attributes:
        name: Identifies the step within its workflow.
        progress_weight: Share of the progress, relative to the other steps; usually 0.0 to 1.0.
        effects: False for a step that only reads; a dry run executes such steps.
        always_run: True for a clean-up step at the end of the plan, which runs after a failure too
            and is never undone.
        final: True for a step that packs cannot remove, replace or wrap.
        aliases: Further names under which the step can be found, such as former names. A run that
            began under one of them goes on under it.
        undo_before: Names of earlier steps whose undo waits for that of this one: while it fails,
            they are not undone, so that nothing refers to what is gone.
        data_version: Version of the format of `rollback_data`; increase it when that changes.
        limits: The limits on each attempt, such as a timeout.
        rollback_policy: The timeout of its undo, and how often that is tried again.
    """

    name: Any = _Declared()
    progress_weight: Any = _Declared()
    effects: bool = True
    always_run: bool = False
    final: bool = False
    aliases: tuple[str, ...] = ()
    undo_before: tuple[str, ...] = ()
    data_version: int = 1
    limits: Limits = NO_LIMITS
    rollback_policy: RollbackPolicy = NO_POLICY

    @abstractmethod
    def execute(self, context: C) -> StepResult | Awaitable[StepResult]:
        """Do the work.

        Record the data that an undo needs with `context.record_rollback` before each effect, or
        return it in `StepResult.rollback_data`. To fail, raise, or return
        `StepResult(success=False, error=...)`. Raise RefusedError if something else is in the way.
        """

    def can_skip(self, context: C) -> bool | Awaitable[bool]:
        """Return whether there is nothing to do. Must have no effects."""
        return False

    def rollback(self, context: C, result: StepResult) -> None | Awaitable[None]:
        """Undo the step, using only `result.rollback_data`.

        Called for the failed step first, then for the executed steps in reverse. It must allow for
        being called twice, and for data that was recorded before an effect that never happened.
        Raise RefusedError, before any effect, if something else is in the way for now: the undo
        stops here, and can be continued later.
        """
        return None

    def resume(self, context: C, result: StepResult) -> StepResult | Awaitable[StepResult]:
        """Continue a step that was interrupted; `result` has the rollback data that it recorded.

        If a step does not override this, the interrupted attempt is rolled back and the step is
        executed again. Raise SourceChangedError if the step's source has changed, as in `restore`,
        or RefusedError if something else is in the way: the run stops, and nothing is undone.
        """
        raise NotImplementedError(f"{type(self).__qualname__} does not override resume")

    def restore(self, context: C, result: StepResult) -> None:
        """Recreate transient objects, such as clients, before a run continues in a new process.

        Must have no effects. Raise SourceChangedError if the data that the step read has changed:
        a resume then stops without undoing anything; a rollback continues.
        """

    def preview(self, context: C) -> str | Iterable[str] | None:
        """Return lines for a dry run that describe what `execute` would do, or None.

        A dry run executes a step with `effects = False`, and asks it for this only behind a step
        with effects, whose results are missing there.
        """
        return None

    def preview_rollback(self, context: C, result: StepResult) -> str | Iterable[str] | None:
        """Return lines that describe what `rollback` would do with this result, or None.

        `handrail rollback` shows them before it asks for confirmation. Must have no effects, and
        take seconds at most.
        """
        return None

    def __repr__(self) -> str:
        try:
            name = repr(self.name)
        except Exception:  # noqa: BLE001 - messages about such steps use this
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
    """A step made from a function by `step`; it can still be called like the function."""

    def __init__(
        self,
        function: StepFunction[F],
        *,
        name: str,
        weight: float,
        effects: bool,
        limits: Limits = NO_LIMITS,
        rollback_policy: RollbackPolicy = NO_POLICY,
        undo_before: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.progress_weight = weight
        self.effects = effects
        self.limits = limits
        self.rollback_policy = rollback_policy
        self.undo_before = undo_before
        self.function = function
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self._undo: UndoFunction[F] | None = None

    @calls_user_code
    def __call__(self, context: F) -> Any:
        """Call the function and return its value unchanged."""
        return self.function(context)

    @calls_user_code
    def execute(self, context: F) -> StepResult | Awaitable[StepResult]:
        """Call the function and convert its return value to a StepResult."""
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
        """Undo the step; or, as the decorator `@step_name.rollback`, register its undo function."""
        if result is None:
            if not callable(context):
                raise TypeError("use @step_name.rollback on a function of (context, result)")
            function = cast("UndoFunction[F]", context)
            self._undo = function
            return function
        return None if self._undo is None else self._undo(context, result)

    def skip_if(self, function: SkipFunction[F]) -> SkipFunction[F]:
        """Register `function(context)` as the skip check; use as `@step_name.skip_if`."""
        # An instance attribute, so that a run makes no call for a step without a skip check.
        vars(self)["can_skip"] = function
        return function

    def writes_async(self, methods: Iterable[str]) -> bool:
        """Return whether the function behind any of `methods` is a coroutine function."""
        behind = {"execute": self.function, "rollback": self._undo}
        return any(_is_coroutine_function(behind.get(method)) for method in methods)

    @property
    def has_undo(self) -> bool:
        """Whether an undo function was registered with `@step_name.rollback`."""
        return self._undo is not None


@overload
def step(function: StepFunction[F], /) -> FunctionStep[F]: ...
@overload
def step(
    *,
    weight: float = ...,
    name: str | None = ...,
    effects: bool = ...,
    undo_before: tuple[str, ...] = ...,
    **limits: Unpack[StepLimits],
) -> Callable[[StepFunction[F]], FunctionStep[F]]: ...


def step(
    function: StepFunction[Any] | None = None,
    /,
    *,
    weight: float = 0.1,
    name: str | None = None,
    effects: bool = True,
    undo_before: tuple[str, ...] = (),
    **limits: Unpack[StepLimits],
) -> Any:
    """Make a step from a function that takes the context.

    The function, plain or `async`, returns None, a dict (which becomes `data`) or a StepResult.
    `@f.rollback` registers its undo, a function of `(context, result)`, and `@f.skip_if` its skip
    check, a function of `(context)`.

    Args:
        function: The function, if used as a bare `@step`.
        weight: Share of the progress, relative to the other steps.
        name: Name of the step; by default, the function's name.
        effects: False if the function only reads, so that a dry run executes it.
        undo_before: Names of earlier steps whose undo waits for this one's.
        **limits: The `Limits` of each attempt: `timeout`, `heartbeat_timeout`, `isolated`, `grace`
            and `memory`; and the `RollbackPolicy`: `rollback_timeout`, `rollback_retries` and
            `rollback_wait`.

    Raises:
        InvalidStepError: The decorated object is not a function, or a limit is not valid.
    """
    own, policy = changed_by(NO_LIMITS, NO_POLICY, limits)

    def decorate(target: StepFunction[Any]) -> FunctionStep[Any]:
        if not callable(cast("object", target)) or isinstance(target, type):
            raise InvalidStepError(
                f"@step takes a function of the context, not {target!r}",
                ways_out=("for options, use keywords: @step(weight=0.1)",),
            )
        label = name if name is not None else getattr(target, "__name__", "")
        return FunctionStep(
            target,
            name=label,
            weight=weight,
            effects=effects,
            limits=own,
            rollback_policy=policy,
            undo_before=undo_before,
        )

    return decorate if function is None else decorate(function)


def overrides(step: BaseStep[Any], method: str) -> bool:
    """Return whether `step`, or a step that it wraps, overrides `method`."""
    return next(_overriding(step, method), None) is not None


def has_own(step: BaseStep[Any], method: str) -> bool:
    """Return whether `rollback` or `resume` of `step`, or of a step that it wraps, does any work.

    That of a layer counts if the author of the step put it there and it says `changes = True`.
    """
    return any(
        inner is None or (layer.changes and layer.__handrail_guest__ is None)
        for layer, inner in _overriding(step, method)
    )


def _overriding(step: BaseStep[Any], method: str) -> Iterator[tuple[Any, Any]]:
    """Yield the layers, from the outermost on, and the step that override `method`.

    Each comes with the step inside, or None.
    """
    current: Any = step
    while current is not None:
        own: dict[str, Any] = getattr(current, "__dict__", {})
        found: Any = own.get(method) or getattr(current.__class__, method, None)
        inner = own.get("wrapped")
        forwards = inner is not None and getattr(found, "__handrail_forwards__", False)
        bare = method == "rollback" and isinstance(current, FunctionStep) and not current.has_undo
        if not forwards and not bare and found is not getattr(BaseStep, method):
            yield current, inner
        current = inner


def undoes_items(step: BaseStep[Any]) -> bool:
    """Return whether an undo takes back items of `step`, as far as its code shows.

    A function of it, or of a step that it wraps, calls `map_items` and names a `rollback`.
    """
    current: Any = step
    while current is not None:
        kinds = takewhile(lambda kind: kind is not BaseStep, type(current).__mro__)
        # Functions only: any other value, such as a client, may answer to every attribute.
        values: Iterable[Any] = (each for kind in kinds for each in vars(kind).values())
        members = [each for each in values if isinstance(each, FunctionType)]
        if issubclass(type(current), FunctionStep):
            members = [current.function]
        if getattr(current, "__handrail_guest__", None) is None and any(map(_maps, members)):
            return True
        current = getattr(current, "wrapped", None)
    return False


def _maps(member: Any) -> bool:
    while hasattr(member, "__wrapped__"):
        member = member.__wrapped__
    codes = [getattr(getattr(member, "__func__", member), "__code__", None)]
    # Plans have many steps, so this makes no further calls for code that maps nothing.
    for code in codes:
        if code is None:
            continue
        # Names of arguments are in tuples, and those in a dict by themselves.
        if not _MAPS.isdisjoint(code.co_names) and any(
            each == "rollback" or (type(each) is tuple and "rollback" in each)
            for each in code.co_consts
        ):
            return True
        codes += [each for each in code.co_consts if each.__class__ is CodeType]
    return False


_MAPS = frozenset({"map_items", "amap_items"})


def is_async(step: BaseStep[Any], method: str | None = None) -> bool:
    """Return whether `method` (by default, any method) of `step` or of a wrapped step is async."""
    methods = ("execute", "can_skip", "rollback", "resume") if method is None else (method,)
    current: Any = step
    while current is not None:
        if any(_is_coroutine_function(getattr(current, each, None)) for each in methods):
            return True
        writes: Callable[[Iterable[str]], bool] | None = getattr(current, "writes_async", None)
        if writes is not None:
            return writes(methods)
        current = getattr(current, "wrapped", None)
    return False


def _is_coroutine_function(function: object) -> bool:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return bool(code is not None and code.co_flags & 0x80)  # inspect.CO_COROUTINE
