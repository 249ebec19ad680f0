"""Checks of the steps of a plan: whether their contexts fit, and what their undo waits for."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_origin

from handrail.context import BaseStepContext
from handrail.entry import chain
from handrail.errors import Problem
from handrail.plan.problems import problem_of
from handrail.steps import BaseStep, FunctionStep
from handrail.suggest import near
from handrail.wrapper import is_wrapper

if TYPE_CHECKING:
    from handrail.origin import Origin
    from handrail.plan.edits import EditSet
    from handrail.plan.plan import Plan
    from handrail.plan.rules import ActionInfo

_ALIKE = 0.85  # Less, and `upload_files` would be taken for a misspelt `validate_files`.


def unfit(action: ActionInfo, edits: Sequence[EditSet]) -> list[Problem]:
    """Return a problem for each step and layer in `edits` that needs another context.

    The context of a step is the type argument of its class, as in `BaseStep[UploadContext]`, or the
    annotation of a step function. Steps without one fit everywhere.
    """
    found: list[Problem] = []
    known: dict[object, type[BaseStepContext] | None] = {}
    for what, part, origin in _brought(edits):
        key: object = part if isinstance(part, FunctionStep) else type(part)
        if key not in known:
            given = _annotated(part) if isinstance(part, FunctionStep) else _arguments(type(part))
            known[key] = next(filter(None, map(_context, given)), None)
        wanted = known[key]
        if wanted is not None and not issubclass(action.context_type, wanted):
            message = (
                f"{origin} {what}, which works on a {wanted.__name__}; the context of "
                f"{action.name} is a {action.context_type.__name__}"
            )
            ask = f"ask first:  if issubclass(action.context_type, {wanted.__name__})"
            others = [action.origin]
            found.append(problem_of("context-type", message, origin, others=others, ways_out=[ask]))
    return found


def _brought(edits: Sequence[EditSet]) -> Iterator[tuple[str, BaseStep[Any], Origin]]:
    for own in edits:
        for insertion in own.insertions:
            for entry in insertion.entries:
                for part in chain(entry.step):
                    yield f"inserts {entry.name}", part, insertion.origin
        for edit in own.replacements:
            for part in chain(edit.entry.step):
                yield f"replaces {edit.name} by {edit.entry.name}", part, edit.origin
        for wrapping in own.wrappings:
            if is_wrapper(wrapping.layer):
                layer = type(wrapping.layer).__name__
                yield f"wraps {wrapping.name} in {layer}", wrapping.layer, wrapping.origin


def _annotated(step: FunctionStep[Any]) -> Iterator[object]:
    """Yield the annotation of the first parameter of a step function."""
    try:
        parameters = inspect.signature(step.function, eval_str=True).parameters
    except Exception:  # noqa: BLE001 - a name that only a checker imports
        return
    for parameter in [*parameters.values()][:1]:
        yield parameter.annotation


def _arguments(cls: type) -> Iterator[object]:
    """Yield the type arguments that a class of steps and its bases give to classes of steps."""
    for part in cls.__mro__:
        for base in part.__dict__.get("__orig_bases__", ()):
            generic = get_origin(base)
            if isinstance(generic, type) and issubclass(generic, BaseStep):
                yield from get_args(base)


def _context(given: Any) -> type[BaseStepContext] | None:
    """Return a type if it is one of contexts; `ActionContext[TidyParams]` is an ActionContext."""
    kind = get_origin(given) or given
    return kind if isinstance(kind, type) and issubclass(kind, BaseStepContext) else None


def senseless_waits(plan: Plan) -> Iterator[Problem]:
    """Yield a problem for each name in an `undo_before` that cannot be meant.

    A name that no step has is none by itself: the step may be of a pack that is not there.
    """
    known: set[str] = set()
    for position, planned in enumerate(plan.steps):
        for name in planned.facts.undo_before:
            place = plan.positions.get(name)
            if place is None:
                known = known or {*plan.positions, *_taken_out(plan)}
                matches = () if name in known else near(name, known, cutoff=_ALIKE)
                if not matches:
                    continue
                what = f"which no step answers to; did you mean {' or '.join(matches)}?"
            elif planned.always_run:
                what = "but it always runs, and is never undone"
            elif not any(place in part for part in plan.before(range(position, position + 1))):
                what = "which does not end before it begins"
            else:
                continue
            origin = planned.origin
            message = f"the undo_before of {planned.name} ({origin}) names '{name}', {what}"
            if planned.reason == "base":  # Its pack is that of the action, and cannot be left out.
                yield Problem(code="undo-before", message=message, origins=(origin,))
            else:
                yield problem_of("undo-before", message, origin)


def _taken_out(plan: Plan) -> Iterator[str]:
    """Yield the names of all steps that would be in the plan without its edits, or with all."""
    if plan.history is not None:
        for entry, _ in plan.history.base:
            yield from entry.names
        for edits in plan.history.edits:
            for insertion in edits.insertions:
                for entry in insertion.entries:
                    yield from entry.names
