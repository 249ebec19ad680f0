"""`handrail show`: how a run went, step by step, and what can be done about it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import click

from handrail.cli.commands.runs import to_dict
from handrail.cli.hints import command_line
from handrail.cli.journals import journal_option, number_of, opened
from handrail.cli.session import session_of
from handrail.cli.view.failure import recorded_tracebacks
from handrail.cli.view.run_report import lines_of, packs_of, would
from handrail.cli.view.run_text import ways_of
from handrail.errors import NotFoundError
from handrail.recovery.recorded_plan import fingerprint_of
from handrail.recovery.recorded_steps import (
    RecordedStep,
    heard_of,
    recorded_steps,
    steps_that_stay,
    values_of,
)
from handrail.recovery.status import RunStatus, status_of

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RecordedRun, RunRow


@click.command(params=[click.Argument(["run"], required=False), journal_option()])
@click.option("--all", "everything", is_flag=True, help="Show every step, and errors in full.")
@click.option("--step", metavar="NAME", help="Show one step, with all that it recorded.")
@click.option("--traceback", is_flag=True, help="Show the tracebacks of what failed.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_context
def show(
    ctx: click.Context,
    run: str | None,
    journal: str | None,
    everything: bool,
    step: str | None,
    traceback: bool,
    as_json: bool,
) -> None:
    """Show how a run went, step by step, and what can be done about it.

    RUN is its number; without one it is the latest. Only the journal is read: no pack and no code
    of the run is imported.
    """
    if step is not None and (everything or traceback):
        raise click.UsageError("--step shows all of one step: leave --all and --traceback out")
    session = session_of(ctx)
    number = number_of(run) if run else None
    found = opened(session, journal)
    try:
        # The values of the context are for those who go on with the run.
        recorded = found.read(_latest(found) if number is None else number, fields=False)
        status = status_of(found, recorded.row)
    finally:
        found.close()
    steps = recorded_steps(recorded, running=status.state == "running")
    if step is not None:
        _show_step(session, recorded, _named(recorded.row, steps, step), as_json=as_json)
    elif as_json:
        session.console.json(_document(session, recorded, status, steps))
    elif traceback:
        for line in recorded_tracebacks(recorded.row, steps):
            session.console.print(line)
    else:
        for line in lines_of(session, recorded, status, steps, everything=everything):
            session.console.print(line)


def _latest(journal: Journal) -> int:
    rows = journal.runs(limit=1, plans=False)
    if not rows:
        raise NotFoundError(
            f"there is no run in {journal.shown}", ways_out=("handrail run ACTION makes one",)
        )
    return rows[0].number


def _named(row: RunRow, steps: Sequence[RecordedStep], name: str) -> RecordedStep:
    found = next((step for step in steps if step.name == name), None)
    if found is None:
        listing = command_line(f"show {row.number} --all")
        raise click.UsageError(f"run {row.number} has no step '{name}'; {listing} lists them")
    return found


def _document(
    session: Session, recorded: RecordedRun, status: RunStatus, steps: Sequence[RecordedStep]
) -> dict[str, Any]:
    row = recorded.row
    run = {
        **to_dict(status),
        "plan": fingerprint_of(row.plan),
        "params": json.loads(row.params),
        "core_version": row.core_version,
        "heard": heard_of(recorded),
        "given_up": row.given_up,
        "would": {purpose: would(purpose, row, steps) for purpose, _ in ways_of(status)},
        "stays": steps_that_stay(steps),
        "packs": packs_of(session, recorded),
    }
    listed = [{**step.to_dict(), "values": _values_at(row, step)} for step in steps]
    return {"run": run, "steps": listed}


def _values_at(row: RunRow, step: RecordedStep) -> str | None:
    """Return the command that shows what a step recorded."""
    if not step.recorded:
        return None
    return command_line(f"show {row.number} --step {shlex.quote(step.name)} --json")


def _show_step(
    session: Session, recorded: RecordedRun, step: RecordedStep, *, as_json: bool
) -> None:
    """Show one step with all that it recorded for its undo."""
    values: Mapping[str, Any] = values_of(recorded, step.name) if step.state else {}
    console = session.console
    if as_json:
        console.json({"run": recorded.row.number, "step": {**step.to_dict(), "values": values}})
        return
    origin: Mapping[str, Any] = step.planned.get("origin") or {}
    pack = f" · {origin['pack']} {origin['version']}" if origin.get("pack") else ""
    attempt = f" · attempt {step.attempts}" if step.attempts > 1 else ""
    state = step.state or "not started"
    console.print(f"run {recorded.row.number} · {step.name} · {state}{attempt}{pack}")
    if step.error:
        console.print((step.traceback or step.error).rstrip())
    for key, value in values.items():
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        console.print(f"{key}: {len(items)}")
        for item in items:
            console.print(f"  {item if isinstance(item, str) else json.dumps(item)}")
    if not values:
        console.print("nothing was recorded for its undo")
