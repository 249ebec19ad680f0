"""Joining what a step recorded while it worked with what its result says."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any, cast

from handrail.errors import RollbackDataError
from handrail.steps import StepResult


def join(result: StepResult, notes: Mapping[str, list[Any]] | None) -> StepResult:
    """Return `result` with the recorded `notes` in its rollback data.

    Under each key the recorded values come first, and equal ones are kept once. The result of the
    step itself is never changed; a copy is.

    Raises:
        RollbackDataError: The result holds a single value under a key that was recorded to.
    """
    if not notes:
        return result
    joined = dict(result.rollback_data)
    for key, recorded in notes.items():
        returned = joined.get(key, [])
        if not isinstance(returned, list | tuple):
            raise RollbackDataError(
                f"rollback data '{key}' was recorded as a list, but the result holds {returned!r}",
                ways_out=(f"return a list under '{key}', or another key",),
            )
        joined[key] = _union(recorded, list(cast("list[Any]", returned)))
    return replace(result, rollback_data=joined)


def salvage(result: StepResult, notes: Mapping[str, list[Any]]) -> StepResult:
    """Return a failed copy of `result` in which recorded values win over a misfit."""
    joined = {**result.rollback_data, **{key: list(values) for key, values in notes.items()}}
    return replace(result, success=False, rollback_data=joined)


def _union(first: list[Any], second: list[Any]) -> list[Any]:
    together = [*first, *second]
    if all(isinstance(value, Hashable) for value in together):
        try:
            return list(dict.fromkeys(together))
        except TypeError:  # a tuple that holds a list
            pass
    kept: list[Any] = []
    for value in together:
        if value not in kept:
            kept.append(value)
    return kept
