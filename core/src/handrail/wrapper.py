"""StepWrapper: a layer around a step, and the requests that its `around` can yield.

`around` is a generator, so one body serves blocking and async steps: it yields requests (`Run`,
`Undo`, `Sleep`), and each driver fulfils them in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from types import GeneratorType
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, cast

from handrail.engine.commands import Attempt, Limited, Pause, Raised, Revert
from handrail.engine.rollback_data import failed
from handrail.engine.user_code import calls_user_code
from handrail.errors import InvalidStepError, StepResultError
from handrail.frozen import frozen
from handrail.steps import BaseStep, C, StepResult

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from handrail.engine.log import RunLog
    from handrail.limits import Limits, RollbackPolicy


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
        undo_before: tuple[str, ...]
        data_version: int
        limits: Limits
        rollback_policy: RollbackPolicy
    else:
        name = _forwarded()
        progress_weight = _forwarded()
        effects = _forwarded()
        always_run = _forwarded()
        final = _forwarded()
        undo_before = _forwarded()
        data_version = _forwarded()
        limits = _forwarded()
        rollback_policy = _forwarded()

    def around(self, context: C) -> Around:
        """Yield `Run()`, `Undo()` or `Sleep(seconds)`; return the StepResult of the whole layer."""
        return (yield Run())

    def execute(self, context: C) -> StepResult | Awaitable[StepResult]:
        """Run the layer outside a plan, for example in a test; a run drives `around` itself."""
        from handrail.engine.standalone import play_alone  # noqa: PLC0415 - rarely needed

        return play_alone(Layers(self, context), context)

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


def is_layer(step: object) -> TypeGuard[StepWrapper[Any]]:
    """Return whether `step` is a wrapper whose `around` can be driven."""
    execute: object = getattr(type(step), "execute", None)
    return isinstance(step, StepWrapper) and execute is StepWrapper.execute


class Layers:
    """The layers around a step, while they are played: a command of the engine.

    It is answered by the StepResult of the outermost layer, by `Raised`, or by a `Revert`, whose
    answer the engine notes before it gives the same command again.

    Attributes:
        step: The step with its layers.
        answer: What to move on with, where the driver has no answer of its own.
    """

    __slots__ = ("_attempting", "_context", "_enter", "_limits", "_log", "_open", "answer", "step")

    def __init__(
        self,
        outermost: StepWrapper[Any],
        context: Any,
        limits: Limits | None = None,
        log: RunLog | None = None,
    ) -> None:
        self.step = outermost
        self._limits = limits
        self._log = log
        self.answer: Raised | None = None
        self._context = context
        self._enter: StepWrapper[Any] | None = outermost
        self._attempting = False
        # Each is a layer, its `around`, and the outcome of its last attempt since an undo.
        self._open: list[list[Any]] = []

    @calls_user_code
    def move(self, answer: Any) -> Attempt | Limited | Revert | Pause | StepResult | Raised | None:
        """Play on with the answer to the last command, at first with `answer`.

        Return the next command; the outcome of the outermost layer; or None if this is to be called
        again with `answer`, so that a driver can stop a layer that never ends.
        """
        layers = self._open
        if self._log is not None and self._log.broken is not None:
            return self._left(self._log.broken)
        if self._attempting:
            self._attempting = False
            layers[-1][2] = answer
        return self._play(answer)

    @calls_user_code
    def _left(self, error: BaseException) -> Raised:
        """End all layers: none may try again, or have an attempt undone, after this error."""
        while self._open:
            with suppress(Exception):
                self._open.pop()[1].close()
        return Raised(error)

    @calls_user_code
    def _play(self, answer: Any) -> Attempt | Limited | Revert | Pause | StepResult | Raised | None:
        """Play on with this answer to the last command; see `move`."""
        layers = self._open
        while True:
            if self._enter is not None:
                answer = self._open_next(self._enter)
                if not layers:
                    return cast("Raised", answer)
            layer, around, last = layers[-1]
            try:
                failed = type(answer) is Raised
                request = around.throw(answer.error) if failed else around.send(answer)
            except StopIteration as stop:
                answer = _checked(layer, stop.value)
            except BaseException as error:  # noqa: BLE001 - handed to the layer outside
                answer = Raised(error)
            else:
                if isinstance(request, Run) and is_layer(layer.wrapped):
                    self._enter = layer.wrapped
                    continue
                return self._command(layer, request, last)
            layers.pop()
            if not layers:
                return cast("StepResult | Raised", answer)
            layers[-1][2] = answer

    def _command(
        self, layer: StepWrapper[Any], request: object, last: StepResult | Raised | None
    ) -> Attempt | Limited | Revert | Pause | None:
        """Return the command for a request of `around`; None if there is nothing to be done."""
        if isinstance(request, Run):
            self._attempting = True
            attempt = Attempt(layer.wrapped)
            return attempt if self._limits is None else Limited(attempt, self._limits)
        if isinstance(request, Undo):
            self._open[-1][2] = None
            # Nothing to undo without an attempt since the last undo.
            return None if last is None else Revert(layer.wrapped, _result(last))
        if isinstance(request, Sleep):
            return Pause(request.seconds)
        self.answer = _misuse(
            f"{type(layer).__name__}.around yielded {request!r}; "
            "it may yield Run(), Undo() or Sleep(seconds)"
        )
        return None

    @calls_user_code
    def _open_next(self, layer: StepWrapper[Any]) -> Raised | None:
        """Begin the `around` of the next layer inwards; return why that cannot be done, if so."""
        self._enter = None
        try:
            around = cast("object", layer.around(self._context))
        except BaseException as error:  # noqa: BLE001 - handed to the layer outside
            failed = Raised(error)
        else:
            if type(around) is GeneratorType or isinstance(around, Generator):
                self._open.append([layer, around, None])
                return None
            name = type(layer).__name__
            failed = _misuse(f"{name}.around is no generator: it has to yield Run()")
        if self._open:
            self._open[-1][2] = failed
        return failed


def _result(outcome: StepResult | Raised) -> StepResult:
    return failed(outcome.error) if isinstance(outcome, Raised) else outcome


def _checked(layer: StepWrapper[Any], returned: object) -> StepResult | Raised:
    if isinstance(returned, StepResult):
        return returned
    return _misuse(
        f"{type(layer).__name__}.around returned {returned!r} instead of a StepResult "
        "(did you forget `return result`?)"
    )


def _misuse(message: str) -> Raised:
    return Raised(StepResultError(message))
