"""`handrail rollback --keep`: undoes the runs of a sweep but some."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from handrail.amounts import plural
from handrail.cli import Listing, command_line, number_in, says_yes
from handrail.derived import PartRuns
from handrail.errors import ExitCode, HandrailError
from handrail.frozen import replace
from handrail_workers.sweeps.action import SweepAction
from handrail_workers.sweeps.children import undo_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handrail.cli import RollbackRequest

_MOST = 20  # Runs that are shown before the question.


def keeping(request: RollbackRequest) -> RollbackRequest:
    """Return the request to undo all runs of a sweep but those that a call names."""
    words = "".join(f" --keep {each}" for each in request.values["keep"])
    return replace(request, carry_out=_undo_others, words=words)


def _undo_others(request: RollbackRequest) -> int:
    """Undo the runs of a sweep but those that are kept; return the exit code."""
    action, row, session = request.recovery().action, request.row, request.session
    if not isinstance(action, SweepAction):
        raise click.UsageError(f"run {row.number} is no sweep; --keep names runs of one")
    kept = {_kept(request, text) for text in request.values["keep"]}
    shared = {"run": row.number, "fence": row.fence, "folder": str(session.folder)}
    parts = PartRuns.of(request.journal, shared)
    shown = dict(undo_lines(parts, action.sweep.grid, kept))
    named = " and ".join(map(str, sorted(kept)))
    _show(request, named, shown)
    if request.request.dry_run or not shown:
        return ExitCode.DONE
    if request.asks and not says_yes(session):
        return ExitCode.INTERRUPTED
    code = _undo(request, parts, shown)
    done = "not all were rolled back" if code else f"{plural(len(shown), 'run')} rolled back"
    session.show(
        Listing(
            json=lambda: {
                "event": "Result",
                "number": row.number,
                "result": {"rolled_back": not code},
            },
            title=[
                f"{row.action} · {done}, {named} stays",
                f"  see  {command_line(f'show {row.number}')}",
            ],
        )
    )
    return code


def _show(request: RollbackRequest, named: str, shown: Mapping[int, str]) -> None:
    row, session = request.row, request.session
    write = session.console.print if request.request.dry_run else session.console.note
    told = [f" ↶ {number}  {text}" for number, text in shown.items()]
    first = told[: _MOST if len(told) > _MOST + 1 else None]
    more = len(told) - len(first)
    if request.asks or not session.json:
        for line in (
            f"run {row.number} · {row.action} · all its runs but {named}",
            *first,
            *[f"   ... and {more} more"] * bool(more),
            *["   nothing to undo"] * (not told),
        ):
            write(line)
    if session.json:
        session.console.json_line(
            {"event": "RollbackPreview", "run": row.number, "runs": list(shown)}
        )


def _undo(request: RollbackRequest, parts: PartRuns, shown: Mapping[int, str]) -> ExitCode:
    code = ExitCode.DONE
    for number, text in shown.items():
        try:
            parts.roll_back(number)
        except HandrailError as error:
            code = ExitCode.ROLLBACK
            request.session.console.note(f" ✗ {number}  {text}: {error.message}")
    return code


def _kept(request: RollbackRequest, text: str) -> int:
    """Return the number of a run of a sweep that is to stay."""
    journal, sweep = request.journal, request.row.number
    number = number_in(journal, text)
    latest = {row.parent_item: row.number for row in journal.parts(sweep)}
    if number not in latest.values():
        raise click.UsageError(
            f"--keep {text}: run {sweep} has no such run; handrail runs --of {sweep} lists them"
        )
    return number
