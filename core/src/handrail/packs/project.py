"""Converts a project's changes to an action into edits, creating their steps and wrappers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from handrail.errors import (
    AmbiguousNameError,
    HandrailError,
    InvalidStepError,
    NotFoundError,
    Problem,
    describe,
)
from handrail.frozen import replace
from handrail.origin import Origin
from handrail.packs.options import check_options
from handrail.plan.edits import EditSet, Insertion, Removal, Wrapping
from handrail.plan.entry import entry_for
from handrail.steps import BaseStep
from handrail.wrapper import StepWrapper, is_wrapper

if TYPE_CHECKING:
    from handrail.packs.catalog import Catalog
    from handrail.packs.record import EntryPoint, PackRecord
    from handrail.settings.changes import Changes, Insert, Wrap

OWNER = "project"


def edits_of(changes: Sequence[Changes], catalog: Catalog) -> tuple[EditSet, tuple[Problem, ...]]:
    """Return `changes`, in order, as one set of edits, and the problems found in them.

    Raises:
        PackError: A step is from a pack that is broken.
        LocalCodeError: A step is in a file of the project that cannot be imported.
    """
    making = _Making(catalog=catalog)
    for each in changes:
        for insert in each.inserts:
            making.insert(insert)
        # In a plan the last layer is outermost; in the file, the first.
        for wrap in reversed(each.wraps):
            making.wrap(wrap)
        making.edits.removals += [
            Removal(name=remove.step, origin=remove.origin) for remove in each.removes
        ]
    return making.edits, tuple(making.problems)


@dataclass(slots=True, kw_only=True)
class _Making:
    catalog: Catalog
    edits: EditSet = field(default_factory=lambda: EditSet(owner=OWNER))
    problems: list[Problem] = field(default_factory=list[Problem])

    def insert(self, insert: Insert) -> None:
        found = self._load(insert.step, insert.origin)
        if found is None:
            return
        record, entry, target = found
        if _is_wrapper(target):
            way = f'wrap.STEP = ["{insert.step}"]'
            self._problem(f"{insert.step} is a wrapper", insert.origin, way, code="bad-option")
            return
        step = self._made(insert, target)
        if step is None:
            return
        try:
            made = entry_for(_renamed(step, insert.name) if insert.name else step)
        except InvalidStepError as error:
            self._problem(error.message, insert.origin, code="invalid-step")
            return
        self.edits.insertions.append(
            Insertion(
                entries=(made,),
                anchor=insert.anchor,
                side=insert.side,
                origin=insert.origin,
                if_missing=insert.if_missing,
                source=_source(record, entry, insert.origin),
            )
        )

    def wrap(self, wrap: Wrap) -> None:
        found = self._load(wrap.use, wrap.origin)
        if found is None:
            return
        record, entry, target = found
        if not _makes_layers(target):
            way = f'insert = [{{ step = "{wrap.use}", before = "{wrap.step}" }}]'
            self._problem(f"{wrap.use} is not a wrapper", wrap.origin, way, code="bad-option")
            return
        checked = check_options(target, wrap.options, given=1)
        if self._report(wrap.use, checked.mistakes, wrap.origin):
            return
        self.edits.wrappings.append(
            Wrapping(
                name=wrap.step,
                layer=cast("Callable[..., StepWrapper[Any]]", partial(target, **checked.values)),
                origin=wrap.origin,
                source=_source(record, entry, wrap.origin),
            )
        )

    def _load(self, name: str, origin: Origin) -> tuple[PackRecord, EntryPoint, Any] | None:
        try:
            record, entry = self.catalog.find("steps", name)
            return record, entry, self.catalog.load("steps", f"{record.id}:{entry.name}")
        except (NotFoundError, AmbiguousNameError) as error:
            self._problem(error.message, origin, *error.ways_out, code=error.code)
            return None
        except HandrailError as error:
            if error.origin is None:
                error.origin = origin
            raise

    def _made(self, insert: Insert, target: Any) -> BaseStep[Any] | None:
        if _is_step(target):
            # A copy, because its name may be changed, and all plans share the object.
            self._report(insert.step, _no_options(insert.options), insert.origin)
            return copy(target)
        if not callable(target):
            message = f"{insert.step} is {target!r}, which does not make a step"
            self._problem(message, insert.origin, code="invalid-step")
            return None
        checked = check_options(target, insert.options)
        if self._report(insert.step, checked.mistakes, insert.origin):
            return None
        try:
            made: object = target(**checked.values)
        except Exception as error:  # noqa: BLE001 - the step's own code
            message = f"{insert.step} cannot be made: {type(error).__name__}: {describe(error)}"
            self._problem(message, insert.origin, code="bad-option")
            return None
        if _is_step(made):
            return made
        self._problem(
            f"{insert.step} made {made!r}, which is not a step", insert.origin, code="invalid-step"
        )
        return None

    def _report(self, name: str, mistakes: Iterable[tuple[str, str]], origin: Origin) -> bool:
        listed = list(mistakes)
        for message, way in listed:
            self._problem(f"{name}: {message}", origin, way, code="bad-option")
        return bool(listed)

    def _problem(self, message: str, origin: Origin, *ways_out: str, code: str) -> None:
        self.problems.append(
            Problem(
                code=code,
                message=f"{origin.place}: {message}",
                origins=(origin,),
                ways_out=tuple(way for way in ways_out if way),
            )
        )


def _is_step(candidate: object) -> TypeGuard[BaseStep[Any]]:
    return isinstance(candidate, BaseStep)


def _no_options(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(f"there is no option {name}", "it takes no options") for name in options]


def _is_wrapper(target: object) -> bool:
    return is_wrapper(target) or (isinstance(target, type) and issubclass(target, StepWrapper))


def _makes_layers(target: object) -> bool:
    """Return whether `target` is a wrapper class, or a function that may return a wrapper."""
    is_class = isinstance(target, type)
    return _is_wrapper(target) if is_class or _is_step(target) else callable(target)


def _source(record: PackRecord, entry: EntryPoint, place: Origin) -> Origin:
    """Return the origin of a step, with the line that inserts it into the plan."""
    if record.is_local:
        return Origin(module=entry.module, file=entry.module)
    return replace(record.origin, module=entry.module, file=place.file, line=place.line)


def _renamed(step: BaseStep[Any], name: str) -> BaseStep[Any]:
    try:
        step.name = name
    except AttributeError:
        # The name is a property; override it in a subclass.
        kind = type(step)
        members = {"name": name, "__module__": kind.__module__, "__qualname__": kind.__qualname__}
        step.__class__ = type(kind.__name__, (kind,), members)
    return step
