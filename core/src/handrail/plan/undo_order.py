"""Checks the names of steps whose undo is to wait for that of another one. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from handrail.errors import Problem
from handrail.suggest import near

if TYPE_CHECKING:
    from handrail.plan.plan import Plan, PlannedStep

_ALIKE = 0.85  # Less, and `upload_files` would be taken for a misspelt `validate_files`.


def senseless_waits(plan: Plan) -> Iterator[Problem]:
    """Yield a problem for each name in an `undo_before` that cannot be meant.

    A name that no step has is none by itself: the step may be of a pack that is not there.
    """
    known: set[str] = set()
    for position, planned in enumerate(plan.steps):
        for name in planned.facts.undo_before:
            place = plan.positions.get(name)
            if place is None:
                known = known or {*plan.positions, *_taken_out(plan)}
                matches = () if name in known else near(name, known, cutoff=_ALIKE)
                if matches:
                    hint = f"did you mean {' or '.join(matches)}?"
                    yield _problem(planned, f"'{name}', which no step answers to", hint)
            elif planned.always_run:
                yield _problem(planned, f"'{name}', but it always runs, and is never undone")
            elif not any(place in part for part in plan.before(range(position, position + 1))):
                yield _problem(planned, f"'{name}', which does not end before it begins")


def _taken_out(plan: Plan) -> Iterator[str]:
    """Yield the names of all steps that would be in the plan without its edits, or with all."""
    if plan.history is not None:
        for draft in plan.history.base:
            yield from draft.entry.names
        for edits in plan.history.edits:
            for insertion in edits.insertions:
                for entry in insertion.entries:
                    yield from entry.names


def _problem(planned: PlannedStep, what: str, *details: str) -> Problem:
    owner = planned.origin.pack if planned.reason != "base" else None
    return Problem(
        code="undo-before",
        message=f"the undo_before of {planned.name} ({planned.origin}) names {what}",
        origins=(planned.origin,),
        details=(*((planned.origin.place,) if planned.origin.place else ()), *details),
        ways_out=(f"leave it out:  --no-pack {owner}",) if owner else (),
    )
