"""Layers around a step: StepWrapper and the requests that its `around` may yield.

`around` is a generator, so one body serves blocking and async steps: it asks for what it wants
(`Run`, `Undo`, `Sleep`) and whoever drives it does that in its own way. `interpret` is the part
that every driver shares; it calls no user code itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from handrail.errors import InvalidStepError, StepResultError
from handrail.steps import BaseStep, C, StepResult

if TYPE_CHECKING:
    from collections.abc import Awaitable


@dataclass(frozen=True, slots=True)
class Run:
    """Ask for the wrapped step to be run; yields its StepResult, or raises what it raised."""


@dataclass(frozen=True, slots=True)
class Undo:
    """Ask for the last attempt to be undone, so that the next `Run` starts from a clean state."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Ask for a pause of `seconds` that blocks a blocking run and suspends an async one."""

    seconds: float


Request = Run | Undo | Sleep
Around = Generator[Request, StepResult, StepResult]

Forward = TypeVar("Forward", bound=Callable[..., Any])


def _forwards(method: Forward) -> Forward:
    """Mark a method that only passes on to the wrapped step, so that plans can see through it."""
    method.__handrail_forwards__ = True  # type: ignore[attr-defined]
    return method


class StepWrapper(BaseStep[C]):
    """A step around another step; everything is forwarded unless a subclass overrides it.

    Override `around` to do something before, after or instead of the wrapped step, whether that is
    blocking or async. A subclass that overrides `execute` instead is one opaque layer.

    Attributes:
        wrapped: The step inside. A plan may set it anew when it stacks layers.
    """

    def __init__(self, inner: BaseStep[C]) -> None:
        if not isinstance(inner, BaseStep):  # pyright: ignore[reportUnnecessaryIsInstance]
            hint = f" (write {inner.__name__}())" if isinstance(inner, type) else ""
            raise InvalidStepError(f"{type(self).__name__} wraps a step, not {inner!r}{hint}")
        self.wrapped: BaseStep[C] = inner

    if TYPE_CHECKING:
        name: Any
        progress_weight: Any
        effects: bool
        always_run: bool
        final: bool
        data_version: int
    else:
        name = property(lambda self: self.wrapped.name)
        progress_weight = property(lambda self: self.wrapped.progress_weight)
        effects = property(lambda self: self.wrapped.effects)
        always_run = property(lambda self: self.wrapped.always_run)
        final = property(lambda self: self.wrapped.final)
        data_version = property(lambda self: self.wrapped.data_version)

    def around(self, context: C) -> Around:
        """Yield `Run()`, `Undo()` or `Sleep(seconds)`; return the StepResult of the whole layer."""
        return (yield Run())

    def execute(self, context: C) -> StepResult | Awaitable[StepResult]:
        """Run the layer by hand, outside a plan; a plan drives `around` itself."""
        return _driver()(self, context)

    @_forwards
    def can_skip(self, context: C) -> bool | Awaitable[bool]:
        """Ask the wrapped step."""
        return self.wrapped.can_skip(context)

    @_forwards
    def rollback(self, context: C, result: StepResult) -> None | Awaitable[None]:
        """Undo the wrapped step."""
        return self.wrapped.rollback(context, result)

    @_forwards
    def resume(self, context: C, result: StepResult) -> StepResult | Awaitable[StepResult]:
        """Let the wrapped step go on."""
        return self.wrapped.resume(context, result)

    @_forwards
    def restore(self, context: C, result: StepResult) -> None:
        """Let the wrapped step rebuild what it needs."""
        self.wrapped.restore(context, result)

    @_forwards
    def preview(self, context: C) -> str | Iterable[str] | None:
        """Return the preview of the wrapped step."""
        return self.wrapped.preview(context)


ByHand = Callable[[StepWrapper[Any], Any], "StepResult | Awaitable[StepResult]"]
_by_hand: ByHand | None = None


def drive_by_hand_with(driver: ByHand) -> None:
    """Set who runs a wrapper whose `execute` is called directly; the orchestrator does."""
    global _by_hand
    _by_hand = driver


def _driver() -> ByHand:
    if _by_hand is None:
        # Layers may need a clock, which lives with the drivers, above this module.
        importlib.import_module("handrail.orchestrator")
    assert _by_hand is not None
    return _by_hand


@dataclass(slots=True)
class Call:
    """Ask a driver to call `function(*args)`, user code, and to send the value or a `Raised`.

    `inline` calls are short and never block: an async driver makes them in the event loop.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    inline: bool = False


@dataclass(slots=True)
class Attempt:
    """Ask for one execution of `step`, which is no layer; answered by a StepResult or `Raised`."""

    step: BaseStep[Any]


@dataclass(slots=True)
class Revert:
    """Ask for the undo of the last attempt of `step`, which ended as `outcome`."""

    step: BaseStep[Any]
    outcome: StepResult | Raised


@dataclass(slots=True)
class Raised:
    """The answer to a call that raised."""

    error: BaseException


Interpretation = Generator[Call | Attempt | Revert | Sleep, Any, "StepResult | Raised"]


def is_layer(step: object) -> bool:
    """Return whether `step` is a wrapper whose `around` can be driven."""
    return isinstance(step, StepWrapper) and type(step).execute is StepWrapper.execute


def interpret(layer: StepWrapper[Any], context: Any) -> Interpretation:
    """Drive the `around` of `layer` and of the layers inside it, one driver command at a time."""
    generator = yield Call(layer.around, (context,), inline=True)
    if isinstance(generator, Raised):
        return generator
    if not isinstance(generator, Generator):
        return Raised(
            StepResultError(
                f"{type(layer).__name__}.around is not a generator: "
                "it has to yield Run() and return the result"
            )
        )
    around = cast("Generator[Request, Any, StepResult]", generator)
    last: StepResult | Raised = StepResult(success=False, error="not run")
    answer: Any = None
    while True:
        step = _throw(around, answer) if isinstance(answer, Raised) else _send(around, answer)
        request = yield step
        if isinstance(request, Raised):
            return request
        if isinstance(request, _Returned):
            return _checked(layer, request.value)
        answer = None
        if isinstance(request, Run):
            inner = layer.wrapped
            if isinstance(inner, StepWrapper) and is_layer(inner):
                last = yield from interpret(inner, context)
            else:
                last = yield Attempt(inner)
            answer = last
        elif isinstance(request, Undo):
            undone = yield Revert(layer.wrapped, last)
            answer = undone if isinstance(undone, Raised) else None
        elif isinstance(request, Sleep):
            slept = yield request
            answer = slept if isinstance(slept, Raised) else None
        else:
            answer = Raised(
                StepResultError(
                    f"{type(layer).__name__}.around yielded {request!r}; "
                    "it may yield Run(), Undo() or Sleep(seconds)"
                )
            )


@dataclass(slots=True)
class _Returned:
    value: object


def _send(around: Generator[Request, Any, StepResult], value: object) -> Call:
    return Call(_advance, (around.send, value), inline=True)


def _throw(around: Generator[Request, Any, StepResult], raised: Raised) -> Call:
    return Call(_advance, (around.throw, raised.error), inline=True)


def _advance(move: Callable[[Any], Request], value: object) -> Request | _Returned:
    # StopIteration must not cross the generators that carry this answer back.
    try:
        return move(value)
    except StopIteration as stop:
        return _Returned(stop.value)


def _checked(layer: StepWrapper[Any], returned: object) -> StepResult | Raised:
    if isinstance(returned, StepResult):
        return returned
    return Raised(
        StepResultError(
            f"{type(layer).__name__}.around returned {returned!r} instead of a StepResult "
            "(did you forget `return result`?)"
        )
    )
