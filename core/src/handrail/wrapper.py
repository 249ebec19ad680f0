"""Layers around a step: StepWrapper and the requests that its `around` may yield.

`around` is a generator, so one body serves blocking and async steps: it asks for what it wants
(`Run`, `Undo`, `Sleep`), and each driver does that in its own way. `interpret` is the part that all
drivers share; it calls no user code itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, cast

from handrail.engine.commands import Attempt, Call, Interpretation, Pause, Raised, Revert
from handrail.engine.user_code import calls_user_code
from handrail.errors import InvalidStepError, StepResultError, describe
from handrail.steps import BaseStep, C, StepResult

if TYPE_CHECKING:
    from collections.abc import Awaitable


@dataclass(frozen=True, slots=True)
class Run:
    """Ask for the wrapped step to be run; yields its StepResult, or raises what it raised."""


@dataclass(frozen=True, slots=True)
class Undo:
    """Ask for the last attempt to be undone, so that the next `Run` starts from a clean state.

    Raises what the undo raised; what that attempt left behind is then undone with the step. Without
    an attempt since the last `Undo` there is nothing to do.
    """


@dataclass(frozen=True, slots=True)
class Sleep:
    """Ask for a pause of `seconds` that blocks a blocking run and suspends an async one."""

    seconds: float


Request = Run | Undo | Sleep
Around = Generator[Request, StepResult, StepResult]

if not TYPE_CHECKING:

    class _forwarded:  # noqa: N801 - stands for a declaration
        """An attribute of the wrapped step.

        It defines no `__set__`, so a subclass may set the attribute in `__init__` too. It raises
        when read on the class, so that a dataclass does not take it for a default.
        """

        def __set_name__(self, owner, name):
            self.name = name

        def __get__(self, layer, owner):
            if layer is None:
                raise AttributeError(f"{owner.__qualname__}.{self.name} belongs to its instances")
            return getattr(layer.wrapped, self.name)


Forward = TypeVar("Forward", bound=Callable[..., Any])


def forwards(method: Forward) -> Forward:
    """Mark a wrapper's method that does nothing of its own without the wrapped step's.

    A wrapper that logs before it passes a `rollback` on is marked like this: where the wrapped step
    has no undo, the plan says so.
    """
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
        given = cast("object", inner)
        if not isinstance(given, BaseStep):
            hint = f" (write {given.__name__}())" if isinstance(given, type) else ""
            raise InvalidStepError(f"{type(self).__name__} wraps a step, not {given!r}{hint}")
        self.wrapped: BaseStep[C] = inner

    if TYPE_CHECKING:
        name: Any
        progress_weight: Any
        effects: bool
        always_run: bool
        final: bool
        data_version: int
    else:
        name = _forwarded()
        progress_weight = _forwarded()
        effects = _forwarded()
        always_run = _forwarded()
        final = _forwarded()
        data_version = _forwarded()

    def around(self, context: C) -> Around:
        """Yield `Run()`, `Undo()` or `Sleep(seconds)`; return the StepResult of the whole layer."""
        return (yield Run())

    def execute(self, context: C) -> StepResult | Awaitable[StepResult]:
        """Run the layer by hand, outside a plan; a plan drives `around` itself."""
        from handrail.engine.standalone import play_alone  # noqa: PLC0415 - rarely needed

        return play_alone(interpret(self, context), context)

    @forwards
    @calls_user_code
    def can_skip(self, context: C) -> bool | Awaitable[bool]:
        """Ask the wrapped step."""
        return self.wrapped.can_skip(context)

    @forwards
    @calls_user_code
    def rollback(self, context: C, result: StepResult) -> None | Awaitable[None]:
        """Undo the wrapped step."""
        return self.wrapped.rollback(context, result)

    @forwards
    @calls_user_code
    def resume(self, context: C, result: StepResult) -> StepResult | Awaitable[StepResult]:
        """Let the wrapped step go on."""
        return self.wrapped.resume(context, result)

    @forwards
    @calls_user_code
    def restore(self, context: C, result: StepResult) -> None:
        """Let the wrapped step rebuild what it needs."""
        self.wrapped.restore(context, result)

    @forwards
    @calls_user_code
    def preview(self, context: C) -> str | Iterable[str] | None:
        """Return the preview of the wrapped step."""
        return self.wrapped.preview(context)

    @forwards
    @calls_user_code
    def preview_rollback(self, context: C, result: StepResult) -> str | Iterable[str] | None:
        """Return the preview of the undo of the wrapped step."""
        return self.wrapped.preview_rollback(context, result)


def is_wrapper(candidate: object) -> TypeGuard[StepWrapper[Any]]:
    """Return whether `candidate` is a wrapper of any kind."""
    return isinstance(candidate, StepWrapper)


def is_layer(step: object) -> bool:
    """Return whether `step` is a wrapper whose `around` can be driven."""
    execute: object = getattr(type(step), "execute", None)
    return isinstance(step, StepWrapper) and execute is StepWrapper.execute


def interpret(layer: StepWrapper[Any], context: Any) -> Interpretation:
    """Drive the `around` of `layer` and of the layers inside it, one driver command at a time."""
    generator = yield Call(layer.around, (context,), inline=True)
    if isinstance(generator, Raised):
        return generator
    if not isinstance(generator, Generator):
        return _misuse(f"{type(layer).__name__}.around is no generator: it has to yield Run()")
    around = cast("Generator[Request, Any, StepResult]", generator)
    last: StepResult | Raised | None = None
    answer: Any = None
    while True:
        step = _throw(around, answer) if isinstance(answer, Raised) else _send(around, answer)
        request = yield step
        if isinstance(request, Raised):
            return request
        if isinstance(request, _Returned):
            return _checked(layer, request.value)
        if isinstance(request, Run):
            answer = last = yield from _attempt(layer.wrapped, context)
        elif isinstance(request, Undo):
            # Without an attempt since the last one there is nothing to undo.
            answer = (yield Revert(layer.wrapped, _result(last))) if last is not None else None
            last = None
        elif isinstance(request, Sleep):
            answer = yield Pause(request.seconds)
        else:
            answer = _misuse(
                f"{type(layer).__name__}.around yielded {request!r}; "
                "it may yield Run(), Undo() or Sleep(seconds)"
            )


def _attempt(inner: BaseStep[Any], context: Any) -> Interpretation:
    if isinstance(inner, StepWrapper) and is_layer(inner):
        return (yield from interpret(inner, context))
    outcome: StepResult | Raised = yield Attempt(inner)
    return outcome


def _result(outcome: StepResult | Raised) -> StepResult:
    if isinstance(outcome, Raised):
        return StepResult(success=False, error=describe(outcome.error))
    return outcome


def _misuse(message: str) -> Raised:
    return Raised(StepResultError(message))


@dataclass(slots=True)
class _Returned:
    value: object


def _send(around: Generator[Request, Any, StepResult], value: object) -> Call:
    return Call(_advance, (around.send, value), inline=True)


def _throw(around: Generator[Request, Any, StepResult], raised: Raised) -> Call:
    return Call(_advance, (around.throw, raised.error), inline=True)


@calls_user_code
def _advance(move: Callable[[Any], Request], value: object) -> Request | _Returned:
    """Move an `around` on to its next request; this is where its body runs."""
    # StopIteration must not cross the generators that carry this answer back.
    try:
        return move(value)
    except StopIteration as stop:
        return _Returned(stop.value)


def _checked(layer: StepWrapper[Any], returned: object) -> StepResult | Raised:
    if isinstance(returned, StepResult):
        return returned
    return _misuse(
        f"{type(layer).__name__}.around returned {returned!r} instead of a StepResult "
        "(did you forget `return result`?)"
    )
