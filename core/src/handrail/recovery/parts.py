"""Recorded runs that are parts of others: what they have done, and whether they stand alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.errors import RefusedError, RollbackRefusedError, RunHeldError
from handrail.recovery.recorded_plan import steps_of
from handrail.recovery.status import is_sweep

if TYPE_CHECKING:
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RunRow
    from handrail.recovery.status import Aim


def closing_steps(journal: Journal, number: int) -> int:
    """Return how many steps that always run a recorded run has executed."""
    recorded = journal.read(number, fields=False)
    always = {step["name"] for step in steps_of(recorded.row) if step["always_run"]}
    return len(always & {each.step for each in recorded.attempts if each.state == "done"})


def check_alone(journal: Journal, row: RunRow, aim: Aim) -> None:
    """Check that a run may be finished or undone by itself, if it is a part of another one.

    Raises:
        RunHeldError: Its parent belongs to another process that is alive.
        RefusedError: Only its parent goes on with it, if that is no sweep.
        RollbackRefusedError: Another part that stands has taken what it returned.
    """
    if row.parent is None:
        return
    whole = journal.read(row.parent, fields=False)
    about = f"run {row.number} is a part of run {row.parent}"
    holder = journal.holder(row.parent)
    if whole.row.outcome is None and holder is not None and not holder.owner_is_gone:
        raise RunHeldError(f"{about}, which is held by {holder.described}")
    if aim == "resume" and not is_sweep(whole.row):
        raise RefusedError(
            f"{about}, which goes on with it",
            ways_out=(f"go on with the whole:  handrail resume {row.parent}",),
        )
    takers = {
        step["name"]
        for step in steps_of(whole.row)
        for source in step.get("inputs", {}).values()
        if str(source).partition(".")[0] == row.parent_step
    }
    for part in journal.parts(row.parent):
        if part.parent_step in takers and part.outcome != "rolled_back":
            raise RollbackRefusedError(
                f"{about}, in which run {part.number} has taken what it returned",
                ways_out=(f"undo the whole:  handrail rollback {row.parent}",),
            )
