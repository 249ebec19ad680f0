"""Converts a project's changes to an action into edits, creating their steps and wrappers.

Their options are validated against the signatures of the steps and wrappers.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard, cast, get_type_hints

from handrail import BaseStep, Origin, StepWrapper
from handrail.entry import entries_for
from handrail.errors import (
    AmbiguousNameError,
    HandrailError,
    InvalidStepError,
    NotFoundError,
    Problem,
    describe,
)
from handrail.frozen import record, replace
from handrail.groups import group_at
from handrail.limits import changed_by
from handrail.plan.edits import PROJECT, EditSet, Insertion, Wrapping
from handrail.wrapper import is_wrapper

if TYPE_CHECKING:
    from handrail.builtin.project.settings import Changes, Insert, Wrap
    from handrail.packs import EntryPoint, PackProvider, PackRecord
    from handrail.packs.catalog import Catalog
    from handrail.packs.configuration import Part, Parts


def edits_of(
    changes: Sequence[Changes], packs: PackProvider
) -> tuple[EditSet, tuple[Problem, ...]]:
    """Return `changes`, in order, as one set of edits, and the problems found in them.

    Raises:
        PackError: A step is from a pack that is broken.
        LocalCodeError: A step is in a file of the project that cannot be imported.
    """
    builder = _EditBuilder(catalog=packs.catalog)
    for each in changes:
        for insert in _loaded(each.inserts, packs):
            builder.insert(insert)
        # In a plan the last layer is outermost; in the file, the first.
        for wrap in reversed(each.wraps):
            if packs.loads(wrap.use):
                builder.wrap(wrap)
        builder.edits.removals += each.removes
        # For an undo, the step may be one of a pack that is left out.
        builder.edits.limitings += [
            replace(limit, missing_ok=limit.missing_ok or packs.plans_undo) for limit in each.limits
        ]
    return builder.edits, tuple(builder.problems)


def parts_of(steps: Sequence[Insert], packs: PackProvider) -> tuple[Parts, tuple[Problem, ...]]:
    """Return the steps and groups of a workflow, each with its line, and the problems in them.

    Raises:
        PackError: A step is from a pack that is broken.
        LocalCodeError: A step is in a file of the project that cannot be imported.
    """
    builder = _EditBuilder(catalog=packs.catalog)
    made = [(builder.part(each), each.origin) for each in _loaded(steps, packs)]
    found = [(part[0], origin) for part, origin in made if part is not None]
    return found, tuple(builder.problems)


def _loaded(inserts: Iterable[Insert], packs: PackProvider) -> list[Insert]:
    """Return those whose steps are loaded; of a group the lanes that are."""
    found: list[Insert] = []
    for each in inserts:
        lanes = tuple(tuple(own) for lane in each.lanes if (own := _loaded(lane, packs)))
        if lanes if each.lanes else packs.loads(each.step):
            found.append(replace(each, lanes=lanes))
    return found


@record
class _EditBuilder:
    catalog: Catalog
    edits: EditSet = field(default_factory=lambda: EditSet(owner=PROJECT))
    problems: list[Problem] = field(default_factory=list[Problem])

    def insert(self, insert: Insert) -> None:
        found = self.part(insert)
        if found is None:
            return
        part, sources = found
        try:
            entries = entries_for(part)
        except InvalidStepError as error:
            self._problem(error.message, insert.origin, code="invalid-step")
            return
        self.edits.insertions.append(
            Insertion(
                entries=entries,
                anchor=insert.anchor,
                side=insert.side,
                origin=insert.origin,
                if_missing=insert.if_missing,
                sources=sources,
            )
        )

    def part(self, insert: Insert) -> tuple[Part, tuple[Origin, ...]] | None:
        """Return a step or a group, and the origin of each of its steps."""
        made = [self._step(each) for each in insert.steps]
        found = [each for each in made if each is not None]
        if len(found) < len(made):
            return None
        sources = tuple(source for _, source in found)
        if not insert.lanes:
            return found[0][0], sources
        steps = iter(step for step, _ in found)
        lanes = [[next(steps) for _ in lane] for lane in insert.lanes]
        try:
            return group_at(insert.origin, insert.name, lanes, insert.concurrency), sources
        except InvalidStepError as error:
            self._problem(error.message, insert.origin, *error.ways_out, code="invalid-step")
            return None

    def _step(self, insert: Insert) -> tuple[BaseStep[Any], Origin] | None:
        found = self._load(insert.step, insert.origin)
        if found is None:
            return None
        record, entry, target = found
        if _is_wrapper(target):
            way = f'wrap.STEP = ["{insert.step}"]'
            self._problem(f"{insert.step} is a wrapper", insert.origin, way, code="bad-option")
            return None
        step = self._create(insert, target)
        if step is None:
            return None
        if insert.name:
            step = _changed(step, "name", insert.name)
        if insert.limits:
            step = self._limited(step, insert)
        return step, _source(record, entry, insert.origin)

    def _limited(self, step: BaseStep[Any], insert: Insert) -> BaseStep[Any]:
        try:
            limits, policy = changed_by(step.limits, step.rollback_policy, insert.limits)
        except InvalidStepError as error:
            ways_out = error.ways_out
            self._problem(f"{insert.step}: {error}", insert.origin, *ways_out, code=error.code)
            return step
        step = copy(step)  # Other actions may have the same object.
        return _changed(_changed(step, "limits", limits), "rollback_policy", policy)

    def wrap(self, wrap: Wrap) -> None:
        found = self._load(wrap.use, wrap.origin)
        if found is None:
            return
        record, entry, target = found
        if not _makes_layers(target):
            way = f'insert = [{{ step = "{wrap.use}", before = "{wrap.step}" }}]'
            self._problem(f"{wrap.use} is not a wrapper", wrap.origin, way, code="bad-option")
            return
        values, mistakes = check_options(target, wrap.options, given=1)
        if self._report(wrap.use, mistakes, wrap.origin):
            return
        self.edits.wrappings.append(
            Wrapping(
                name=wrap.step,
                layer=cast("Callable[..., StepWrapper[Any]]", partial(target, **values)),
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

    def _create(self, insert: Insert, target: Any) -> BaseStep[Any] | None:
        if _is_step(target):
            # A copy, because its name may be changed, and all plans share the object.
            mistakes = [f"there is no option {name}" for name in insert.options]
            self._report(insert.step, mistakes, insert.origin)
            return copy(target)
        if not callable(target):
            message = f"{insert.step} is {target!r}, which does not make a step"
            self._problem(message, insert.origin, code="invalid-step")
            return None
        values, mistakes = check_options(target, insert.options)
        if self._report(insert.step, mistakes, insert.origin):
            return None
        try:
            made: object = target(**values)
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

    def _report(self, name: str, mistakes: Sequence[str], origin: Origin) -> bool:
        for message in mistakes:
            self._problem(f"{name}: {message}", origin, code="bad-option")
        return bool(mistakes)

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


def _changed(step: BaseStep[Any], attribute: str, value: object) -> BaseStep[Any]:
    try:
        setattr(step, attribute, value)
    except AttributeError:
        # It is a property; override it in a subclass.
        kind = type(step)
        members = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
        step.__class__ = type(kind.__name__, (kind,), {attribute: value, **members})
    return step


def check_options(
    target: Callable[..., Any], options: Mapping[str, Any], *, given: int = 0
) -> tuple[dict[str, Any], list[str]]:
    """Return `options` with the types of the parameters of `target`, and what is wrong with them.

    Args:
        target: A class or function.
        options: Values from a TOML file.
        given: The number of leading parameters passed by position, such as a wrapper's step.
    """
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return {**options}, []  # Some classes written in C have none.
    try:
        signature.bind(*[None] * given, **options)
    except TypeError as error:
        return {}, [f"{error}; it takes ({', '.join(signature.parameters)})"]
    hints, values, mistakes = _hints(target), dict[str, Any](), list[str]()
    for name, value in options.items():
        try:
            values[name] = _converted(value, hints.get(name, Any))
        except ValueError as error:
            mistakes.append(f"the option {name} is {value!r}: {error}")
    return values, mistakes


def _hints(target: Callable[..., Any]) -> Mapping[str, Any]:
    function: Any = getattr(target, "__init__", None) if isinstance(target, type) else target
    try:
        return get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - names that only type checkers know
        return {}


def _converted(value: Any, annotation: Any) -> Any:
    if annotation is Any:
        return value
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - only where it is needed

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        text = json.dumps(value, default=str)
    except Exception:  # noqa: BLE001 - a type that pydantic does not know
        return value
    try:
        # Strict as in JSON: a number is not accepted as text, but text as a path or a date is.
        return adapter.validate_json(text, strict=True)
    except ValidationError as error:
        message = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise ValueError(f"{message[:1].lower()}{message[1:]}") from None
