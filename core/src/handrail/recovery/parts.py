"""PartRun: a recorded run that is a part of another one, to be finished, undone or shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handrail.errors import RefusedError, RollbackRefusedError, RunHeldError
from handrail.frozen import record
from handrail.lock.model import LockUse
from handrail.recovery.prepare import prepare
from handrail.recovery.preview import recorded_result
from handrail.recovery.recorded_plan import steps_of
from handrail.recovery.status import is_sweep

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.context import RuntimeContext
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RunRow
    from handrail.packs.provider import Packs
    from handrail.recovery.resume_run import Recovery
    from handrail.recovery.status import Aim


@record
class PartRun:
    """A recorded run that is a part of another one.

    Attributes:
        action: The class of its action.
        journal: The journal.
        row: The run, without its plan.
        packs: The packs with which its parent is planned.
        ctx: The runtime context for its steps.
        handed_down: How its parent is gone on with: `accept_drift` and `take_over`.
    """

    action: type[BaseAction[Any]]
    journal: Journal
    row: RunRow
    packs: Packs
    ctx: RuntimeContext | None
    handed_down: Mapping[str, bool]

    def recovery(self, aim: Aim) -> Recovery:
        """Return what finishes or undoes the run; see `prepare`. The lock has its parent only."""
        return prepare(
            self.action,
            self.journal.read(self.row.number),
            self.journal,
            aim,
            ctx=self.ctx,
            packs=self.packs,
            lock=LockUse(no_lock=True),
            accept_drift=self.handed_down.get("accept_drift", False),
            take_over=self.handed_down.get("take_over", False),
        )

    def result(self) -> Mapping[str, Any]:
        """Return what the action returned at the end of the run."""
        return recorded_result(self.recovery("rollback"))

    def executed(self, *, closing: bool = False) -> int:
        """Return how many steps it has executed.

        Args:
            closing: Count those that always run only.
        """
        recorded = self.journal.read(self.row.number, fields=False)
        always = {step["name"] for step in steps_of(recorded.row) if step["always_run"]}
        done = {each.step for each in recorded.attempts if each.state == "done"}
        return len(done & always if closing else done)


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
