"""The check of the layers of a pack: they hide nothing from the run, or say `changes = True`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any, TypeGuard

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    Plan,
    PlanError,
    Problem,
    Run,
    RuntimeContext,
    StepResult,
    StepWrapper,
)
from handrail import Undo as UndoRequest
from handrail.errors import HandrailError
from handrail.inspection import overridden
from handrail_testing.checks.offers import place_of
from handrail_testing.checks.planned import actions_of
from handrail_testing.checks.subject import Subject, UncheckedError

_MOST = 100  # Requests of one layer: one that retries without end is given up.


def layers(subject: Subject) -> Iterator[Problem]:
    """Play each layer around a step that fails, raises or succeeds; yield what it hides."""
    kinds = {type(layer): layer for layer in _layers(subject)}
    if not kinds:
        raise UncheckedError("it has no layers, or they need arguments")
    for layer in kinds.values():
        name = type(layer).__name__
        if layer.changes:
            continue
        found = overridden(layer)
        what = f"it overrides {', '.join(found)}" if found else _hidden(subject, layer)
        if what:
            yield subject.problem(
                "layer-changes-step",
                f"layer {name} does more than watch or retry: {what}",
                "return what the step returned, and raise what it raised; to be told of an "
                "undo, override before_rollback",
                "or say changes = True in its class: around a step of another pack it needs "
                "a grant of each project",
                details=place_of(layer),
            )


class _Probe(BaseStep[Any]):
    """The step inside a layer that is tried."""

    name = "probe"
    progress_weight = 0.1

    def execute(self, context: Any) -> StepResult:
        return _succeeds()


def _succeeds() -> StepResult:
    return StepResult(data={"made": 1}, rollback_data={"made": [1]})


def _fails() -> StepResult:
    return StepResult(success=False, error="made to fail by a check", rollback_data={"made": [1]})


def _raises() -> StepResult:
    raise OSError("made to fail by a check")


def _layers(subject: Subject) -> Iterator[StepWrapper[Any]]:
    """Yield a layer of each kind that the pack offers, or puts around steps, around a probe."""
    for entry in subject.record.offered("steps"):
        target = subject.target(entry)
        if isinstance(target, type) and issubclass(target, StepWrapper):
            yield from _made(target)
    for action in actions_of(subject):
        plan = _plan(subject, action)
        if plan is None or plan.history is None:
            continue
        owners = {name: each.origin.pack for each in plan.steps for name in each.names}
        for edits in plan.history.edits:
            for wrapping in edits.wrappings if edits.owner == subject.record.id else ():
                if owners.get(wrapping.name) != edits.owner:  # Around a step of its own it is free.
                    yield from _made(wrapping.layer)


def _plan(subject: Subject, action: type[BaseAction[Any]]) -> Plan | None:
    """Return the plan of an action, also one with problems: the check of the plan has those."""
    try:
        return action.partial({}, packs=subject.packs).plan()
    except PlanError as error:
        return error.plan
    except HandrailError:
        return None


def _made(layer: Any) -> Iterator[StepWrapper[Any]]:
    """Yield a layer and the wrappers in it; none if it cannot be made for a step."""
    try:
        part: object = layer if _is_layer(layer) else layer(_Probe())
    except Exception:  # noqa: BLE001 - it needs more than a step, or another one
        return
    while _is_layer(part):
        yield part
        part = part.wrapped


def _is_layer(step: object) -> TypeGuard[StepWrapper[Any]]:
    return isinstance(step, StepWrapper)


def _hidden(subject: Subject, layer: StepWrapper[Any]) -> str:
    """Return what a layer hides of the step inside, or an empty text."""
    for attempt in (_raises, _fails, _succeeds):
        context = (
            BaseStepContext(RuntimeContext()) if subject.context is None else subject.context()
        )
        tried = copy(layer)
        tried.wrapped = _Probe()
        result, last = _played(tried, context, attempt)
        if result is None or not result.success:
            continue  # It may fail a step.
        if last is None or not last.success:
            return "it makes a success of a step that failed, or did not run"
        step = _succeeds()
        same = step.rollback_data == result.rollback_data and step.skipped == result.skipped
        if not same or not step.data.items() <= result.data.items():
            return "it changes what the step returned"
    return ""


def _played(
    layer: StepWrapper[Any], context: BaseStepContext, attempt: Callable[[], StepResult]
) -> tuple[StepResult | None, StepResult | None]:
    """Return the result of a layer, and of its last attempt since an undo; None if it raised."""
    last: StepResult | None = None
    answer: StepResult | None = None
    error: Exception | None = None
    try:
        around = layer.around(context)
        for _ in range(_MOST):
            # A generator that is not begun takes nothing but None.
            request = around.throw(error) if error is not None else around.send(answer)  # type: ignore[arg-type]
            answer = error = None
            if isinstance(request, Run):
                last = None
                try:
                    answer = last = attempt()
                except OSError as raised:
                    error = raised
            elif isinstance(request, UndoRequest):
                last = None
        around.close()
    except StopIteration as stop:
        return stop.value, last
    except Exception:  # noqa: BLE001 - it may fail a step, also because this context lacks something
        return None, last
    return None, last
