"""check_undo: fails a step at each record, rolls it back, and compares the world with before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from inspect import isawaitable
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from handrail import BaseStep, BaseStepContext, Orchestrator, StepRegistry, StepResult, StepWrapper
from handrail.errors import StepFailedError, describe
from handrail.inspection import has_own, intercept_records, run_awaitable
from handrail_testing.world import differences

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    C = TypeVar("C", bound=BaseStepContext, default=BaseStepContext)
else:
    from typing import TypeVar

    C = TypeVar("C", bound=BaseStepContext)

_TIMES = ("", "once", "twice")
_TWICE = "an undo that was cut short is begun again: bear that nothing is left to do"
_LONGEST = 48  # Characters of a recorded value that are shown.


class NotUndoneError(AssertionError):
    """A step did not undo what it had done.

    Attributes:
        step: Name of the step.
        moment: The point of failure, such as `after record 2 of 3 ('pages': 'b.html')`.
        times: Number of rollbacks by then: 1 or 2; 0 if it could not be rolled back at all.
        differences: One line for each difference of the world from before.
    """

    def __init__(
        self,
        step: str,
        moment: str,
        times: int,
        what: str,
        differences: Sequence[str] = (),
        hint: str = "",
    ) -> None:
        lines = [f"step '{step}' {what}", f"  it failed       {moment}"]
        if times:
            lines.append(f"  rolled back     {_TIMES[times]}")
        lines += [f"  {line}" for line in differences]
        if hint:
            lines.append(f"  what to do      {hint}")
        super().__init__("\n".join(lines))
        self.step = step
        self.moment = moment
        self.times = times
        self.differences = tuple(differences)


def check_undo(
    step: BaseStep[C] | Callable[[], BaseStep[C]],
    context: Callable[[], C],
    world: Callable[[], object],
    *,
    new_process: bool = True,
) -> int:
    """Fail a step before and after each of its records and at its end; each time undo it.

    Each time it is rolled back twice, with its rollback data converted to JSON and back, and after
    both the world has to be as before the step began. So this finds the remains of a failed, killed
    or twice undone run. Each value of `record_rollback_many` is a record.

    Args:
        step: The step; or its class, or a factory, so that the undo gets a new step.
        context: Returns a fresh context in which the step has something to do and succeeds.
        world: Returns the state that the step changes, in a form that can be compared: a dict, a
            set, a list. `folder(path)` returns such a function for a folder.
        new_process: Whether to roll back as another process would, with a fresh context that only
            `restore` has seen; else with the context of the failed attempt.

    Returns:
        The number of records of the step.

    Raises:
        NotUndoneError: Something differs, or the rollback raised; the message has the details.
        ValueError: The check would prove nothing: the step is skipped or fails by itself, or
            `world` does not show its effects.
    """
    __tracebackhide__ = True
    check = _Check(step=step, context=context, world=world, new_process=new_process)
    wire = check.at(None)
    for moment in _moments(wire.seen):
        check.at(moment)
    return len(wire.seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """A record at which a step is forced to fail, counted from 1."""

    number: int
    before: bool
    text: str

    @property
    def hint(self) -> str:
        """The usual mistake when the undo of this moment leaves something behind."""
        if self.before:
            return "record first, then make the thing: this was done before it was recorded"
        return "the rollback has to bear what was recorded and never made, and spare the rest"


def _moments(seen: Sequence[tuple[str, Any]]) -> Iterator[_Moment]:
    for number, (key, value) in enumerate(seen, 1):
        shown = repr(value)
        # The end of a path is more specific than its beginning.
        shown = shown if len(shown) <= _LONGEST else f"…{shown[1 - _LONGEST :]}"
        text = f"record {number} of {len(seen)} ({key!r}: {shown})"
        for before in (True, False):
            when = "before" if before else "right after"
            yield _Moment(number=number, before=before, text=f"{when} {text}")


class _TrippedError(Exception):
    """Raised by a record at the chosen moment."""


class _Tripwire:
    """Counts the records of one attempt, and fails at one of them and all that follow."""

    def __init__(self, moment: _Moment | None) -> None:
        self.moment = moment
        self.seen: list[tuple[str, Any]] = []
        self.tripped = False
        self._lock = Lock()  # A step may record from threads of its own.

    def __call__(self, record: Callable[[str, Any], None], key: str, value: Any) -> None:
        moment = self.moment
        with self._lock:
            self.seen.append((key, value))
            here = moment is not None and len(self.seen) == moment.number
            if not self.tripped and not (here and moment is not None and moment.before):
                record(key, value)
            self.tripped = self.tripped or here
        if self.tripped:
            raise _TrippedError("made to fail by check_undo")


class _NotUndone(StepWrapper[Any]):
    """Keeps the result with which the engine would undo the step, and undoes nothing."""

    result: StepResult | None = None

    def rollback(self, context: Any, result: StepResult) -> None:
        self.result = result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    step: BaseStep[Any] | Callable[[], BaseStep[Any]]
    context: Callable[[], BaseStepContext]
    world: Callable[[], object]
    new_process: bool

    def at(self, moment: _Moment | None) -> _Tripwire:
        """Run the step up to `moment`, or to its end, and undo it."""
        __tracebackhide__ = True
        before = self.world()
        wire = _Tripwire(moment)
        context = self.context()
        result = self._run(context, wire)
        if moment is None:
            self._prove_something(before, wire)
        where = "at its end" if moment is None else moment.text
        hint = "roll back everything that execute has done" if moment is None else moment.hint
        step = self._made()
        data = _through_json(step.name, where, result)
        if self.new_process:
            context = self.context()
            step.restore(context, _result(result, data))
        for times in (1, 2):
            try:
                _roll_back(step, context, _result(result, data))
            except Exception as error:
                what = f"could not be undone: its rollback raised {type(error).__name__}"
                nothing = "nothing was recorded yet: take result.rollback_data.get(key, [])"
                way = nothing if data == "{}" else hint if times == 1 else _TWICE
                said = (describe(error),)
                raise NotUndoneError(step.name, where, times, what, said, way) from error
            differs = differences(before, self.world())
            if differs:
                way = hint if times == 1 else _TWICE
                raise NotUndoneError(step.name, where, times, "was not undone", differs, way)
        return wire

    def _run(self, context: BaseStepContext, wire: _Tripwire) -> StepResult:
        __tracebackhide__ = True
        kept = _NotUndone(self._made())
        if kept.always_run:
            raise ValueError(f"step '{kept.name}' always runs, and is never undone")
        registry: StepRegistry[Any] = StepRegistry()
        registry.register(kept)
        intercept_records(context, wire)
        try:
            Orchestrator(registry, context, elsewhere=False).execute()
        except StepFailedError as error:
            if not wire.tripped:
                raise ValueError(
                    f"step '{kept.name}' fails by itself: {error.error}; "
                    "give a context in which it succeeds"
                ) from error
            assert kept.result is not None
            return kept.result
        result = context.step_results[-1]
        if result.skipped:
            raise ValueError(
                f"step '{kept.name}' was skipped; give a context in which it has something to do"
            )
        return result

    def _prove_something(self, before: object, wire: _Tripwire) -> None:
        __tracebackhide__ = True
        step = self._made()
        undoes = wire.seen or has_own(step, "rollback")
        if undoes and not differences(before, self.world()):
            raise ValueError(
                f"world() shows no difference once step '{step.name}' has run, so nothing that it "
                "leaves behind would be seen; let it show what the step makes"
            )

    def _made(self) -> BaseStep[Any]:
        made: object = self.step
        if not is_step(made):
            made = cast("Callable[[], object]", made)()
        if not is_step(made):
            raise TypeError(f"check_undo takes a step, or what makes one, not {made!r}")
        return made


def is_step(made: object) -> TypeGuard[BaseStep[Any]]:
    """Return whether `made` is a step."""
    return isinstance(made, BaseStep)


def _through_json(step: str, where: str, result: StepResult) -> str:
    try:
        return json.dumps(result.rollback_data, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise NotUndoneError(
            step,
            where,
            0,
            "records rollback data that is not JSON, so another process could not undo it",
            (describe(error),),
            "record strings, numbers, lists and dicts: str(path), not path",
        ) from error


def _result(result: StepResult, data: str) -> StepResult:
    return StepResult(success=result.success, error=result.error, rollback_data=json.loads(data))


def _roll_back(step: BaseStep[Any], context: BaseStepContext, result: StepResult) -> None:
    context.current_step = step.name
    try:
        pending: object = step.rollback(context, result)
        if isawaitable(pending):
            run_awaitable(pending)
    finally:
        context.current_step = None
