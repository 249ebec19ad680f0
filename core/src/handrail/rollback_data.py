"""Joins the rollback data that a step recorded with that of its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from handrail.errors import RollbackDataError, StepTimeoutError, describe
from handrail.steps import StepResult

# Why a run is undone in which nothing went wrong.
ASKED = "it was rolled back"

# The error of a step that was skipped, and that the run went back over since.
SKIPPED = "it was skipped"

# How the error of a step begins that had to end because of another one, or of an interrupt.
CANCELLED = "cancelled, because "

# Why a step cannot be undone that another process has left unfinished, and that has no undo.
MAY_HAVE_LEFT = "it was interrupted, and nothing can undo it: it may have left something"

# In place of the result of a step of a group that stopped before the step began.
NOT_BEGUN = StepResult(skipped=True)


def join(result: StepResult, notes: Mapping[str, Any] | None) -> StepResult:
    """Return `result` with the recorded `notes` in its rollback data.

    Under each key the recorded values come first, and equal ones are kept once. The result of the
    step itself is never changed; a copy is.

    Raises:
        RollbackDataError: The result has a single value under a key with recorded values.
    """
    if not notes:
        return result
    joined = _returned(result)
    if joined is None:
        raise RollbackDataError(
            f"rollback_data must be a dict, but the result holds {result.rollback_data!r}"
        )
    for key, recorded in notes.items():
        if not isinstance(recorded, list):
            # An earlier process returned it, and this attempt continues.
            joined.setdefault(key, recorded)
            continue
        returned = joined.get(key, [])
        if not isinstance(returned, list | tuple):
            raise RollbackDataError(
                f"rollback data '{key}' was recorded as a list, but the result holds {returned!r}",
                ways_out=(f"return a list under '{key}', or another key",),
            )
        joined[key] = _union(
            cast("list[Any]", cast("object", recorded)), list(cast("list[Any]", returned))
        )
    return replace(result, rollback_data=joined)


def salvage(result: StepResult, notes: Mapping[str, Any]) -> StepResult:
    """Return a failed copy of `result` in which recorded values win over a misfit."""
    recorded = {key: _copied(values) for key, values in notes.items()}
    return replace(result, success=False, rollback_data={**(_returned(result) or {}), **recorded})


def failed(error: BaseException) -> StepResult:
    """Return the result of an attempt that raised `error`, with what it returned too late."""
    late = error.result if isinstance(error, StepTimeoutError) else None
    if not isinstance(late, StepResult):
        return StepResult(success=False, error=describe(error))
    return replace(late, success=False, error=describe(error), skipped=False)


def ended(outcome: StepResult, notes: Mapping[str, Any]) -> StepResult:
    """Return the data of an attempt that ended as `outcome`, for its undo."""
    try:
        return join(outcome, notes)
    except RollbackDataError:
        return salvage(outcome, notes)


def _copied(values: Any) -> Any:
    return list(cast("list[Any]", cast("object", values))) if isinstance(values, list) else values


def _returned(result: StepResult) -> dict[str, Any] | None:
    data = cast("object", result.rollback_data)
    return dict(cast("Mapping[str, Any]", data)) if isinstance(data, Mapping) else None


def _union(first: list[Any], second: list[Any]) -> list[Any]:
    together = [*first, *second]
    try:
        return list(dict.fromkeys(together))
    except TypeError:  # Not every value can be hashed.
        pass
    kept: list[Any] = []
    known: set[object] = set()
    for value in together:
        try:
            form = _frozen(value)
            if form in known:
                continue
            known.add(form)
        except (TypeError, RecursionError):  # An object that compares in ways of its own.
            if any(same(value, other) for other in kept):
                continue
        kept.append(value)
    return kept


def _frozen(value: Any) -> object:
    """Return a hashable form, equal for equal values; for a million lists it takes a second.

    Raises:
        TypeError: The value, or a part of it, can be neither hashed nor frozen.
    """
    if isinstance(value, list | tuple):
        kind = list if isinstance(value, list) else tuple
        return (kind, *map(_frozen, cast("list[Any]", value)))
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", cast("object", value)).items()
        return (dict, frozenset((key, _frozen(each)) for key, each in items))
    hash(value)
    return value


def same(value: Any, other: Any) -> bool:
    """Return whether two values are equal; those that cannot be compared are if they are one."""
    try:
        return value is other or bool(value == other)
    except Exception:  # noqa: BLE001 - arrays, for one, do not compare to one truth value
        return False
