"""Registry entries: a step's name, weight and aliases, read once and validated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from numbers import Real
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import InvalidStepError
from handrail.frozen import record
from handrail.groups import Parallel
from handrail.limits import NO_LIMITS, NO_POLICY, Limits, RollbackPolicy
from handrail.steps import BaseStep, FunctionStep
from handrail.wrapper import StepWrapper

if TYPE_CHECKING:
    from handrail.origin import Origin


@record
class Entry:
    """A node in the registry's linked list: a step, the layers around it, and its neighbours.

    Attributes:
        name: The step's name in the plan; layers do not change it.
        step: The registered step, without the layers.
        weight: Its progress weight.
        others: Its further anchors: its aliases, and the names inside its wrappers.
        layers: Wrappers added by `wrap`, or carried over by `replace`; innermost first.
        previous: The entry before it, or None.
        next: The entry after it, or None.
        lane: The lane in which it stands, or None outside groups.
    """

    name: str
    step: BaseStep[Any]
    weight: Real
    others: tuple[str, ...] = ()
    layers: tuple[StepWrapper[Any], ...] = ()
    previous: Entry | None = None
    next: Entry | None = None
    lane: Lane | None = None

    @property
    def first(self) -> Entry:
        """Itself: what is inserted before it stands right before it."""
        return self

    @property
    def last(self) -> Entry:
        """Itself: what is inserted after it stands right after it."""
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """All its anchors, the step's name first."""
        return (self.name, *self.others)

    def stand_in_for(self, old: Entry) -> None:
        """Take over the names, the layers and the lane of the entry that this one replaces."""
        self.others = tuple(dict.fromkeys((*self.names, *old.names)))[1:]
        self.layers = old.layers
        self.lane = old.lane
        if self.layers:
            rewire(self.layers[0], old.step, self.step)

    @property
    def outermost(self) -> BaseStep[Any]:
        """The outermost layer, or the step if it has none."""
        return self.layers[-1] if self.layers else self.step

    @property
    def owner(self) -> str:
        """The step's class or function and its module, for messages."""
        return owner_of(self.step)


@record
class EntryGroup:
    """A group in the registry; the entries of its lanes follow each other.

    Attributes:
        name: The name of the group, which is an anchor.
        limit: The number of lanes that run at the same time; None for all of them.
        origin: The line that declares it.
        first: The first entry of its lanes.
        last: The last entry of its lanes.
    """

    name: str
    limit: int | None
    origin: Origin
    first: Entry
    last: Entry

    @property
    def names(self) -> tuple[str, ...]:
        """All its anchors."""
        return (self.name,)

    @property
    def others(self) -> tuple[str, ...]:
        """Nothing: a group has no further names."""
        return ()

    @property
    def lane(self) -> None:
        """None: what is inserted before or after a group stands in none of its lanes."""
        return

    @property
    def owner(self) -> str:
        """What it is and where it was declared, for messages."""
        return f"group of {self.origin.place}"


@record
class Lane:
    """One lane of a group; its entries share this object.

    Attributes:
        group: The group.
        number: Its place among the lanes of the group as they were declared, from 0.
    """

    group: EntryGroup
    number: int


def owner_of(step: BaseStep[Any]) -> str:
    """Return the class or function of `step` and its module, for messages."""
    cls = type(step)
    module = getattr(step, "__module__", cls.__module__)
    if isinstance(step, FunctionStep):
        return f"function {getattr(step.function, '__qualname__', step.function)} of {module}"
    return f"{cls.__qualname__} of {module}"


def innermost(step: BaseStep[Any]) -> BaseStep[Any]:
    """Return the step inside all wrappers."""
    while isinstance(step, StepWrapper):
        step = step.wrapped
    return step


def chain(step: BaseStep[Any]) -> Iterator[BaseStep[Any]]:
    """Yield `step` and then each step that it wraps, down to the innermost."""
    yield step
    while isinstance(step, StepWrapper):
        step = step.wrapped
        yield step


def around(layer: StepWrapper[Any], inner: BaseStep[Any]) -> Iterator[StepWrapper[Any]]:
    """Yield `layer`, and each wrapper in it that is around `inner`, the outermost first."""
    for part in chain(layer):
        if part is inner or not isinstance(part, StepWrapper):
            return
        yield part


def rewire(layer: StepWrapper[Any], known: BaseStep[Any], inner: BaseStep[Any]) -> None:
    """Replace `known` by `inner` inside `layer`, which may itself consist of several wrappers."""
    parts = {id(part) for part in chain(known)}
    bottom = layer
    while isinstance(bottom.wrapped, StepWrapper) and id(bottom.wrapped) not in parts:
        bottom = bottom.wrapped
    bottom.wrapped = inner


def entries_for(item: BaseStep[Any] | Parallel[Any]) -> tuple[Entry, ...]:
    """Return new entries for a step, or for all steps of a group.

    Raises:
        InvalidStepError: `item` is no step and no group, or a step in it is not valid.
    """
    if BaseStep in type(item).__mro__:
        return (entry_for(cast("BaseStep[Any]", item)),)
    if not isinstance(item, Parallel):
        return (entry_for(item),)
    lanes = [[entry_for(step) for step in lane] for lane in item.lanes]
    group = EntryGroup(item.name, item.concurrency, item.origin, lanes[0][0], lanes[-1][-1])
    for number, entries in enumerate(lanes):
        lane = Lane(group, number)
        for entry in entries:
            entry.lane = lane
    return tuple(entry for entries in lanes for entry in entries)


def entry_for(step: BaseStep[Any]) -> Entry:
    """Return a new entry for `step`.

    Raises:
        InvalidStepError: `step` is not a step, or its name, weight or aliases are not valid.
    """
    kind = type(step)
    # Fast path: `isinstance` on an ABC is slow; check the MRO and exact types first.
    if BaseStep not in kind.__mro__ and not isinstance(cast("object", step), BaseStep):
        raise _no_step(step)
    name = _read(step, "name")
    if not isinstance(name, str) or not name.strip():
        raise InvalidStepError(
            f"{owner_of(step)} has the name {name!r}; it must be a non-empty string"
        )
    weight = _read(step, "progress_weight")
    is_number = type(weight) in (float, int) or _is_real(weight)
    if not is_number or not 0 <= weight < math.inf:
        raise InvalidStepError(
            f"step '{name}' ({owner_of(step)}) has the progress_weight {weight!r}; "
            "it must be a finite number from 0 on"
        )
    aliases = _read(step, "aliases")
    plain = aliases == () and StepWrapper not in kind.__mro__
    others = () if plain else _names_of(step, name)[1:]
    limits, policy, waits = step.limits, step.rollback_policy, step.undo_before
    if limits is not NO_LIMITS or policy is not NO_POLICY or waits != ():
        _check_limits(step, name)
    return Entry(name, step, weight, others)


def _is_real(weight: object) -> bool:
    return isinstance(weight, Real) and not isinstance(cast("object", weight), bool)


def _check_limits(step: BaseStep[Any], name: str) -> None:
    for attribute, kind in (("limits", Limits), ("rollback_policy", RollbackPolicy)):
        given = getattr(step, attribute)
        if not isinstance(given, kind):
            raise InvalidStepError(
                f"step '{name}' ({owner_of(step)}) has the {attribute} {given!r}",
                ways_out=(f"write {attribute} = {kind.__name__}(timeout=30)",),
            )
    _named_in(step, name, "undo_before")


def _no_step(given: object) -> InvalidStepError:
    if isinstance(given, type):
        return InvalidStepError(f"{given.__name__} is a class: register {given.__name__}()")
    if isinstance(given, Parallel):
        return InvalidStepError(
            f"group '{given.name}' cannot take the place of a step",
            ways_out=("insert it beside the step, and remove the step",),
        )
    return InvalidStepError(f"{given!r} is not a step: derive it from BaseStep or use @step")


def _read(step: BaseStep[Any], attribute: str) -> Any:
    try:
        return getattr(step, attribute)
    except Exception as error:
        raise InvalidStepError(
            f"{owner_of(step)}: its {attribute} cannot be read: {error}"
        ) from error


def _names_of(step: BaseStep[Any], name: str) -> tuple[str, ...]:
    names = {name: None}
    current: BaseStep[Any] | None = step
    seen: set[int] = set()
    while current is not None:
        if id(current) in seen:
            raise InvalidStepError(f"step '{name}' is wrapped around itself")
        seen.add(id(current))
        label = _read(current, "name")
        if isinstance(label, str):
            names[label] = None
        names.update(dict.fromkeys(_named_in(current, name, "aliases")))
        current = current.wrapped if isinstance(current, StepWrapper) else None
    return tuple(names)


def _named_in(step: BaseStep[Any], name: str, attribute: str) -> Iterable[str]:
    named: object = _read(step, attribute)
    if not isinstance(named, str) and isinstance(named, Iterable):
        given = tuple(cast("Iterable[object]", named))
        names = tuple(each for each in given if isinstance(each, str) and each.strip())
        if len(names) == len(given):
            return names
    raise InvalidStepError(
        f"the {attribute} of step '{name}' ({owner_of(step)}) are {named!r}; they must be a tuple "
        "of names, such as ('old_name',)"
    )
