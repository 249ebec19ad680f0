"""Converts a project's changes to an action into edits, creating their steps and wrappers.

Their options are validated against the signatures of the steps and wrappers.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard, cast, get_type_hints

from handrail import BaseStep, Origin, PlanError, StepWrapper, parallel
from handrail.errors import (
    AmbiguousNameError,
    DuplicateStepError,
    HandrailError,
    InvalidStepError,
    NotFoundError,
    Problem,
    describe,
)
from handrail.frozen import record, replace
from handrail.inspection import is_wrapper
from handrail.packs import PROJECT, EditSet, Insertion, Wrapping, changed_by, entries_for, unfit

if TYPE_CHECKING:
    from handrail import ActionInfo, Parallel, StepRegistry
    from handrail.builtin.project.settings import Changes, Insert, Wrap
    from handrail.packs import EntryPoint, PackProvider, PackRecord

    Part = BaseStep[Any] | Parallel[Any]
    Parts = Sequence[tuple[Part, Origin]]


def edits_of(
    changes: Sequence[Changes], packs: PackProvider
) -> tuple[EditSet, tuple[Problem, ...]]:
    """Return `changes`, in order, as one set of edits, and the problems found in them.

    Raises:
        PackError: A step is from a pack that is broken.
        LocalCodeError: A step is in a file of the project that cannot be imported.
    """
    builder = _EditBuilder(packs=packs)
    for each in changes:
        for insert in _loaded(each.inserts, packs):
            with builder.telling(insert.origin):
                builder.insert(insert)
        # In a plan the last layer is outermost; in the file, the first.
        for wrap in reversed(each.wraps):
            if packs.loads(wrap.use):
                with builder.telling(wrap.origin):
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
    builder = _EditBuilder(packs=packs)
    found: list[tuple[Part, Origin]] = []
    for each in _loaded(steps, packs):
        with builder.telling(each.origin):
            found.append((builder.part(each)[0], each.origin))
    return found, tuple(builder.problems)


def register_parts(
    info: ActionInfo, workflow: Changes, registry: StepRegistry[Any], packs: PackProvider
) -> None:
    """Register the steps and groups of which the project makes a workflow.

    Raises:
        PlanError: They have problems; the error lists all of them.
    """
    parts, found = parts_of(workflow.steps, packs)
    problems = list(found)
    edits = EditSet(owner=PROJECT)
    for part, line in parts:
        try:
            registry.register(part)
            edits.insertions.append(
                Insertion(entries=entries_for(part), anchor=None, side="end", origin=line)
            )
        except (DuplicateStepError, InvalidStepError) as error:
            problems.append(_problem(error, line))
    problems += unfit(info, [edits])
    if problems:
        raise PlanError(info.name, problems)


def _problem(error: HandrailError, line: Origin) -> Problem:
    """Return an error that a line of the settings causes as a problem."""
    message = f"{line.place}: {error.message}"
    return Problem(code=error.code, message=message, origins=(line,), ways_out=error.ways_out)


def _loaded(inserts: Iterable[Insert], packs: PackProvider) -> list[Insert]:
    """Return those whose steps are loaded; of a group the lanes that are."""
    found: list[Insert] = []
    for each in inserts:
        lanes = tuple(tuple(own) for lane in each.lanes if (own := _loaded(lane, packs)))
        if lanes if each.lanes else packs.loads(each.step):
            found.append(replace(each, lanes=lanes))
    return found


class _OptionError(InvalidStepError):
    code = "bad-option"


@record
class _EditBuilder:
    packs: PackProvider
    edits: EditSet = field(default_factory=lambda: EditSet(owner=PROJECT))
    problems: list[Problem] = field(default_factory=list[Problem])

    @contextmanager
    def telling(self, origin: Origin) -> Generator[None]:
        """Add what is wrong in the block to the problems."""
        try:
            yield
        except (AmbiguousNameError, InvalidStepError, NotFoundError) as error:
            self.problems.append(_problem(error, origin))
        except HandrailError as error:
            error.origin = error.origin or origin
            raise

    def insert(self, insert: Insert) -> None:
        part, sources = self.part(insert)
        self.edits.insertions.append(
            Insertion(
                entries=entries_for(part),
                anchor=insert.anchor,
                side=insert.side,
                origin=insert.origin,
                if_missing=insert.if_missing,
                sources=sources,
            )
        )

    def part(self, insert: Insert) -> tuple[Part, tuple[Origin, ...]]:
        """Return a step or a group, and the origin of each of its steps."""
        made = [self._step(each) for each in insert.steps]
        sources = tuple(source for _, source in made)
        if not insert.lanes:
            return made[0][0], sources
        steps = iter(step for step, _ in made)
        lanes = [[next(steps) for _ in lane] for lane in insert.lanes]
        group = parallel(insert.name, lanes, concurrency=insert.concurrency)
        group.origin = insert.origin
        return group, sources

    def _step(self, insert: Insert) -> tuple[BaseStep[Any], Origin]:
        record, entry, target = self._load(insert.step)
        if _is_wrapper(target):
            ways_out = (f'wrap.STEP = ["{insert.step}"]',)
            raise _OptionError(f"{insert.step} is a wrapper", ways_out=ways_out)
        step = _created(insert, target)
        if insert.name:
            step = _changed(step, "name", insert.name)
        if insert.limits:
            limits, policy = changed_by(step.limits, step.rollback_policy, insert.limits)
            step = copy(step)  # Other actions may have the same object.
            step = _changed(_changed(step, "limits", limits), "rollback_policy", policy)
        return step, _source(record, entry, insert.origin)

    def wrap(self, wrap: Wrap) -> None:
        record, entry, target = self._load(wrap.use)
        if not _makes_layers(target):
            way = f'insert = [{{ step = "{wrap.use}", before = "{wrap.step}" }}]'
            raise _OptionError(f"{wrap.use} is not a wrapper", ways_out=(way,))
        values = _checked(wrap.use, target, wrap.options, given=1)
        self.edits.wrappings.append(
            Wrapping(
                name=wrap.step,
                layer=cast("Callable[..., StepWrapper[Any]]", partial(target, **values)),
                origin=wrap.origin,
                source=_source(record, entry, wrap.origin),
            )
        )

    def _load(self, name: str) -> tuple[PackRecord, EntryPoint, Any]:
        catalog = self.packs.catalog
        record, entry = catalog.find("steps", name)
        return record, entry, catalog.load("steps", f"{record.id}:{entry.name}")


def _created(insert: Insert, target: Any) -> BaseStep[Any]:
    if _is_step(target):
        for name in insert.options:
            raise _OptionError(f"{insert.step}: there is no option {name}")
        # A copy, because its name may be changed, and all plans share the object.
        return copy(target)
    if not callable(target):
        raise InvalidStepError(f"{insert.step} is {target!r}, which does not make a step")
    values = _checked(insert.step, target, insert.options)
    try:
        made: object = target(**values)
    except Exception as error:
        message = f"{insert.step} cannot be made: {type(error).__name__}: {describe(error)}"
        raise _OptionError(message) from error
    if not _is_step(made):
        raise InvalidStepError(f"{insert.step} made {made!r}, which is not a step")
    return made


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


def _checked(
    name: str, target: Callable[..., Any], options: Mapping[str, Any], *, given: int = 0
) -> dict[str, Any]:
    """Return options with the types of the parameters of a step or a wrapper.

    Args:
        name: Its name, for errors.
        target: A class or function.
        options: Values from a TOML file.
        given: The number of leading parameters passed by position, such as a wrapper's step.
    """
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return {**options}  # Some classes written in C have none.
    try:
        signature.bind(*[None] * given, **options)
    except TypeError as error:
        takes = ", ".join(signature.parameters)
        raise _OptionError(f"{name}: {error}; it takes ({takes})") from None
    hints, values = _hints(target), dict[str, Any]()
    for key, value in options.items():
        try:
            values[key] = _converted(value, hints.get(key, Any))
        except ValueError as error:
            message = f"{name}: the option {key} is {value!r}: {error}"
            raise _OptionError(message) from None
    return values


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
