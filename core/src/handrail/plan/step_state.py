"""The attributes of steps, which hooks see and may not change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from operator import is_
from typing import TYPE_CHECKING, Any, cast

from handrail.plan.problems import step_changed
from handrail.steps import BaseStep

if TYPE_CHECKING:
    from handrail.errors import Problem
    from handrail.plan.order import Contributor

States = Sequence[tuple[BaseStep[Any], Mapping[str, Any]]]


def states_of(steps: Iterable[BaseStep[Any]]) -> States:
    """Return each step with its attributes as they are now."""
    return [(step, _attributes(step)) for step in steps]


class StepChanges:
    """What packs have changed in steps that are not their own."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Contributor, list[tuple[str, str]]]] = {}

    def put_back(self, states: States, pack: Contributor) -> None:
        """Keep what the hooks of `pack` have changed, and restore it: steps may outlive a plan.

        That a cached property was read is no change.
        """
        for step, before in states:
            now = _attributes(step)
            if [*now] == [*before] and all(map(is_, now.values(), before.values())):
                continue  # The usual case, for each step of a plan and each pack.
            for name in {**before, **now}:
                if now.get(name, before) is before.get(name, now):
                    continue
                if name in before:
                    object.__setattr__(step, name, before[name])
                elif isinstance(getattr(type(step), name, None), cached_property):
                    continue
                else:
                    object.__delattr__(step, name)
                self._found.setdefault(pack.id, (pack, []))[1].append((step.name, name))

    def problems(self) -> list[Problem]:
        """Return a problem for each pack."""
        return [step_changed(changes, pack) for pack, changes in self._found.values()]


def _attributes(step: BaseStep[Any]) -> dict[str, Any]:
    """Return the class and the attributes of a step by name, with those in slots."""
    state: Any = object.__getstate__(step)
    own, slots = cast("Any", state) if isinstance(state, tuple) else (state, None)
    # The class first: what it has slots for is restored after it.
    return {"__class__": type(step), **(own or {}), **(slots or {})}
