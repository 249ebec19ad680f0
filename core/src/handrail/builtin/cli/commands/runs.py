"""`handrail runs`: lists the runs of a journal, and prunes old ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, cast

import click

from handrail.amounts import plural
from handrail.builtin.cli.completion import RunType
from handrail.builtin.cli.journals import given_url, journal_option, number_in, session_journal
from handrail.builtin.cli.session import session_of, takes_json
from handrail.builtin.cli.view.run_text import (
    STYLES,
    left_text,
    numbered,
    parse_time,
    run_to_dict,
    time_of,
    ways_of,
)
from handrail.builtin.cli.view.table import Cell, Listing, Row, counts, names, reasons
from handrail.builtin.cli.view.text import command_line
from handrail.builtin.records.leftovers import with_left
from handrail.builtin.records.pruning import Pruning
from handrail.builtin.records.pruning import prune as prune_journal
from handrail.errors import ExitCode, NotFoundError
from handrail.frozen import NOTHING, frozen
from handrail.records import is_derived, status_of, with_reliance

if TYPE_CHECKING:
    from handrail.builtin.cli.session import Session
    from handrail.journal import Journal
    from handrail.journal.records import Outcome, RunRow
    from handrail.records import RunStatus

_AGE = re.compile(r"(?P<count>[0-9]{1,6})\s*(?P<unit>[smhdw])")
_OPEN = ("interrupted", "running", "stalled")
_OUTCOMES = ("completed", "rolled_back", "rollback_incomplete", "failed", *_OPEN)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@click.group(invoke_without_command=True, params=[journal_option()])
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="Show at most this many, the latest first.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Show all runs, those that are parts of others, too.",
)
@click.option("--action", metavar="X", help="Show only runs of this action.")
@click.option(
    "--outcome",
    type=click.Choice(_OUTCOMES),
    metavar="X",
    help=f"Show only runs with this outcome: {', '.join(_OUTCOMES)}.",
)
@click.option(
    "--of",
    "whole",
    metavar="RUN",
    type=RunType(),
    help="Show the runs that are parts of this one, in the order of its items.",
)
@takes_json
@click.pass_context
def runs(
    ctx: click.Context,
    journal: str | None,
    limit: int,
    everything: bool,
    action: str | None,
    outcome: str | None,
    whole: str | None,
) -> None:
    """List the recorded runs, the latest first.

    A run is one line with all its parts; --of lists these.

    The journal is .handrail/runs.db of the project, unless --journal or HANDRAIL_JOURNAL names
    another. Nothing is imported.

    \b
    completed            done; handrail rollback RUN undoes it, unless sealed
    rolled back          undone
    rollback incomplete  not all could be undone; handrail rollback RUN tries again
    failed (kept)        failed with --on-failure keep; resume it or roll it back
    interrupted          its process is gone; resume it or roll it back
    running              its process is alive
    stalled              its process is alive, but shows no work; see --take-over
    damaged              its record cannot be read; see handrail doctor --journal
    """  # noqa: D301 - the escape tells click to keep the lines
    if ctx.invoked_subcommand is not None:
        return
    session = session_of(ctx)
    found = _open(session, journal)
    if found is None:
        none = "no runs yet; handrail run ACTION makes one"
        session.show(Listing(json=_Runs(journal=None).to_dict, title=[none]))
        return
    most = None if everything else limit
    with closing(found):
        limit_of_all = None if most is None else most + 1
        if whole is None:
            statuses = _found(found, action, outcome, limit_of_all)
        else:
            statuses = _parts(found, number_in(found, whole), outcome, limit_of_all)
        listed = _Runs.of(found, statuses[:most], more=len(statuses) > len(statuses[:most]))
    filtered = action is not None or outcome is not None or whole is not None
    session.show(listed.listing(filtered=filtered))


@runs.command()
@click.option("--older-than", required=True, metavar="AGE", help="An age such as 30d, 12h or 2w.")
@click.pass_context
def prune(ctx: click.Context, older_than: str) -> int:
    """Delete runs that ended longer ago than that.

    Runs that are not over, that belong to a process, that were kept after a failure, or whose
    rollback is incomplete stay. A run that was deleted cannot be resumed or rolled back any more;
    what it made stays. Packs release what they keep elsewhere for a run; if one cannot, the run
    stays, and the exit code is 1.
    """
    age = _age(older_than)
    session = session_of(ctx)
    assert ctx.parent is not None
    found = _open(session, ctx.parent.params["journal"])
    pruning = Pruning(deleted=[])
    if found is not None:
        with closing(found):
            pruning = prune_journal(found, age, session.packs.records)
    label = session.console.style("warning:", "yellow", err=True)
    for number, notes in pruning.notes.items():
        for note in notes:
            session.console.note(f"run {number}: {note}")
    for number, error in pruning.stays.items():
        session.console.note(f"{label} run {number} stays: {error.message}")
        for way in error.ways_out:
            session.console.note(f"  {way}")
    session.console.print(f"{plural(len(pruning.deleted), 'run')} deleted")
    return ExitCode.FAILED if pruning.stays else ExitCode.DONE


def _found(
    journal: Journal, action: str | None, outcome: str | None, most: int | None
) -> list[RunStatus]:
    """Return the status of runs, the latest first; without a limit also that of their parts."""
    parts = most is None
    if outcome not in _OPEN:
        kind = cast("Outcome | None", outcome)
        rows = journal.runs(limit=most, action=action, outcome=kind, parts=parts)
        return [status_of(journal, row) for row in rows]
    # The state depends on whether the owner of the run is alive.
    rows = journal.runs(action=action, outcome="interrupted", parts=parts)
    statuses = (status_of(journal, row) for row in rows)
    return list(islice((each for each in statuses if each.state == outcome), most))


def _parts(journal: Journal, whole: int, outcome: str | None, most: int | None) -> list[RunStatus]:
    """Return the status of the parts of a run, in the order of its items.

    Raises:
        NotFoundError: There is no such run.
    """
    journal.read(whole, fields=False)
    rows = sorted(journal.parts(whole), key=lambda row: row.parent_item or 0)
    statuses = (status_of(journal, row) for row in rows)
    chosen = (each for each in statuses if outcome in (None, each.row.outcome, each.state))
    return list(islice(chosen, most))


def runs_to_dict(
    journal: Journal, rows: Sequence[RunRow], *, more: bool = False
) -> dict[str, object]:
    """Return the JSON object that `handrail runs --json` writes of some runs.

    Args:
        journal: Their journal.
        rows: The runs.
        more: Whether there are more than these.
    """
    return _Runs.of(journal, [status_of(journal, row) for row in rows], more=more).to_dict()


@frozen
class _Runs:
    """Some of the runs of a journal.

    Attributes:
        journal: The journal as it is shown; None if there is none.
        statuses: The runs.
        parts: How many parts of each run whose action is derived have which outcome.
        more: Whether there are more than these.
    """

    journal: str | None
    statuses: Sequence[RunStatus] = ()
    parts: Mapping[int, Mapping[str, int]] = NOTHING
    more: bool = False

    @classmethod
    def of(cls, journal: Journal, statuses: Sequence[RunStatus], *, more: bool) -> _Runs:
        whole = with_left(journal, with_reliance(journal, statuses))
        derived = [each.row.number for each in whole if is_derived(each.row)]
        parts = {number: journal.count_parts(number) for number in derived}
        return cls(journal=journal.shown, statuses=whole, parts=parts, more=more)

    def to_dict(self) -> dict[str, object]:
        listed = [run_to_dict(each) for each in self.statuses]
        for run in listed:
            if counts := self.parts.get(run["id"]):
                run["parts"] = dict(counts)
        return {"journal": self.journal, "more": self.more, "runs": listed}

    def listing(self, *, filtered: bool) -> Listing:
        """Return the table of the runs.

        Args:
            filtered: Whether these are only those that were asked for.
        """
        if not self.statuses:
            none = f"no {'such ' * filtered}runs in {self.journal}"
            return Listing(json=self.to_dict, title=[none])
        # Several projects may keep their runs in one journal.
        shared = len({status.row.project for status in self.statuses}) > 1
        count = plural(len(self.statuses), "run")
        listed = f"the latest {count} (--all lists more)" if self.more else count
        return Listing(
            json=self.to_dict,
            head=(
                counts("RUN"),
                reasons("STATE"),
                # The end of a path distinguishes actions and projects.
                names("ACTION", cut="begin"),
                *[names("PROJECT", cut="begin")] * shared,
                counts("STARTED"),
                counts("TOOK"),
                counts("NEXT"),
            ),
            rows=(self._row(status, shared=shared) for status in self.statuses),
            dims_head=True,
            styles=[STYLES.get(status.state, "bold") for status in self.statuses],
            styled=1,
            foot=[f"{listed} in {self.journal} · one:  {command_line('show RUN')}"],
        )

    def _row(self, status: RunStatus, *, shared: bool) -> Row:
        row, ways = status.row, ways_of(status)
        return (
            str(row.number),
            ", ".join(filter(None, (_state(status), _counted(row, self.parts.get(row.number))))),
            row.action,
            *[row.project] * shared,
            _started(row.opened),
            time_of(status),
            ways[0][1] if ways and row.outcome != "completed" else "",
        )


def _open(session: Session, url: str | None) -> Journal | None:
    try:
        return session_journal(session, url)
    except NotFoundError:
        if given_url(url):
            raise
        return None


def _counted(row: RunRow, counts: Mapping[str, int] | None) -> str:
    """Return `12 runs: 11 completed, 1 failed`; nothing for a run without them."""
    if not counts:
        return ""
    whole = plural(sum(counts.values()), "run")
    if list(counts) == [row.outcome]:
        return whole
    listed = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in counts.items())
    return f"{whole}: {listed}"


def _started(opened: str) -> Cell:
    if not opened:
        return "-"  # The record is damaged.
    time = parse_time(opened)
    whole = f"{time:%Y-%m-%d %H:%M:%S}"
    return whole, whole, f"{time:%d %b %H:%M}"


def _state(status: RunStatus) -> str:
    others = status.reliance.relied_on_by
    relied_on = f"relied on by {numbered(others)}" if others else ""
    part = "" if status.row.parent is None else f"part of {status.row.parent}"
    return ", ".join(filter(None, (status.described, left_text(status), relied_on, part)))


def _age(text: str) -> timedelta:
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise click.UsageError(f"--older-than {text}: say it as 30d, 12h or 2w")
    return timedelta(**{_UNITS[found["unit"]]: int(found["count"])})
