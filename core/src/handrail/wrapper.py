"""StepWrapper: a layer around a step, and the requests that its `around` can yield.

`around` is a generator, so one body serves blocking and async steps: it yields requests (`Run`,
`Undo`, `Sleep`), and each driver fulfils them in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import takewhile
from types import GeneratorType
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, cast

from handrail.calls import Call, Pause, Raised, Revert, attempt, play_alone
from handrail.errors import InvalidStepError, LayerError, StepResultError, StopsResume, describe
from handrail.frozen import frozen
from handrail.rollback_data import failed
from handrail.steps import BaseStep, C, StepResult
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from handrail.engine.log import RunLog
    from handrail.limits import Limits
    from handrail.origin import Origin


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


class _Forwarded:
    """Descriptor for an attribute of the wrapped step.

    It defines no `__set__`, so a subclass may set the attribute in `__init__` too. It raises when
    read on the class, so that a dataclass does not take it for a default.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, layer: StepWrapper[Any] | None, owner: type) -> Any:
        if layer is None:
            raise AttributeError(f"{owner.__qualname__}.{self.name} belongs to its instances")
        return getattr(layer.wrapped, self.name)


Forward = TypeVar("Forward", bound=Callable[..., Any])


def forwards(method: Forward) -> Forward:
    """Mark a method of a wrapper as one that only calls that of the wrapped step."""
    method.__handrail_forwards__ = True  # type: ignore[attr-defined]
    return method


@frozen
class Guest:
    """Marks a layer around a step of another author.

    Attributes:
        origin: The edit that put it there.
        changes: Whether it may change what the step does; otherwise it may only watch and retry.
    """

    origin: Origin
    changes: bool


class StepWrapper(BaseStep[C]):
    """A step around another step; everything is forwarded unless a subclass overrides it.

    Override `around` to do something before, after or instead of the wrapped step, which may be
    blocking or async. A subclass that overrides `execute` instead is an opaque layer.

    Around a step of another pack, a layer may watch, time and retry. It fails the step if it hides
    a failure or changes what the step returned, but for adding to `data`. One that does so, or that
    overrides anything but `around`, `before_rollback`, `name` and `progress_weight`, changes the
    step: it needs `changes = True` and a grant of the project.

    Attributes:
        wrapped: The step inside. Planning may replace it when it stacks layers.
        changes: Whether it changes what the wrapped step does. The `rollback` of a layer is a way
            back only if it does.
    """

    changes: bool = False
    __handrail_guest__: Guest | None = None

    def __init__(self, inner: BaseStep[C]) -> None:
        given = cast("object", inner)
        if not isinstance(given, BaseStep):
            hint = f" (write {given.__name__}())" if isinstance(given, type) else ""
            raise InvalidStepError(f"{type(self).__name__} wraps a step, not {given!r}{hint}")
        self.wrapped: BaseStep[C] = inner

    def around(self, context: C) -> Around:
        """Yield `Run()`, `Undo()` or `Sleep(seconds)`; return the StepResult of the whole layer."""
        return (yield Run())

    def before_rollback(self, context: C) -> None:
        """Be told that the wrapped step is about to be undone; an error does not prevent that."""

    def execute(self, context: C) -> StepResult | Awaitable[StepResult]:
        """Run the layer outside a plan, for example in a test; a run drives `around` itself."""
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
        try:
            self.before_rollback(context)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the undo is called all the same
            name, step = type(self).__name__, context.current_step
            context.errors.append(f"{name}.before_rollback of step '{step}': {describe(error)}")
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


for _name in (
    *("name", "progress_weight", "effects", "always_run", "final"),
    *("undo_before", "data_version", "limits", "rollback_policy"),
):
    setattr(StepWrapper, _name, _Forwarded(_name))

_WATCHES = frozenset({"around", "before_rollback", "changes", "name", "progress_weight"})
_DECIDES = frozenset({name for name in vars(StepWrapper) if not name.startswith("_")}) - _WATCHES


def overridden(layer: StepWrapper[Any]) -> list[str]:
    """Return the attributes of a layer by which it decides about the wrapped step, sorted."""
    kinds = takewhile(lambda kind: kind is not StepWrapper, type(layer).__mro__)
    return sorted(_DECIDES.intersection({*layer.__dict__}.union(*map(vars, kinds))))


def changes_step(layer: StepWrapper[Any]) -> bool:
    """Return whether a layer says that it changes the wrapped step, or overrides what decides."""
    return bool(layer.changes or overridden(layer))


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
        answer: What to begin with: the answer to a `Revert`.
    """

    __slots__ = (
        *("_attempting", "_context", "_enter", "_left", "_limits", "_log", "_open"),
        *("answer", "step"),
    )

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
        # The rollback data that the step has returned since an undo: an error carries none.
        self._left: dict[str, Any] | None = None
        # Each is a layer, its `around`, and the outcome of its last attempt since an undo.
        self._open: list[list[Any]] = []

    @calls_user_code
    def begin(self) -> Call | Revert | Pause | StepResult | Raised:
        """Play on with `answer`; see `move`."""
        answer, self.answer = self.answer, None
        return self.move(answer)

    @calls_user_code
    def move(self, answer: Any) -> Call | Revert | Pause | StepResult | Raised:
        """Play on with the answer to the last command.

        Return the next command, or the outcome of the outermost layer.
        """
        layers = self._open
        if self._log is not None and self._log.broken is not None:
            return self._break_off(self._log.broken)
        if self._attempting:
            self._attempting = False
            last = layers[-1][2] = _kept(layers[-1][0], answer)
            self._left = last.rollback_data if isinstance(last, StepResult) else self._left
        return self._play(answer)

    @calls_user_code
    def _break_off(self, error: BaseException) -> Raised:
        """End all layers: none may try again, or have an attempt undone, after this error."""
        while self._open:
            with suppress(Exception):
                self._open.pop()[1].close()
        return Raised(error)

    @calls_user_code
    def _play(self, answer: Any) -> Call | Revert | Pause | StepResult | Raised:
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
                answer = _checked(layer, stop.value, last)
            except BaseException as error:  # noqa: BLE001 - handed to the layer outside
                answer = Raised(error)
            else:
                command = self._command(layer, request, last)
                if command is not None:
                    return command
                answer, self.answer = self.answer, None
                continue
            layers.pop()
            if not layers:
                return self._outcome(answer)
            layers[-1][2] = _kept(layers[-1][0], answer)

    def _command(
        self, layer: StepWrapper[Any], request: object, last: StepResult | Raised | None
    ) -> Call | Revert | Pause | None:
        """Return the command for a request of `around`; None if there is nothing to be done."""
        if isinstance(request, Run):
            if last is not None and _is_bound(layer):
                name = type(layer).__name__
                self.answer = _misuse(f"{name}.around yielded Run() again without an Undo() before")
                return None
            if is_layer(layer.wrapped):
                self._enter = layer.wrapped
                return None
            self._attempting = True
            return attempt(layer.wrapped, self._context, limits=self._limits)
        if isinstance(request, Undo):
            if last is None:
                return None
            left, self._left, self._open[-1][2] = self._left, None, None
            return Revert(layer.wrapped, _result(last, left))
        if isinstance(request, Sleep):
            return Pause(request.seconds)
        self.answer = _misuse(
            f"{type(layer).__name__}.around yielded {request!r}; "
            "it may yield Run(), Undo() or Sleep(seconds)"
        )
        return None

    def _outcome(self, answer: StepResult | Raised) -> StepResult | Raised:
        if isinstance(answer, Raised):
            answer.left = self._left
            return answer
        return answer if answer.success else _result(answer, self._left)

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


def _result(outcome: StepResult | Raised, left: dict[str, Any] | None) -> StepResult:
    """Return a result for an undo, with what the step returned for it before a layer failed."""
    result = failed(outcome.error) if isinstance(outcome, Raised) else outcome
    return replace(result, rollback_data=left) if left and not result.rollback_data else result


def _checked(
    layer: StepWrapper[Any], returned: object, last: StepResult | Raised | None
) -> StepResult | Raised:
    if isinstance(returned, StepResult):
        return _true(layer, returned, last) if _is_bound(layer) else returned
    return _misuse(
        f"{type(layer).__name__}.around returned {returned!r} instead of a StepResult "
        "(did you forget `return result`?)"
    )


def _misuse(message: str) -> Raised:
    return Raised(StepResultError(message))


def _is_bound(layer: StepWrapper[Any]) -> bool:
    guest = layer.__handrail_guest__
    return guest is not None and not guest.changes


def _kept(layer: StepWrapper[Any], outcome: Any) -> Any:
    """Return the outcome of an attempt; for a layer that may not change it, a copy."""
    if not isinstance(outcome, StepResult) or not _is_bound(layer):
        return outcome
    left: Any = outcome.rollback_data
    if isinstance(left, dict):
        values = cast("dict[str, Any]", left).items()
        left = {key: _copied(value) for key, value in values}
    data, skipped, when = _copied(outcome.data), outcome.skipped, outcome.timestamp
    return StepResult(outcome.success, data, outcome.error, left, skipped, when)


def _copied(value: Any) -> Any:
    return value.copy() if type(value) in (dict, list, set) else value


def _true(
    layer: StepWrapper[Any], result: StepResult, last: StepResult | Raised | None
) -> StepResult | Raised:
    """Return the result of a layer that may not change it, or why it is not that of the step."""
    cause: BaseException | None = None
    if isinstance(last, Raised):
        cause = last.error
        if not isinstance(cause, Exception) or isinstance(cause, StopsResume):
            return last  # Not a failure: it ends the run in a way of its own.
        last = failed(cause)
    if not result.success:
        # A layer may fail a step, and what the step returned for its undo stays.
        return result if last is None else replace(result, rollback_data=last.rollback_data)
    if last is None:
        what = "says that the step succeeded, which did not run, or was undone"
    elif not last.success:
        what = f"hides that the step failed: {last.error}"
    elif changed := [name for name in _RETURNED if not _passed_on(name, last, result)]:
        what = f"changes the {' and '.join(changed)} that the step returned"
    else:
        return result
    guest = cast("Guest", layer.__handrail_guest__)
    return Raised(LayerError(type(layer).__name__, what, guest.origin, cause))


_RETURNED = ("data", "rollback_data", "error", "skipped")


def _passed_on(name: str, last: StepResult, result: StepResult) -> bool:
    """Return whether a layer has passed on what a step returned; it may add to `data`."""
    before, after = getattr(last, name), getattr(result, name)
    if before is after:
        return True
    try:
        if name == "data" and isinstance(before, dict):
            after = {key: after[key] for key in cast("dict[str, Any]", before)}
        return bool(before == after)
    except Exception:  # noqa: BLE001 - a value that cannot be compared is another one
        return False
