"""Finds steps and layers of packs that need another context than that of the action."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from handrail.context import BaseStepContext
from handrail.entry import chain
from handrail.errors import Problem
from handrail.steps import BaseStep, FunctionStep
from handrail.wrapper import is_wrapper

if TYPE_CHECKING:
    from handrail.origin import Origin
    from handrail.plan.action_info import ActionInfo
    from handrail.plan.edits import EditSet


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
            known[key] = _context_of(part)
        wanted = known[key]
        if wanted is not None and not issubclass(action.context_type, wanted):
            found.append(_problem(action, what, wanted, origin))
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


def _context_of(step: BaseStep[Any]) -> type[BaseStepContext] | None:
    said = _annotated(step) if isinstance(step, FunctionStep) else _argument(type(step))
    said = get_origin(said) or said  # ActionContext[TidyParams] is an ActionContext.
    if isinstance(said, type) and issubclass(said, BaseStepContext):
        return said
    return None


def _annotated(step: FunctionStep[Any]) -> object:
    try:
        parameters = inspect.signature(step.function, eval_str=True).parameters
    except Exception:  # noqa: BLE001 - a name that only a checker imports
        return None
    return next((each.annotation for each in parameters.values()), None)


def _argument(cls: type) -> object:
    """Return the context argument in the bases of `cls`: a class, a TypeVar, or None."""
    for base in cls.__dict__.get("__orig_bases__", cls.__bases__):
        origin: Any = get_origin(base) or base
        if not _is_step_class(origin):
            continue
        given = get_args(base)
        inherited = next(iter(getattr(BaseStep, "__parameters__", ())), None)
        if origin is not BaseStep:
            inherited = _argument(origin)
        if not isinstance(inherited, TypeVar):
            return inherited
        parameters: tuple[object, ...] = getattr(origin, "__parameters__", ())
        return given[parameters.index(inherited)] if given and inherited in parameters else None
    return None


def _is_step_class(given: Any) -> bool:
    return isinstance(given, type) and issubclass(given, BaseStep)


def _problem(
    action: ActionInfo, what: str, wanted: type[BaseStepContext], origin: Origin
) -> Problem:
    return Problem(
        code="context-type",
        message=f"{origin} {what}, which works on a {wanted.__name__}; the context of "
        f"{action.name} is a {action.context_type.__name__}",
        origins=(origin, action.origin),
        details=(origin.place,) if origin.place else (),
        ways_out=(
            f"ask first:  if issubclass(action.context_type, {wanted.__name__})",
            *((f"leave it out:  --no-pack {origin.pack}",) if origin.pack else ()),
        ),
    )
