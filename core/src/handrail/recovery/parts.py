"""Recorded runs that are parts of others: what they have done, and whether they stand alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from handrail.errors import RefusedError, RollbackRefusedError, RunHeldError
from handrail.recovery.recorded_plan import steps_of
from handrail.recovery.status import is_derived

if TYPE_CHECKING:
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RunRow
    from handrail.recovery.status import Aim


def closing_steps(journal: Journal, number: int) -> int:
    """Return how many steps that always run a recorded run has executed."""
    recorded = journal.read(number, fields=False)
    always = {step["name"] for step in steps_of(recorded) if step["always_run"]}
    return len(always & {each.step for each in recorded.attempts if each.state == "done"})


def check_alone(journal: Journal, row: RunRow, aim: Aim) -> None:
    """Check that a run may be finished or undone by itself, if it is a part of another one.

    Raises:
        RunHeldError: The run that it is a part of, in the end, belongs to another process that is
            alive.
        RefusedError: Only that one goes on with it, unless its action is derived.
        RollbackRefusedError: Another part that stands has taken what it returned.
    """
    wholes = list(_wholes(journal, row))
    if not wholes:
        return
    root = wholes[-1]
    about = f"run {row.number} is a part of run {root.number}"
    holder = journal.holder(root.number)
    if root.outcome is None and holder is not None and not holder.owner_is_gone:
        raise RunHeldError(f"{about}, which is held by {holder.described}")
    if aim == "resume" and not is_derived(wholes[0]):
        raise RefusedError(
            f"{about}, which goes on with it",
            ways_out=(f"go on with the whole:  handrail resume {root.number}",),
        )
    for taker in _takers(journal, row, wholes):
        raise RollbackRefusedError(
            f"{about}, in which run {taker.number} has taken what it returned",
            ways_out=(f"undo the whole:  handrail rollback {root.number}",),
        )


def _wholes(journal: Journal, row: RunRow) -> Iterator[RunRow]:
    """Yield the run that a run is a part of, and so on, up to one that is no part."""
    while row.parent is not None:
        whole = journal.read(row.parent, fields=False)
        row = whole
        yield whole


def _takers(journal: Journal, row: RunRow, wholes: Iterable[RunRow]) -> Iterator[RunRow]:
    """Yield the runs that stand and have taken what a run, or one that it is in, has returned."""
    for whole in wholes:
        takers = {
            step["name"]
            for step in steps_of(whole)
            for source in step.get("inputs", {}).values()
            if str(source).partition(".")[0] == row.parent_step
        }
        for part in journal.parts(whole.number) if takers else ():
            if part.parent_step in takers and part.outcome != "rolled_back":
                yield part
        row = whole
