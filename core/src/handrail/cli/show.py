"""`handrail show`: how a run went, step by step, and what can be done about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from handrail.cli.journals import journal_option, number_of, opened
from handrail.cli.plain import one_line, seconds, table
from handrail.cli.runs import to_dict
from handrail.cli.session import session_of
from handrail.cli.standing import STYLES, Standing, moment, owner_of, standing
from handrail.errors import NotFoundError

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.journal.protocol import Journal
    from handrail.journal.records import AttemptRow, RecordedRun, RunRow

_STATES = {"undo_failed": "undo failed", "started": "INTERRUPTED"}
_MOST = 3  # Names that are listed; of more only the number.


_RECORDED = 48  # Columns for what a step has recorded.


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A step of a recorded run.

    Attributes:
        name: Its name.
        state: How far it came; empty where it was not started.
        attempts: How often it was started.
        took: Seconds that its last attempt took, or None where nobody knows.
        recorded: How many values it recorded for its undo, by key.
        error: Why it failed, or could not be undone.
        traceback: The same in full.
        planned: What the recorded plan says of it.
    """

    name: str
    state: str
    attempts: int
    took: float | None
    recorded: Mapping[str, int]
    error: str | None
    traceback: str | None
    planned: Mapping[str, Any]

    @property
    def is_undone(self) -> bool:
        """Whether an undo would call it."""
        open_states = ("done", "failed", "undo failed", "INTERRUPTED", "running")
        return bool(self.planned.get("undo")) and self.state in open_states

    @property
    def stays(self) -> bool:
        """Whether it may have left something that nothing takes back."""
        undone = self.planned.get("undo", True) or self.planned.get("resume", True)
        ordinary = self.planned.get("effects") and not self.planned.get("always_run")
        return bool(ordinary) and not undone and self.state not in ("", "skipped")

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "name": self.name,
            "state": self.state.lower() or "not started",
            "attempts": self.attempts,
            "took": self.took,
            "recorded": dict(self.recorded),
            "error": self.error,
            "traceback": self.traceback,
            "origin": self.planned.get("origin"),
        }


@click.command(params=[click.Argument(["run"], required=False), journal_option()])
@click.option("--traceback", is_flag=True, help="Show the tracebacks of what failed.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_context
def show(
    ctx: click.Context, run: str | None, journal: str | None, traceback: bool, as_json: bool
) -> None:
    """Show how a run went, step by step, and what can be done about it.

    RUN is its number; without one it is the latest. Only the journal is read: no pack and no code
    of the run is imported.
    """
    session = session_of(ctx)
    number = number_of(run) if run else None
    found = opened(session, journal)
    try:
        recorded = found.read(_latest(found) if number is None else number)
        stand = standing(found, recorded.row)
    finally:
        found.close()
    steps = steps_of(recorded, running=stand.state == "running")
    if as_json:
        listed = [step.to_dict() for step in steps]
        session.console.json({"run": to_dict(recorded.row, stand), "steps": listed})
    elif traceback:
        _show_tracebacks(session, recorded.row, steps)
    else:
        for line in _lines(session, recorded, stand, steps):
            session.console.print(line)


def steps_of(recorded: RecordedRun, *, running: bool) -> list[Shown]:
    """Return the steps of the plan that a run began with, and how far each came."""
    planned: list[dict[str, Any]] = json.loads(recorded.row.plan)["steps"]
    rows: dict[str, list[AttemptRow]] = {}
    for row in recorded.attempts:
        rows.setdefault(row.step, []).append(row)
    known = {step["name"] for step in planned}
    # A run that went on with --accept-drift has steps that it did not begin with.
    planned += [{"name": name} for name in rows if name not in known]
    return [_step(step, rows.get(step["name"], []), recorded, running) for step in planned]


def _step(
    planned: Mapping[str, Any], rows: Sequence[AttemptRow], recorded: RecordedRun, running: bool
) -> Shown:
    name = planned["name"]
    last = max(rows, key=lambda row: row.n, default=None)
    if last is None:
        return Shown(
            name=name,
            state="",
            attempts=0,
            took=None,
            recorded={},
            error=None,
            traceback=None,
            planned=planned,
        )
    result: dict[str, Any] = json.loads(last.result) if last.result else {}
    counts = {key: _count(value) for key, value in result.get("rollback_data", {}).items()}
    noted: dict[str, int] = {}
    for note in recorded.notes:
        if (note.step, note.n) == (name, last.n):
            noted[note.key] = noted.get(note.key, 0) + len(json.loads(note.values))
    state = "running" if running and last.state == "started" else last.state
    return Shown(
        name=name,
        state=_STATES.get(state, state),
        attempts=last.n,
        took=result.get("took"),
        recorded={**noted, **{key: n for key, n in counts.items() if key not in noted}},
        error=last.error,
        traceback=result.get("traceback"),
        planned=planned,
    )


def _count(value: object) -> int:
    return len(value) if isinstance(value, list | dict) else 1  # pyright: ignore[reportUnknownArgumentType]


def _latest(journal: Journal) -> int:
    rows = journal.runs(limit=1)
    if not rows:
        raise NotFoundError(f"there is no run in {journal.shown}")
    return rows[0].number


def _show_tracebacks(session: Session, row: RunRow, steps: Sequence[Shown]) -> None:
    failed = [step for step in steps if step.traceback or step.error]
    if not failed:
        session.console.print(f"nothing failed in run {row.number}")
    for step in failed:
        session.console.print(f"run {row.number} · {step.name} · {step.state}: {step.error or ''}")
        session.console.print((step.traceback or "no traceback was kept").rstrip())


def _lines(
    session: Session, recorded: RecordedRun, stand: Standing, steps: Sequence[Shown]
) -> list[str]:
    console = session.console
    row = recorded.row
    state = console.style(stand.told, STYLES.get(stand.state, "bold"))
    plan = str(json.loads(row.plan).get("fingerprint", ""))[:8]
    lines = [
        f"run {row.number} · {row.action} · {state}{_about_owner(row, stand)}",
        f"started {moment(row.opened):%Y-%m-%d %H:%M:%S} by {owner_of(row)['user']} "
        f"· plan {plan} · in {row.cwd}",
    ]
    begun = [step for step in steps if step.state]
    # Names come first: what was recorded gives way where a line gets long.
    told = [one_line(_recorded(step), limit=_RECORDED) for step in begun]
    rows = [
        (step.name, step.state, _took(step), recorded)
        for step, recorded in zip(begun, told, strict=True)
    ]
    if rows:
        table_lines = table(("STEP", "STATE", "TOOK", "RECORDED FOR UNDO"), rows)
        lines += [console.style(table_lines[0], "dim"), *table_lines[1:]]
    waiting = [step.name for step in steps if not step.state]
    if waiting:
        lines.append(f"+ {len(waiting)} not started: {', '.join(waiting)}")
    lines += [f"  failed  {step.name}: {one_line(step.error)}" for step in steps if step.error]
    if row.sealed is not None:
        lines.append(f"  sealed  {row.sealed}")
    longest = max((len(command) for _, command in stand.ways), default=0)
    lines += [
        f"  {purpose:7} {command:{longest}}    {_would(purpose, row, steps)}"
        for purpose, command in stand.ways
    ]
    left = [step.name for step in steps if step.stays]
    if left and stand.ways:
        have = "has" if len(left) == 1 else "have"
        lines.append(f"  stays   what {', '.join(left)} did: {have} effects, and no rollback")
    return lines


def _about_owner(row: RunRow, stand: Standing) -> str:
    if row.outcome is not None:
        return ""
    if stand.holder is not None:
        silent = stand.holder.silent
        told = f" · {stand.holder.described}"
        known = stand.state == "stalled" and silent is not None
        return f"{told}, silent for {seconds(silent or 0.0)}" if known else told
    owner = owner_of(row)
    return f" · owner pid {owner['pid']} on {owner['host']} is gone (kill -9 or power)"


def _took(step: Shown) -> str:
    return "-" if step.took is None else seconds(step.took)


def _recorded(step: Shown) -> str:
    told = ", ".join(f"{key}: {count}" for key, count in step.recorded.items()) or "-"
    return f"{told} (attempt {step.attempts})" if step.attempts > 1 else told


def _would(purpose: str, row: RunRow, steps: Sequence[Shown]) -> str:
    if purpose == "finish":
        return _would_finish(steps)
    if purpose == "again":
        return f"undoes {_listed([step.name for step in steps if step.state == 'undo failed'])}"
    undone = [step.name for step in reversed(steps) if step.is_undone]
    told = f"undoes {_listed(undone)}" if undone else "has nothing to undo"
    return f"goes on with the undo: {told}" if row.direction == "undo" else told


def _would_finish(steps: Sequence[Shown]) -> str:
    for step in steps:
        if step.state in ("INTERRUPTED", "failed"):
            if step.planned.get("resume"):
                return f"goes on in {step.name}"
            if step.planned.get("undo"):
                return f"undoes what {step.name} recorded, and runs it again"
            return f"runs {step.name} again"
    following = next((step.name for step in steps if step.state in ("", "undone")), None)
    return "closes it" if following is None else f"goes on with {following}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _MOST else f"{len(names)} steps, {names[0]} first"
