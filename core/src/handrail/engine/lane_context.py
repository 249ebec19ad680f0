"""The context of a lane: a copy of that of the run, and what the steps of the lane change in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy, deepcopy
from dataclasses import fields
from typing import Any, cast

from handrail.context import INTERCEPT, LINK, OPTIONS, RECORDER, BaseStepContext

# Attributes that are no fields of the user's, and are not merged as those are.
_OURS = frozenset(each.name for each in fields(BaseStepContext)) | {
    *(INTERCEPT, LINK, OPTIONS, RECORDER)
}
_ATOMS = frozenset({str, int, float, bool, bytes, complex, type(None)})
_ABSENT: Any = object()


def context_of_lane(context: BaseStepContext) -> BaseStepContext:
    """Return a context with the fields of `context` as they are now, for the steps of one lane.

    A value is copied where its copy is equal to it; others, such as connections, are shared.
    """
    own = copy(context)
    values, memo = own.__dict__, dict[int, Any]()
    for name, value in values.items():
        if name not in _OURS:
            values[name] = copied(value, memo)
    own.step_results = list(context.step_results)
    own.errors = list(context.errors)
    own.current_step = None
    return own


def changes(context: BaseStepContext, before: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a lane's context that differ from those of the run `before` the group."""
    for name, value in list(vars(context).items()):
        if name not in _OURS and not same(value, before.get(name, _ABSENT)):
            yield name, value


def same(value: Any, other: Any) -> bool:
    """Return whether two values are equal; those that cannot be compared are if they are one."""
    if value is other:
        return True
    if value is _ABSENT or other is _ABSENT:
        return False
    try:
        return bool(value == other)
    except Exception:  # noqa: BLE001 - arrays, for one, do not compare to one truth value
        return False


def copied(value: Any, memo: dict[int, Any] | None = None) -> Any:
    """Return a copy of a value, at any depth, or the value itself if its copy is not equal to it.

    Args:
        value: The value.
        memo: The values copied so far, by their identity, so that one of several names stays one.
    """
    if type(value) in _ATOMS:
        return value
    memo = {} if memo is None else memo
    if id(value) in memo:
        return memo[id(value)][1]
    kind = cast("type[object]", type(value))
    made: Any = None
    # With the value itself: its identity is its own only as long as it is there.
    if kind is list:
        memo[id(value)] = value, (made := [])
        made += [copied(each, memo) for each in value]
    elif kind is dict:
        memo[id(value)] = value, (made := {})
        made |= {key: copied(each, memo) for key, each in value.items()}
    elif kind is tuple:
        made = tuple([copied(each, memo) for each in value])
    else:
        made = _copied_if_equal(value)
    memo[id(value)] = value, made
    return made


def _copied_if_equal(value: Any) -> Any:
    # What is equal to itself only, such as a model with its weights, is not copied in vain.
    if cast("Any", type(value)).__eq__ is object.__eq__:
        return value
    try:
        made = deepcopy(value) if bool(value == value) else value
    except Exception:  # noqa: BLE001 - not everything can be copied
        return value
    return made if same(made, value) else value
