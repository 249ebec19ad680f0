"""The attributes and the code of steps, which hooks see and may not change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from operator import is_
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from handrail.plan import problems
from handrail.steps import BaseStep

if TYPE_CHECKING:
    from types import CodeType

    from handrail.errors import Problem
    from handrail.plan.order import Contributor

_Change = tuple[str, Sequence[str]]
Changes = Sequence[_Change]
"""The names of the steps that were changed, each with the names of its attributes."""

_Values = dict[str, Any] | None
_State = _Values | tuple[_Values, _Values]
_Code = tuple[object, "CodeType | None"]
"""An attribute of a class, and the code of its function."""

_METHODS = frozenset({classmethod, staticmethod})
_PUBLIC = frozenset(name for name in ("name", *dir(BaseStep)) if not name.startswith("_"))


class StepStates:
    """The attributes of steps, as they were when this was made.

    Steps may outlive a plan, so that a change that is refused must not stay in them either.
    """

    def __init__(self, steps: Iterable[BaseStep[Any]]) -> None:
        self._kept = [(step, _attributes(step)) for step in steps]

    def put_back(self) -> Changes:
        """Return what was changed, and restore it.

        That a cached property was read is no change.
        """
        return [
            (step.name, names) for step, before in self._kept if (names := _restored(step, before))
        ]


class StepChanges:
    """What hooks have changed in steps that are not their own."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[Contributor | None, list[_Change]]] = {}

    def add(self, changes: Changes, pack: Contributor | None = None, hook: str = "") -> bool:
        """Keep what `hook` of `pack`, or some hook, has changed; return whether it has."""
        if changes:
            key = "" if pack is None else pack.id, hook
            self._found.setdefault(key, (pack, []))[1].extend(changes)
        return bool(changes)

    def problems(self) -> list[Problem]:
        """Return a problem for each hook."""
        return [
            problems.step_changed(changes, pack, hook)
            for (_, hook), (pack, changes) in self._found.items()
        ]


class StepCode:
    """The functions of the classes of steps, and those that steps were made from.

    Compared once for a plan, however many steps and packs it has.
    """

    def __init__(self, steps: Iterable[BaseStep[Any]]) -> None:
        self._steps = tuple(steps)
        kinds = {each for kind in set(map(type, self._steps)) for each in kind.__mro__[:-1]}
        self._classes = {kind: _code_of(kind) for kind in kinds}
        self._functions = {
            function: function.__code__ for step in self._steps for function in _functions_of(step)
        }

    def put_back(self) -> Changes:
        """Return what was changed, and restore it."""
        changed: dict[object, list[str]] = {}
        for kind, before in self._classes.items():
            if names := _restored_class(kind, before):
                changed[kind] = names
        for function, code in self._functions.items():
            if function.__code__ is not code:
                function.__code__ = code
                changed[function] = [f"{function.__name__}.__code__"]
        if not changed:
            return []
        found: dict[str, list[str]] = {}
        for step in self._steps:
            for part in (*type(step).__mro__, *_functions_of(step)):
                if part in changed:
                    found.setdefault(step.name, []).extend(changed[part])
        return list(found.items())


def _functions_of(step: BaseStep[Any]) -> list[FunctionType]:
    own: Mapping[str, object] = getattr(step, "__dict__", {})
    return [value for value in own.values() if type(value) is FunctionType]


def _code_of(kind: type) -> dict[str, _Code]:
    """Return the functions of a class by name, and what it has of the attributes of steps.

    Others, such as a counter or a cache, may change.
    """
    found: dict[str, _Code] = {}
    for name, value in vars(kind).items():
        if type(value) is FunctionType:
            found[name] = value, value.__code__
        elif type(value) in _METHODS:
            found[name] = value, getattr(value.__func__, "__code__", None)
        elif name in _PUBLIC:
            found[name] = value, None
    return found


def _restored_class(kind: type, before: Mapping[str, _Code]) -> list[str]:
    now = _code_of(kind)
    if now == before:
        return []
    names: list[str] = []
    for name in {**before, **now}:
        if name not in before:
            delattr(kind, name)
            names.append(f"{kind.__name__}.{name}")
            continue
        value, code = before[name]
        if name not in now or value is not now[name][0]:
            setattr(kind, name, value)
            names.append(f"{kind.__name__}.{name}")
        elif code is not now[name][1]:
            cast("Any", getattr(value, "__func__", value)).__code__ = code
            names.append(f"{kind.__name__}.{name}.__code__")
    return names


def _restored(step: BaseStep[Any], before: Mapping[str, Any]) -> list[str]:
    now = _attributes(step)
    if before.keys() == now.keys() and all(map(is_, before.values(), now.values())):
        return []  # The usual case, for each step of a plan.
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


def _attributes(step: BaseStep[Any]) -> dict[str, Any]:
    """Return the class and the attributes of an instance by name, with those in slots."""
    state = cast("_State", object.__getstate__(step))
    own, slots = state if isinstance(state, tuple) else (state, None)
    # The class first: what it has slots for is restored after it.
    return {"__class__": type(step), **(own or {}), **(slots or {})}
