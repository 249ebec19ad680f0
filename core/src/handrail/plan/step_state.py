"""The attributes of steps, which hooks see and may not change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from handrail.plan import problems
from handrail.steps import BaseStep

if TYPE_CHECKING:
    from handrail.errors import Problem
    from handrail.plan.order import Contributor

Changes = Sequence[tuple[str, Sequence[str]]]
"""The names of the steps that were changed, each with the names of its attributes."""

_Values = dict[str, Any] | None
_State = _Values | tuple[_Values, _Values]


class StepStates:
    """The attributes of steps, as they were when this was made.

    Steps may outlive a plan, so that a change that is refused must not stay in them either.
    """

    def __init__(self, steps: Iterable[BaseStep[Any]]) -> None:
        self._kept = [(step, _copied(object.__getstate__(step)), type(step)) for step in steps]

    def put_back(self) -> Changes:
        """Return what was changed, and restore it.

        That a cached property was read is no change.
        """
        changes: list[tuple[str, Sequence[str]]] = []
        for step, state, kind in self._kept:
            if type(step) is kind and _equal(object.__getstate__(step), state):
                continue  # The usual case, for each step of a plan and each hook.
            if names := _restored(step, _attributes(state, kind)):
                changes.append((step.name, names))
        return changes


class StepChanges:
    """What hooks have changed in steps that are not their own."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[Contributor, list[tuple[str, Sequence[str]]]]] = {}

    def add(self, changes: Changes, pack: Contributor, hook: str) -> None:
        """Keep what `hook` of `pack` has changed."""
        if changes:
            self._found.setdefault((pack.id, hook), (pack, []))[1].extend(changes)

    def problems(self) -> list[Problem]:
        """Return a problem for each hook."""
        return [
            problems.step_changed(changes, pack, hook)
            for (_, hook), (pack, changes) in self._found.items()
        ]


def _copied(state: object) -> _State:
    """Return a state that does not change with its step; one with slots has two parts."""
    found = cast("_State", state)
    return (copy(found[0]), copy(found[1])) if isinstance(found, tuple) else copy(found)


def _equal(state: object, before: object) -> bool:
    try:
        return state == before
    except Exception:  # noqa: BLE001 - such as of an array, where another has its place
        return False


def _restored(step: BaseStep[Any], before: Mapping[str, Any]) -> list[str]:
    now = _attributes(_copied(object.__getstate__(step)), type(step))
    names = [name for name in {**before, **now} if _differs(type(step), name, before, now)]
    for name in names:
        if name in before:
            object.__setattr__(step, name, before[name])
        else:
            object.__delattr__(step, name)
    return names


def _differs(kind: type, name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    if name not in before:
        return not isinstance(getattr(kind, name, None), cached_property)
    return name not in now or before[name] is not now[name]


def _attributes(state: _State, kind: type) -> dict[str, Any]:
    """Return the class and the attributes of an instance by name, with those in slots."""
    own, slots = state if isinstance(state, tuple) else (state, None)
    # The class first: what it has slots for is restored after it.
    return {"__class__": kind, **(own or {}), **(slots or {})}
