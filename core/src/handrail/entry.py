"""One place in a registry: what a plan needs to know of a step, read once and checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any, cast

from handrail.errors import InvalidStepError
from handrail.steps import BaseStep, FunctionStep
from handrail.wrapper import StepWrapper


@dataclass(slots=True, eq=False)
class Entry:
    """One place in a registry: a step, the layers put around it here, and its neighbours.

    Attributes:
        name: What the step is called in the plan; layers do not change it.
        step: The step as it was given, without the layers.
        weight: Its progress weight, read once.
        others: What it answers to beside its name: the names inside its wrappers, its aliases.
        layers: Wrappers added with `wrap` or by `replace` carried over, the innermost first.
    """

    name: str
    step: BaseStep[Any]
    weight: Real
    others: tuple[str, ...] = ()
    layers: tuple[StepWrapper[Any], ...] = ()
    previous: Entry | None = None
    next: Entry | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Everything it answers to, its name first."""
        return (self.name, *self.others)

    def stand_in_for(self, old: Entry) -> None:
        """Take over the names of what was in this place, and the layers around it."""
        self.others = tuple(dict.fromkeys((*self.names, *old.names)))[1:]
        self.layers = old.layers
        if self.layers:
            rewire(self.layers[0], old.step, self.step)

    @property
    def outermost(self) -> BaseStep[Any]:
        """The step with its layers around it."""
        return self.layers[-1] if self.layers else self.step

    @property
    def owner(self) -> str:
        """Class and module of the step, for messages."""
        return owner_of(self.step)


def owner_of(step: BaseStep[Any]) -> str:
    """Return the class or function of `step` and the module it is from, for messages."""
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
    """Yield `step` and what it is wrapped around, down to the innermost."""
    yield step
    while isinstance(step, StepWrapper):
        step = step.wrapped
        yield step


def rewire(layer: StepWrapper[Any], known: BaseStep[Any], inner: BaseStep[Any]) -> None:
    """Put `inner` inside `layer`, which may be several wrappers in one, where `known` was."""
    parts = {id(part) for part in chain(known)}
    bottom = layer
    while isinstance(bottom.wrapped, StepWrapper) and id(bottom.wrapped) not in parts:
        bottom = bottom.wrapped
    bottom.wrapped = inner


def entry_for(step: BaseStep[Any]) -> Entry:
    """Read and check what a plan needs to know of `step`.

    Raises:
        InvalidStepError: It is no step, or its name or weight is missing or senseless.
    """
    kind = type(step)
    # Asking an abstract class takes as long as all the rest, so nearly every step is told by its
    # ancestors, and nearly every weight by its type.
    if BaseStep not in kind.__mro__ and not isinstance(cast("object", step), BaseStep):
        raise _no_step(step)
    name = _read(step, "name")
    if not isinstance(name, str) or not name.strip():
        raise InvalidStepError(
            f"{owner_of(step)} has the name {name!r}; it must be a non-empty string"
        )
    weight = _read(step, "progress_weight")
    usual = type(weight) in (float, int)
    if not usual and (isinstance(weight, bool) or not isinstance(weight, Real)):
        raise InvalidStepError(
            f"step '{name}' ({owner_of(step)}) has the progress_weight {weight!r}; "
            "it must be a number"
        )
    if not 0 <= cast("float", weight) < math.inf:
        raise InvalidStepError(
            f"step '{name}' ({owner_of(step)}) has the progress_weight {weight!r}; "
            "it must be finite and not below 0"
        )
    if not usual and isinstance(cast("object", weight), float):
        weight = cast("Real", float(weight))  # An enum of floats reads otherwise than its value.
    aliases = _read(step, "aliases")
    if aliases == () and StepWrapper not in kind.__mro__:
        return Entry(name, step, weight)
    return Entry(name, step, weight, _names_of(step, name)[1:])


def _no_step(given: object) -> InvalidStepError:
    if isinstance(given, type):
        return InvalidStepError(f"{given.__name__} is a class: register {given.__name__}()")
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
        names.update(dict.fromkeys(_aliases_of(current, name)))
        current = current.wrapped if isinstance(current, StepWrapper) else None
    return tuple(names)


def _aliases_of(step: BaseStep[Any], name: str) -> Iterable[str]:
    aliases: object = _read(step, "aliases")
    if not isinstance(aliases, str) and isinstance(aliases, Iterable):
        given = tuple(cast("Iterable[object]", aliases))
        names = tuple(alias for alias in given if isinstance(alias, str) and alias.strip())
        if len(names) == len(given):
            return names
    raise InvalidStepError(
        f"the aliases of step '{name}' ({owner_of(step)}) are {aliases!r}; they must be a tuple "
        "of names, such as ('old_name',)"
    )
