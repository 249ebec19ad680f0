"""What `handrail show` prints of a run: who had it, its steps, and the ways out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from handrail.cli.view.failure import recorded_failures
from handrail.cli.view.run_text import STYLES, moment, time_of, ways_of
from handrail.cli.view.text import WIDTH, columns, facts, listed, one_line, seconds, shorten, table
from handrail.params.redact import without_passwords
from handrail.recovery.recorded_plan import fingerprint_of, origins_of
from handrail.recovery.recorded_steps import RecordedStep, heard_of, steps_that_stay

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.journal.records import RecordedRun, RunRow
    from handrail.recovery.status import RunStatus

_ROOM = 50  # Columns beside a command.
_NAME = 24
_RECORDED = 48  # Columns for what a step has recorded.
_FULL = 12  # Steps that are all shown; of more only those that tell something.
_FIRST = 2  # How many of those with nothing to tell are shown all the same.
_NOTABLE = 20  # Steps with something to tell that are shown.

Row = tuple[str, str, str, str]


def lines_of(
    session: Session,
    recorded: RecordedRun,
    status: RunStatus,
    steps: Sequence[RecordedStep],
    *,
    everything: bool,
) -> list[str]:
    """Return the lines that tell about a run.

    Args:
        session: The call.
        recorded: The run.
        status: Its status.
        steps: Its steps.
        everything: Whether to leave nothing out, however much there is.
    """
    console = session.console
    row = recorded.row
    before, told, after = "\n".join(_head(recorded, status)).rpartition(status.described)
    told = console.style(told, STYLES.get(status.state, "bold"))
    lines = f"{before}{told}{after}".split("\n")
    installed = packs_of(session, recorded) if ways_of(status) else {}
    lines += facts(*_about(recorded, status, installed))
    if params := _params(row):
        lines.append(params if everything else shorten(params))
    begun = [step for step in steps if step.state]
    rows = list(map(_row, begun)) if everything else list(_rows(begun))
    if rows:
        head, *body = table(("STEP", "STATE", "TOOK", "RECORDED FOR UNDO"), rows)
        lines += [console.style(head, "dim"), *body]
    lines += _waiting(steps, everything=everything)
    lines += recorded_failures(row, steps, everything=everything)
    if row.sealed is not None:
        lines.append(f"  sealed  {row.sealed}")
    lines += [
        f"  since   {pack} {_since(versions)}"
        for pack, versions in installed.items()
        if versions["then"] != versions["now"]
    ]
    lines += _ways(row, status, steps)
    left = steps_that_stay(steps)
    if left and ways_of(status):
        have = "has" if len(left) == 1 else "have"
        told = listed(left, room=WIDTH - 50)
        lines.append(f"  stays   what {told} did: {have} effects, and no rollback")
    return lines


def _head(recorded: RecordedRun, status: RunStatus) -> list[str]:
    row = recorded.row
    about = [] if row.outcome is not None else [_about_owner(recorded, status)]
    return facts(f"run {row.number}", row.action, status.described, *about)


def _about_owner(recorded: RecordedRun, status: RunStatus) -> str:
    if status.holder is not None:
        silent = status.holder.silent
        told = status.holder.described
        known = status.state == "stalled" and silent is not None
        return f"{told}, silent for {seconds(silent or 0.0)}" if known else told
    owner = status.owner
    process = f"pid {owner['pid']} on {owner['host']}"
    if recorded.row.given_up:
        return f"given up by {process} (a signal, or no room for its record)"
    heard = moment(heard_of(recorded))
    begun = moment(recorded.row.opened)
    day = "" if heard.date() == begun.date() else f"{heard:%d %b} "
    return f"owner {process} died after {day}{heard:%H:%M:%S} (kill -9 or power)"


def _about(
    recorded: RecordedRun, status: RunStatus, installed: Mapping[str, Mapping[str, str | None]]
) -> list[str]:
    row = recorded.row
    plan = f"plan {fingerprint_of(row.plan)[:8]}"
    if installed and all(each["then"] == each["now"] for each in installed.values()):
        plan += ", packs as installed"
    told = [f"started {moment(row.opened):%Y-%m-%d %H:%M:%S} by {status.owner['user']}"]
    if row.closed is not None:
        told.append(f"took {time_of(status)}")
    elif status.holder is not None:
        ago = (datetime.now(UTC) - moment(row.opened)).total_seconds()
        told.append(f"{seconds(ago)} ago")
    return [*told, plan, f"in {row.cwd}"]


def _params(row: RunRow) -> str:
    """Return what the run was given, in the order of its params; secrets by their variable."""
    stored: dict[str, Any] = json.loads(row.params)
    values = {name: _value(value) for name, value in stored.get("values", {}).items()}
    secrets: dict[str, str] = stored.get("secrets", {})
    values |= {name: f"${variable}" for name, variable in secrets.items()}
    told = " ".join(f"{name}={value}" for name, value in values.items() if value)
    return f"with {told}" if told else ""


def _value(value: object) -> str:
    if value is None or value is False or value in ([], {}, ""):
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return one_line(without_passwords(text), limit=WIDTH)


def _rows(steps: Sequence[RecordedStep]) -> Iterator[Row]:
    """Yield the rows of the steps that tell something, and one for those between them."""
    shown = _worth_showing(steps)
    between_them: list[RecordedStep] = []
    for place, step in enumerate(steps):
        if place not in shown:
            between_them.append(step)
            continue
        yield from _together(between_them)
        between_them = []
        yield _row(step)
    yield from _together(between_them)


def _worth_showing(steps: Sequence[RecordedStep]) -> set[int]:
    if len(steps) <= _FULL:
        return set(range(len(steps)))
    notable = [place for place, step in enumerate(steps) if not step.is_plain]
    return {*range(_FIRST), *notable[:_NOTABLE], *notable[-1:], len(steps) - 1}


def _together(steps: Sequence[RecordedStep]) -> Iterator[Row]:
    if len(steps) <= 1:
        yield from map(_row, steps)
        return
    recorded: Counter[str] = Counter()
    for step in steps:
        recorded.update(step.recorded)
    states = list(dict.fromkeys(step.state for step in steps))
    known = [step.took for step in steps if step.took is not None]
    took = seconds(sum(known)) if known else "-"
    yield f"... {len(steps)} more", "/".join(states), took, _counted(recorded)


def _row(step: RecordedStep) -> Row:
    took = "-" if step.took is None else seconds(step.took) + "+" * step.at_least
    tries = f" (attempt {step.attempts})" if step.attempts > 1 else ""
    return step.name, step.state, took, f"{_counted(step.recorded)}{tries}"


def _counted(recorded: Mapping[str, int]) -> str:
    # Names come first: what was recorded gives way where a line gets long.
    largest_first = sorted(recorded.items(), key=lambda item: -item[1])
    told = ", ".join(f"{one_line(key)}: {count}" for key, count in largest_first)
    return shorten(told or "-", _RECORDED)


def _waiting(steps: Sequence[RecordedStep], *, everything: bool) -> list[str]:
    names = [step.name for step in steps if not step.state]
    if not names:
        return []
    head = f"+ {len(names)} not started: "
    told = ", ".join(names) if everything else listed(names, room=WIDTH - len(head))
    return [f"{head}{told}"]


def _ways(row: RunRow, status: RunStatus, steps: Sequence[RecordedStep]) -> list[str]:
    commands = ways_of(status)
    longest = max((len(command) for _, command in commands), default=0)
    ways = [
        (f"  {purpose:7} {command}", would(purpose, row, steps)) for purpose, command in commands
    ]
    lines = [f"{way:{longest + 10}}    {told}" for way, told in ways]
    if all(columns(line) <= WIDTH for line in lines):
        return lines
    return [line for way, told in ways for line in (way, f"{'':10}{told}")]


def _since(versions: Mapping[str, str | None]) -> str:
    now = versions["now"]
    told = "is not installed any more" if now is None else f"is {now}"
    return f"was {versions['then']}, {told}"


def would(purpose: str, row: RunRow, steps: Sequence[RecordedStep]) -> str:
    """Return what the command for a purpose would do, in words. Only the record is asked."""
    if purpose == "finish":
        return _would_finish(steps)
    if purpose == "again":
        return f"undoes {_names([step for step in steps if step.state == 'undo failed'])}"
    undone = [step for step in reversed(steps) if step.is_undone]
    told = f"undoes {_names(undone)}" if undone else "has nothing to undo"
    return f"goes on with the undo: {told}" if row.direction == "undo" else told


def packs_of(session: Session, recorded: RecordedRun) -> dict[str, dict[str, str | None]]:
    """Return the packs of a run: which version it began with, and which is installed now."""
    origins = list(origins_of(recorded.row.plan))
    if not origins:
        return {}
    now = {record.id: record.version for record in session.packs.records}
    return {
        origin["pack"]: {"then": origin["version"], "now": now.get(origin["pack"])}
        for origin in origins
    }


def _would_finish(steps: Sequence[RecordedStep]) -> str:
    for step in steps:
        if step.state in ("INTERRUPTED", "failed"):
            name = shorten(step.name, _NAME)
            if step.planned.get("resume"):
                return f"goes on in {name}, from what it recorded"
            if step.planned.get("undo"):
                return f"undoes what {name} recorded, and runs it again"
            return f"runs {name} again"
    following = next((step.name for step in steps if step.state in ("", "undone")), None)
    return "closes it" if following is None else f"goes on with {shorten(following, _NAME)}"


def _names(steps: Sequence[RecordedStep]) -> str:
    return listed([step.name for step in steps], room=_ROOM)
