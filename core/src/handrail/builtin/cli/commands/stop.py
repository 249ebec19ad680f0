"""`handrail stop`: stops a run that another process works on, as Ctrl-C would there."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import click

from handrail.builtin.cli.completion import RunType
from handrail.builtin.cli.journals import journal_option, number_in, session_journal
from handrail.builtin.cli.session import session_of, takes_json
from handrail.builtin.cli.view.table import Listing
from handrail.builtin.cli.view.text import command_line
from handrail.builtin.records.run_record import recorded_steps
from handrail.errors import RefusedError, RollbackRefusedError, RunClosedError
from handrail.frozen import frozen, replace
from handrail.records import RunStatus
from handrail.sqlite import held_error

if TYPE_CHECKING:
    from handrail.journal import Holder, Journal, RunRow


@click.command(
    params=[click.Argument(["run"], metavar="RUN", type=RunType()), journal_option()],
)
@click.option("--dry-run", is_flag=True, help="Show what would happen, and stop nothing.")
@takes_json
@click.pass_context
def stop(ctx: click.Context, run: str, journal: str | None, dry_run: bool) -> None:
    """Stop a run that is at work, as Ctrl-C would there.

    Its step is interrupted, and what it has done is undone; with --on-failure keep, it is kept. A
    process of this machine is interrupted at once. One elsewhere gets a request, which it reads in
    the journal within seconds. A run that is over, or is being undone, is not stopped.
    """
    session = session_of(ctx)
    with closing(session_journal(session, journal)) as found:
        stopping = stop_of(found, number_in(found, run))
        if not dry_run:
            stopping.carry_out(found)
    row = stopping.row
    session.show(
        Listing(
            json=stopping.to_dict,
            title=[f"stop run {row.number} · {row.action}", *[f"  {x}" for x in stopping.lines]],
            foot=[f"follow it:  {command_line(f'show {row.number}')}"],
        )
    )


@frozen
class Stop:
    """What stopping a run does.

    Attributes:
        row: The run.
        holder: The process that works on it.
        stops: The steps at work, which are interrupted.
        undoes: Those that are undone then, unless the run was begun with `--on-failure keep`.
        not_undone: Those with effects that no undo takes back.
    """

    row: RunRow
    holder: Holder
    stops: Sequence[str]
    undoes: Sequence[str]
    not_undone: Sequence[str]

    @property
    def lines(self) -> Sequence[str]:
        """What happens, in sentences."""
        after = f", but not {', '.join(self.not_undone)}" * bool(self.not_undone)
        return (
            f"interrupts {', '.join(self.stops) or 'it before its next step'}",
            f"then undoes {', '.join(self.undoes) or 'nothing'}{after}; "
            "with --on-failure keep, all of it stays",
            f"reaches {self.holder.described} at once"
            if self.holder.pid is not None
            else f"asks {self.holder.described}, which reads that within seconds",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "event": "Stop",
            "run": self.row.number,
            "action": self.row.action,
            "owner": self.holder.described,
            "at_once": self.holder.pid is not None,
            **{name: list(getattr(self, name)) for name in ("stops", "undoes", "not_undone")},
        }

    def carry_out(self, journal: Journal) -> None:
        """Interrupt its process, if that is on this machine; otherwise leave it a request.

        Raises:
            JournalError: The request could not be written, or the journal passes on none.
        """
        if self.holder.pid is not None:
            with suppress(PermissionError, ProcessLookupError):
                os.kill(self.holder.pid, signal.SIGINT)
                return
        journal.request_stop(self.row.number)


def stop_of(journal: Journal, number: int) -> Stop:
    """Return what stopping a run would do.

    Args:
        journal: The journal.
        number: The number of the run.

    Raises:
        NotFoundError: There is no such run.
        RunClosedError: No process works on it any more.
        RollbackRefusedError: It is being undone, and would leave things behind.
        RefusedError: It is a part of another one, which is to be stopped.
        RunHeldError: This journal is a copy of another one, which has the run.
    """
    row = root = journal.read(number, fields=False)
    while root.parent is not None:
        root = journal.read(root.parent, fields=False)
    if row.outcome is not None:
        state = RunStatus(row=row).state
        raise RunClosedError(f"run {number} is {state}; there is nothing to stop")
    if root is not row:
        way_out = f"stop the whole:  handrail stop {root.number}"
        raise RefusedError(f"run {number} is a part of run {root.number}", ways_out=(way_out,))
    holder = journal.holder(number)
    if holder is None or holder.owner_is_gone:
        ways_out = (f"handrail resume {number}", f"handrail rollback {number}")
        raise RunClosedError(f"no process works on run {number} any more", ways_out=ways_out)
    if holder.journal is not None:
        raise held_error(number, holder)
    if holder.pid is not None:
        try:
            os.kill(holder.pid, 0)
        except OSError:  # It is another user's, who reads a request.
            holder = replace(holder, pid=None)
    if row.direction == "undo":
        raise RollbackRefusedError(f"run {number} is being undone; stopping that leaves things")
    steps = recorded_steps(row, running=True, journal=journal)[::-1]
    running = [step.name for step in steps if step.state == "running"]
    ended = [replace(step, state="interrupted") if step.name in running else step for step in steps]
    return Stop(
        row=row,
        holder=holder,
        stops=running[::-1],
        undoes=[step.name for step in ended if step.is_undone],
        not_undone=[step.name for step in ended if step.is_not_undone],
    )
