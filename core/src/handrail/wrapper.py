"""StepWrapper: a layer around a step, and the requests that its `around` can yield.

`around` is a generator, so one body serves blocking and async steps: it yields requests (`Run`,
`Undo`, `Sleep`), and each driver fulfils them in its own way. `interpret` is the part that all
drivers share; it calls no user code itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, cast

from handrail.engine.commands import Attempt, Call, Interpretation, Pause, Raised, Revert
from handrail.engine.user_code import calls_user_code
from handrail.errors import InvalidStepError, StepResultError, describe
from handrail.frozen import frozen, record
from handrail.steps import BaseStep, C, StepResult

if TYPE_CHECKING:
    from collections.abc import Awaitable


@frozen(kw_only=False)
class Run:
    """Requests a run of the wrapped step; `yield` returns its StepResult or raises its error."""


@frozen(kw_only=False)
class Undo:
    """Requests the undo of the last attempt, so that the next `Run` starts from a clean state.

    `yield` raises the error if the undo fails; the rest of the attempt is then undone with the
    step. Without an attempt since the last `Undo`, it does nothing.
    """


@frozen(kw_only=False)
class Sleep:
    """Requests a pause of `seconds`, which blocks a blocking run and suspends an async one."""

    seconds: float


Request = Run | Undo | Sleep
Around = Generator[Request, StepResult, StepResult]

if not TYPE_CHECKING:

    class _forwarded:  # noqa: N801 - used like a declaration
        """Descriptor for an attribute of the wrapped step.

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
    """Mark a method as delegating: the step has an undo only if the wrapped step has one.

    Use it for a `rollback` that calls that of the wrapped step through a function of yours. One
    that makes the call itself, and reads no rollback data, needs no mark.
    """
    method.__handrail_forwards__ = True  # type: ignore[attr-defined]
    return method


class StepWrapper(BaseStep[C]):
    """A step around another step; everything is forwarded unless a subclass overrides it.

    Override `around` to do something before, after or instead of the wrapped step, which may be
    blocking or async. A subclass that overrides `execute` instead is an opaque layer.

    Attributes:
        wrapped: The step inside. Planning may replace it when it stacks layers.
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
        """Run the layer outside a plan, for example in a test; a run drives `around` itself."""
        from handrail.engine.standalone import play_alone  # noqa: PLC0415 - rarely needed

        return play_alone(interpret(self, context), context)

    @forwards
    @calls_user_code
    def can_skip(self, context: C) -> bool | Awaitable[bool]:
        """Return the answer of the wrapped step."""
        return self.wrapped.can_skip(context)

    @forwards
    @calls_user_code
    def rollback(self, context: C, result: StepResult) -> None | Awaitable[None]:
        """Undo the wrapped step."""
        return self.wrapped.rollback(context, result)

    @forwards
    @calls_user_code
    def resume(self, context: C, result: StepResult) -> StepResult | Awaitable[StepResult]:
        """Resume the wrapped step."""
        return self.wrapped.resume(context, result)

    @forwards
    @calls_user_code
    def restore(self, context: C, result: StepResult) -> None:
        """Restore the wrapped step."""
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
            # Nothing to undo without an attempt since the last undo.
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


@record
class _Returned:
    value: object


def _send(around: Generator[Request, Any, StepResult], value: object) -> Call:
    return Call(_advance, (around.send, value), inline=True)


def _throw(around: Generator[Request, Any, StepResult], raised: Raised) -> Call:
    return Call(_advance, (around.throw, raised.error), inline=True)


@calls_user_code
def _advance(move: Callable[[Any], Request], value: object) -> Request | _Returned:
    """Advance an `around` to its next request; this is where its body runs."""
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
