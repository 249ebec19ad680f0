"""Whether a recorded run may be finished or undone, by itself or as a part of another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from handrail.errors import (
    HandrailError,
    RefusedError,
    RollbackRefusedError,
    RunClosedError,
    RunHeldError,
)
from handrail.journal.damage import is_damaged
from handrail.recovery.recorded import steps_of

if TYPE_CHECKING:
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RunRow

Aim = Literal["resume", "rollback"]


def only_undoes(row: RunRow, aim: Aim) -> bool:
    """Return whether a resume with this aim executes no more steps except `always_run` ones."""
    return aim == "rollback" or row.direction == "undo"


def is_derived(row: RunRow) -> bool:
    """Return whether an option has derived the action of a run, at the cost of a search."""
    return '"derived_by":' in row.packs


def refusal(row: RunRow, aim: Aim, *, again: bool = False) -> HandrailError | None:
    """Return the error if a run cannot be finished or undone, regardless of its owner, or None.

    Args:
        row: The run.
        aim: What is to be done.
        again: Whether its failed items are tried again, for which it may be completed.
    """
    number = row.number
    if row.damage is not None:
        return is_damaged(number, row.damage)
    if row.outcome == "rolled_back":
        new = f"start a new one:  handrail run {row.action}"
        return RunClosedError(f"run {number} was rolled back", ways_out=(new,))
    if again and (row.sealed is not None or row.direction == "undo"):
        why = row.sealed or "it is being undone"
        return RollbackRefusedError(f"the items of run {number} cannot be tried again: {why}")
    if row.outcome == "completed" and aim == "resume" and not again:
        return RunClosedError(f"run {number} is completed; there is nothing to resume")
    if row.outcome == "rollback_incomplete" and aim == "resume":
        return RollbackRefusedError(
            f"run {number} was rolled back, but not completely; it cannot be resumed",
            ways_out=(f"undo what is left:  handrail rollback {number}",),
        )
    if row.sealed is not None and aim == "rollback":
        return RollbackRefusedError(
            f"run {number} cannot be rolled back any more: {row.sealed}",
            ways_out=(f"finish it:  handrail resume {number}",) if row.outcome is None else (),
        )
    return None


def check(row: RunRow, aim: Aim, *, again: bool = False) -> None:
    """Check that a run can be finished or undone; `again` as for `refusal`.

    Raises:
        RunClosedError: There is nothing left to do.
        RollbackRefusedError: A sealed run was to be rolled back, or one whose rollback was
            incomplete was to be resumed.
    """
    refused = refusal(row, aim, again=again)
    if refused is not None:
        raise refused


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
