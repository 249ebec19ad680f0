"""The report of a recorded run, as `handrail show` prints it: owner, steps and ways out."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any, cast

from handrail.amounts import seconds
from handrail.builtin.cli.view.failure import recorded_failures
from handrail.builtin.cli.view.run_text import (
    STYLES,
    by_hand_lines,
    parse_time,
    reliance_lines,
    run_to_dict,
    time_of,
    ways_of,
)
from handrail.builtin.cli.view.step_report import described
from handrail.builtin.cli.view.table import counts, names, reasons, table
from handrail.builtin.cli.view.text import (
    AT_THE_END,
    columns,
    command_line,
    facts,
    folded,
    group_mark,
    lane_mark,
    lanes_of,
    listed,
    one_line,
    shorten,
    terminal_width,
)
from handrail.builtin.records.run_record import RecordedStep
from handrail.builtin.records.status import DEATH
from handrail.builtin.records.step_state import UNDONE
from handrail.frozen import frozen
from handrail.journal import now
from handrail.records import is_derived

if TYPE_CHECKING:
    from handrail.builtin.cli.session import Session
    from handrail.builtin.cli.view.table import Style
    from handrail.builtin.records.run_record import RunRecord
    from handrail.journal.records import RunRow

_ROOM = 50  # Columns beside a command.
_NAME = 24
_KEYS = 6  # Keys of the recorded rollback data of a step.
_VALUE = 100  # Letters of a param, or of a value of the result.
_RESULT = 300  # Letters of a result.
_MOST_ATTACHING = 5  # Number of steps of which it is shown what they have attached.
_FULL = 12  # Up to this many steps are all shown; of more, only the notable ones.
_FIRST = 2  # Number of steps shown even if they are not notable.
_MOST_OBSERVED = 500
_NOTABLE = 20  # Number of notable steps that are shown.

_LATER = ("not started", "waiting")
_HEAD = (names("STEP"), counts("STATE"), counts("TOOK"), reasons("RECORDED FOR UNDO"))

Row = tuple[str, str, str, str]


@frozen
class RunReport:
    """The report of a recorded run.

    Attributes:
        session: The call, which has the installed packs.
        record: The run.
        everything: Whether to show everything, however long.
    """

    session: Session
    record: RunRecord
    everything: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object for programs."""
        record, row = self.record, self.record.row
        run = {
            **run_to_dict(record),
            "plan": record.fingerprint,
            "params": record.params,
            "given": record.given,
            "core_version": row.core_version,
            "relies_on_uids": list(record.reliance.uids),
            "heard": record.heard,
            "now": now(),
            "given_up": row.given_up,
            "would": {
                purpose: _effect(purpose, record)
                for purpose, _ in ways_of(record)
                if not record.damage
            },
            "cause": record.cause,
            "result": record.result,
            "stays": [step.name for step in record.steps if step.is_not_undone],
            "packs": self._packs(),
            **record.parallel,
        }
        return {
            "run": run,
            "steps": self._steps(),
            "damaged": [each.to_dict() for each in record.damage],
        }

    def whole(self) -> dict[str, Any]:
        """Return the JSON object with all that is known, also what the steps have said.

        Of very many steps that have said something, those that failed, and the first ones.
        """
        shown = self.to_dict()
        saying = [step for step in self.record.steps if step.own_name in step.observations.steps]
        first = sorted(saying, key=lambda step: step.error is None)[:_MOST_OBSERVED]
        said = {step.name: step.observed() for step in first}
        steps = [{**step, **said.get(step["name"], {})} for step in shown["steps"]]
        return {**shown, "steps": steps}

    def lines(self, style: Style) -> Iterator[str]:
        """Yield the lines for people."""
        record, everything = self.record, self.everything
        yield from self.above(style)
        begun = [step for step in record.steps if step.state not in _LATER]
        lanes = {step.group: step.lane + 1 for step in record.steps if step.lane is not None}
        rows = list(_rows(begun, lanes, everything=everything))
        if rows:
            head, *body = table(_HEAD, rows, width=terminal_width())
            yield from (style(line, "dim") for line in head)
            yield from chain.from_iterable(body)
        yield from self._all_of(_waiting(record.steps, everything=everything))
        yield from self._all_of(recorded_failures(record, everything=everything))
        yield from self.below(style)

    def above(self, style: Style, *, with_params: bool = True) -> Iterator[str]:
        """Yield the lines above the steps: the state of the run, and how it was begun."""
        record = self.record
        before, state, after = "\n".join(_head(record)).rpartition(record.described)
        state = style(state, STYLES.get(record.state, "bold"))
        yield from f"{before}{state}{after}".split("\n")
        packs = self._packs() if ways_of(record) else {}
        yield from facts(*_about(record, packs))
        params = _params(record, everything=self.everything) if with_params else ""
        if params:
            yield from self._all_of([params])

    def below(self, _style: Style) -> Iterator[str]:
        """Yield the lines below the steps: what can be done, and what stays."""
        packs = self._packs() if ways_of(self.record) else {}
        yield from self._all_of(_outcome(self.record, everything=self.everything))
        yield from self._all_of(_below(self.record, packs))

    def _steps(self) -> list[dict[str, Any]]:
        row = self.record.row
        return [{**step.to_dict(), "values": _values_at(row, step)} for step in self.record.steps]

    def _all_of(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            yield from [line] if self.everything else folded(line)

    def _packs(self) -> dict[str, dict[str, str | None]]:
        """Return the packs of the run: the version it began with, and the one installed now."""
        before = self.record.versions
        if not before:
            return {}
        now = {pack.id: pack.version for pack in self.session.packs.records}
        return {pack: {"then": version, "now": now.get(pack)} for pack, version in before.items()}


def _values_at(row: RunRow, step: RecordedStep) -> str | None:
    """Return the command that shows the rollback data of a step."""
    if not step.recorded:
        return None
    return command_line(f"show {row.number} --step {shlex.quote(step.name)} --json")


def _head(record: RunRecord) -> list[str]:
    row = record.row
    ended = row.outcome is not None or record.damage
    about = [] if ended else [_about_owner(record)]
    # The one step of such a run tells nothing.
    if record.cause and row.outcome not in (None, "completed") and not is_derived(row):
        about.append(f"failed at {record.cause}")
    return facts(f"run {row.number}", row.action, record.described, *about)


def _about_owner(record: RunRecord) -> str:
    if record.holder is not None:
        silent = record.holder.silent
        described = record.holder.described
        known = record.state == "stalled" and silent is not None
        return f"{described}, silent for {seconds(silent or 0.0)}" if known else described
    owner = record.owner
    process = f"pid {owner['pid']} on {owner['host']}"
    if record.row.given_up:
        return f"given up by {process} (a signal, or no room for its record)"
    heard = parse_time(record.heard)
    begun = parse_time(record.row.opened)
    day = "" if heard.date() == begun.date() else f"{heard:%d %b} "
    return f"owner {process} is gone, heard of last at {day}{heard:%H:%M:%S} ({DEATH})"


def _about(record: RunRecord, packs: Mapping[str, Mapping[str, str | None]]) -> list[str]:
    row = record.row
    plan = f"plan {record.fingerprint[:8]}"
    if packs and all(each["then"] == each["now"] for each in packs.values()):
        plan += ", packs as installed"
    parts: list[str] = []
    if row.opened:
        user = record.owner["user"]
        by = f" by {user}" if user else ""
        parts.append(f"started {parse_time(row.opened):%Y-%m-%d %H:%M:%S}{by}")
    if row.parent is not None:
        parts.append(f"part of run {row.parent}")
    if record.damage:
        return [*parts, *[f"in {row.cwd}"] * bool(row.cwd)]
    if row.closed is not None:
        parts.append(f"took {time_of(record)}")
    elif record.holder is not None:
        ago = (datetime.now(UTC) - parse_time(row.opened)).total_seconds()
        parts.append(f"{seconds(ago)} ago")
    return [*parts, plan, f"in {row.cwd}"]


def _params(record: RunRecord, *, everything: bool) -> str:
    """Return the params that differ from their defaults, in order; secrets by their variable."""
    limit = sys.maxsize if everything else _VALUE
    given = (f"{name}={_value(value, limit)}" for name, value in record.given.items())
    text = " ".join(given)
    return f"with {text}" if text else ""


def _value(value: object, limit: int) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return one_line(text, limit=limit)


def _rows(
    steps: Sequence[RecordedStep], lanes: Mapping[str | None, int], *, everything: bool
) -> Iterator[Row]:
    """Yield the rows of steps; those of a chain below their action."""
    for heading, group in groupby(steps, key=_heading):
        of_action = list(group)
        if heading:
            part = of_action[0].part
            number = "" if part is None or heading == AT_THE_END else f"run {part[0].number}"
            yield heading, _states(of_action), _took(of_action), number
        for name, *rest in _rows_of(of_action if everything else _notable(of_action), lanes):
            own = f"  {name.replace(f'{heading}.', '', 1)}" if heading else name
            yield own, rest[0], rest[1], rest[2]


def _heading(step: RecordedStep) -> str:
    """Return the action of a chain that a step is of, or the heading of those that always run."""
    action = str(step.planned.get("action", ""))
    return AT_THE_END if action and step.planned.get("always_run") else action


def _rows_of(shown: Iterable[RecordedStep | Row], lanes: Mapping[str | None, int]) -> Iterator[Row]:
    """Yield the rows of steps, and those for gaps; with headings and lanes where there are groups.

    Args:
        shown: The steps, and the rows for gaps.
        lanes: The number of lanes of each group.
    """
    group: str | None = None
    for each in shown:
        if not isinstance(each, RecordedStep):
            yield each
            continue
        if each.group not in (None, group):
            yield group_mark(each.group or ""), lanes_of(lanes[each.group]), "", ""
        group = each.group
        yield _row(each, lane_mark(each.lane, lanes.get(group, 0)))


def _notable(steps: Sequence[RecordedStep]) -> Iterator[RecordedStep | Row]:
    """Yield the notable steps, and one row for each gap between them."""
    shown = _worth_showing(steps)
    for is_shown, group in groupby(enumerate(steps), key=lambda each: each[0] in shown):
        these = [step for _, step in group]
        yield from these if is_shown or len(these) == 1 else [_together(these)]


def _worth_showing(steps: Sequence[RecordedStep]) -> set[int]:
    if len(steps) <= _FULL:
        return set(range(len(steps)))
    notable = [place for place, step in enumerate(steps) if not step.is_plain]
    return {*range(_FIRST), *notable[:_NOTABLE], *notable[-1:], len(steps) - 1}


def _together(steps: Sequence[RecordedStep]) -> Row:
    recorded: Counter[str] = Counter()
    for step in steps:
        recorded.update(step.recorded)
    return f"... {len(steps)} more", _states(steps), _took(steps), _counted(recorded)


def _states(steps: Sequence[RecordedStep]) -> str:
    return "/".join(dict.fromkeys(step.state for step in steps))


def _took(steps: Sequence[RecordedStep]) -> str:
    known = [step.took for step in steps if step.took is not None]
    return seconds(sum(known)) if known else "-"


def _row(step: RecordedStep, mark: str) -> Row:
    took = "-" if step.took is None else seconds(step.took) + "+" * step.at_least
    tries = f" (attempt {step.attempts})" if step.attempts > 1 else ""
    state = f"{step.state} by hand" if step.by_hand is not None else step.state
    recorded = _counted(step.recorded)
    if step.items is not None:
        recorded = f"{step.items.described}{'' if recorded == '-' else f'; {recorded}'}"
    return f"{mark}{step.name}", state, took, f"{recorded}{tries}"


def _counted(recorded: Mapping[str, int]) -> str:
    largest_first = sorted(recorded.items(), key=lambda item: -item[1])
    shown = [f"{shorten(one_line(key), _NAME)}: {count}" for key, count in largest_first[:_KEYS]]
    more = [f"{len(recorded) - _KEYS} more"] if len(recorded) > _KEYS else []
    return ", ".join([*shown, *more]) or "-"


def _waiting(steps: Sequence[RecordedStep], *, everything: bool) -> list[str]:
    lines: list[str] = []
    for state in reversed(_LATER):
        found = [step.name for step in steps if step.state == state]
        head = f"+ {len(found)} {state}: "
        room = terminal_width() - len(head)
        shown = ", ".join(found) if everything else listed(found, room=room)
        lines += [f"{head}{shown}"] * bool(found)
    return lines


def _outcome(record: RunRecord, *, everything: bool) -> Iterator[str]:
    """Yield what the action returned, and what the steps have attached."""
    # That of a derived action, such as a sweep, says what its report says above.
    for told in () if is_derived(record.row) else _told(record.result or {}):
        yield f"  result  {told if everything else one_line(told, limit=_RESULT)}"
    following = (record.result or {}).get("next")
    if record.state == "completed" and isinstance(following, dict):
        ways = cast("dict[str, Any]", following).items()
        yield from (f"  {purpose:7} {command}" for purpose, command in ways)
    attaching = record.observations.attaching
    found = [step for step in record.steps if step.own_name in attaching]
    for step in found if everything else found[:_MOST_ATTACHING]:
        shown = (f"{one_line(each.name)} ({described(each)})" for each in step.attachments)
        yield f"  attached to {step.name}: {', '.join(shown)}"
    if found:
        yield f"  save    {command_line(f'show {record.row.number} --attachment NAME -o FILE')}"


def _told(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield a result as text: its summary or its values; of a chain the summary of each action."""
    if "summary" in result:
        yield str(result["summary"])
        return
    parts = {name: _summary(value) for name, value in result.items()}
    yield from (f"{name}: {summary}" for name, summary in parts.items() if summary is not None)
    values = [name for name, summary in parts.items() if summary is None and name != "next"]
    if values:
        yield " ".join(f"{name}={_value(result[name], _VALUE)}" for name in values)


def _summary(value: Any) -> object:
    return cast("dict[str, Any]", value).get("summary") if isinstance(value, dict) else None


def _below(record: RunRecord, packs: Mapping[str, Mapping[str, str | None]]) -> Iterator[str]:
    """Yield the lines below the steps: a seal, changed packs, the ways out, lasting effects."""
    if record.damage:
        yield from (f"  damaged {each.message.partition(': ')[2]}" for each in record.damage)
        return
    if record.row.sealed is not None:
        yield f"  sealed  {record.row.sealed}"
    yield from by_hand_lines(record)
    yield from reliance_lines(record.reliance)
    for pack, versions in packs.items():
        if versions["then"] != versions["now"]:
            yield f"  since   {pack} {_since(versions)}"
    yield from _ways(record)
    yield from _left(record)
    stays = [step.name for step in record.steps if step.is_not_undone]
    if stays and (ways_of(record) or record.row.outcome == "rolled_back"):
        yield f"  not undone: {_listed(stays)} ({_they_have(stays)} no way back)"


def _left(record: RunRecord) -> Iterator[str]:
    """Yield what an undo has left, with the command that records that it was undone by hand."""
    number, left = record.row.number, record.left
    if record.holder is not None:
        return
    unsure = [step.name for step in record.steps if step.state == "may have left something"]
    if not left:
        if unsure:
            they = _they_have(unsure)
            yield f"  look    at what {_listed(unsure)} did before the end: {they} no way back"
        return
    step = shlex.quote(left[0])
    yield f"  left    {_listed(left)}:  {command_line(f'show {number} --step {step}')}"
    for each in record.steps:
        names = [name for name in each.planned.get("undo_before", ()) if name in left]
        if names and each.name in left:
            yield f"  waits   {listed(names, room=_NAME)}, until {each.name} is undone"
    by_hand = command_line(f"rollback {number} --by-hand {step} --reason TEXT")
    yield f"  record  {by_hand}    once you have undone it"


def _listed(steps: Sequence[str]) -> str:
    return listed(steps, room=max(terminal_width() - 50, _NAME))


def _they_have(steps: Sequence[str]) -> str:
    return "it has" if len(steps) == 1 else "they have"


def _since(versions: Mapping[str, str | None]) -> str:
    now = versions["now"]
    return f"was {versions['then']}, {'is not installed any more' if now is None else f'is {now}'}"


def _ways(record: RunRecord) -> list[str]:
    commands = ways_of(record)
    longest = max((len(command) for _, command in commands), default=0)
    ways = [(f"  {purpose:7} {command}", _effect(purpose, record)) for purpose, command in commands]
    lines = [f"{way:{longest + 10}}    {effect}" for way, effect in ways]
    if all(columns(line) <= terminal_width() for line in lines):
        return lines
    return [line for way, effect in ways for line in (way, f"{'':10}{effect}")]


def _effect(purpose: str, record: RunRecord) -> str:
    """Describe the effect of the command for a purpose, from the record alone."""
    steps = record.steps
    if purpose == "finish":
        return _finishing(steps)
    if purpose == "again":
        failed = [step for step in steps if step.state == "undo failed"]
        return f"undoes {_names(failed)}" if failed else "undoes what is left"
    undone = [step for step in reversed(steps) if step.is_undone]
    effect = f"undoes {_names(undone)}" if undone else "has nothing to undo"
    going = record.row.direction == "undo"
    return f"goes on with the undo: {effect}" if going else effect


def _finishing(steps: Sequence[RecordedStep]) -> str:
    for step in steps:
        lost = [key for key, entry in step.returned.items() if "unstorable" in entry]
        if lost and step.state == "done" and step.planned.get("effects"):
            name, values = shorten(step.name, _NAME), listed(lost, room=_NAME)
            return f"needs a restore() of {name} that sets {values}, which was not stored"
    ends = ("interrupted", "failed", "may have left something")
    stopped = [step for step in steps if step.state in ends]
    if len(stopped) > 1:
        return f"goes on in {_names(stopped)}"
    for step in stopped:
        name = shorten(step.name, _NAME)
        if step.planned.get("resume"):
            return f"goes on in {name}, from what it recorded"
        if step.items is not None and not step.recorded:
            return f"goes on with the items of {name}"
        if step.planned.get("undo"):
            return f"undoes what {name} recorded, and runs it again"
        return f"runs {name} again"
    following = next((x.name for x in steps if x.state in ("not started", *UNDONE)), None)
    return "closes it" if following is None else f"goes on with {shorten(following, _NAME)}"


def _names(steps: Sequence[RecordedStep]) -> str:
    return listed([step.name for step in steps], room=_ROOM)
