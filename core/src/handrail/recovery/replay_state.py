"""Converts the rows of a recorded run to the state with which it is resumed; no side effects."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from handrail.engine.log import ResumedLane
from handrail.errors import DriftError
from handrail.frozen import record
from handrail.journal.codec import decode_results, entries_of, may_lack_json
from handrail.journal.damage import MISFIT, damaged, decode, decoding
from handrail.journal.records import AttemptRow, FieldRow, NoteRow, RunRow
from handrail.recovery.recorded import steps_of
from handrail.rollback_data import CANCELLED, NOT_BEGUN, SKIPPED, ended
from handrail.steps import StepResult

if TYPE_CHECKING:
    from handrail.journal.codec import Load
    from handrail.plan.plan import Facts, Plan


RESULT = attrgetter("result")
"""Returns the result of an attempt."""


@record
class ReplayState:
    """The state with which a resumed run begins; see `RunState` and `Line` for the fields.

    Attributes:
        finished: Results of the started steps, without `always_run` ones, in order.
        closed: Results of the finished `always_run` steps, by position.
        doubt: The rollback data recorded by the interrupted attempt.
        attempts: Number of the last attempt, by position.
        leftovers: Attempts that could not be undone and were followed by others.
        undone: Positions of steps that are undone already.
        unsure: Positions of steps that were left unfinished, have effects, and no undo.
        gone: Names of started steps that the plan no longer has.
        waiting: Positions whose undo waits for that of one of those, and which that is.
        failed: Position and error of the failed step, if any.
        retried: Positions of the steps that failed and were kept.
        taken_back: Positions of steps whose undo has begun, though the run goes forward.
        resumed: Where a group is not over, how far each of its lanes came, by the position of its
            first step.
        starts: The positions of the steps of groups that have started, in that order.
        batches: Number of the last recorded batch.
        closing: Whether an `always_run` step has begun.
        missing: The values of finished steps that could not be stored: their types by key, by
            position.
        stored: The descriptions of the values of finished steps that are stored elsewhere.
    """

    finished: list[StepResult] = field(default_factory=list[StepResult])
    closed: dict[int, StepResult] = field(default_factory=dict[int, StepResult])
    doubt: StepResult | None = None
    attempts: dict[int, int] = field(default_factory=dict[int, int])
    leftovers: dict[int, list[tuple[int, StepResult]]] = field(
        default_factory=dict[int, list[tuple[int, StepResult]]]
    )
    undone: set[int] = field(default_factory=set[int])
    unsure: set[int] = field(default_factory=set[int])
    gone: tuple[str, ...] = ()
    waiting: dict[int, str] = field(default_factory=dict[int, str])
    failed: tuple[int, str] | None = None
    retried: set[int] = field(default_factory=set[int])
    taken_back: set[int] = field(default_factory=set[int])
    resumed: dict[int, ResumedLane] = field(default_factory=dict[int, ResumedLane])
    starts: list[int] = field(default_factory=list[int])
    batches: int = 0
    closing: bool = False
    missing: dict[int, dict[str, str]] = field(default_factory=dict[int, dict[str, str]])
    stored: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])


AS_IN_RUN = (
    *("closed", "attempts", "leftovers", "undone", "gone", "waiting", "retried", "taken_back"),
    *("resumed", "closing"),
)
"""The fields that a `RunState` has under the same names."""


def replay_state_of(
    recorded: RunRow, plan: Plan, *, undoing: bool = False, load: Load | None = None
) -> ReplayState:
    """Return the state of `recorded` for the current `plan`.

    A step that was never started counts as skipped if a later one was started. In a group that is
    not over, this holds for each lane by itself.

    Args:
        recorded: The run.
        plan: The current plan.
        undoing: Whether to undo the run, even if it went forward so far; then no step is in doubt,
            and interrupted steps count as finished.
        load: Loads a value that is stored elsewhere; without it, such values are absent.

    Raises:
        DriftError: The step in doubt comes before others that have finished.
    """
    history = _history(recorded, load)
    found = ReplayState(batches=max((note.seq for note in recorded.notes), default=0))
    undoing = undoing or recorded.direction == "undo"
    lines = _Lines(history, plan, found, undoing=undoing)
    looks = may_lack_json(map(RESULT, recorded.attempts))
    several = len(history) < len(recorded.attempts)
    order: dict[int, int] = {}
    for place, planned in enumerate(plan.steps):
        attempts = history.get(planned.name)
        if attempts is None:
            if not planned.always_run:
                lines.pass_over(place)
            continue
        if several:
            _leave_over(found, place, attempts)
        _, order[place], row, result = attempts[-1]
        # One that was skipped, and that the run went back over since, is asked again.
        asks = row.state == "undone" and row.error == SKIPPED
        if row.state != "skipped" and not asks:
            found.attempts[place] = row.n
        if planned.always_run:
            found.closing = found.closing or row.state != "undone"
            if row.state not in ("started", "undone"):
                found.closed[place] = result
        elif row.state == "done":
            lines.at(place).finished.append(result)
            if looks:
                with decoding(recorded.number, attempt_name(row)):
                    _keep_values(found, place, entries_of(row.result))
        else:
            _place(found, lines.at(place), place, row, result, undoing=undoing)
            found.unsure.update(_unsure(place, planned.facts, row))
    lines.check_order()
    found.starts = sorted(
        (place for place in found.attempts if plan.steps[place].group is not None),
        key=order.__getitem__,
    )
    found.gone = _gone(recorded, history, plan)
    found.waiting.update(_waiting(recorded, plan, found.gone))
    return found


_Attempt = tuple[int, int, AttemptRow, StepResult]
"""The number of an attempt, its place among those of the run, its row, and its result."""


def _history(recorded: RunRow, load: Load | None) -> dict[str, list[_Attempt]]:
    """Return the attempts of each step, in order."""
    results = zip(recorded.attempts, _results(recorded, load), strict=True)
    attempts = [(row.n, place, row, result) for place, (row, result) in enumerate(results)]
    found = {each[2].step: [each] for each in attempts}
    if len(found) < len(attempts):
        found = {step: list[_Attempt]() for step in found}
        for each in sorted(attempts, key=itemgetter(0)):
            found[each[2].step].append(each)
    return found


def _keep_values(found: ReplayState, place: int, entries: Mapping[str, Mapping[str, Any]]) -> None:
    types = {key: each["unstorable"] for key, each in entries.items() if "unstorable" in each}
    if types:
        found.missing[place] = types
    for each in entries.values():
        found.stored += each.get("stored", ())


def _results(recorded: RunRow, load: Load | None) -> list[StepResult]:
    """Return the result of each attempt including its recorded data, as passed to an undo."""
    rows, notes = recorded.attempts, notes_of(recorded)
    decoded = iter(decoded_results(recorded, load))
    found = [_unsaid(row) if row.result is None else next(decoded) for row in rows]
    if notes:
        for place, row in enumerate(rows):
            of_attempt = notes.get((row.step, row.n))
            if of_attempt and row.state != "skipped":
                found[place] = ended(found[place], of_attempt)
    return found


def decoded_results(recorded: RunRow, load: Load | None = None) -> list[StepResult]:
    """Return the results of the attempts that have one, without their recorded data.

    Raises:
        JournalDamagedError: One is not what was written.
    """
    told = [row for row in recorded.attempts if row.result is not None]
    try:
        return decode_results([str(row.result) for row in told], load)
    except MISFIT as error:
        for row in told:  # Name the damaged one.
            with decoding(recorded.number, attempt_name(row)):
                decode_results([str(row.result)], load)
        raise damaged(recorded.number, "a result", error) from error


def attempt_name(row: AttemptRow) -> str:
    """Return an attempt in words."""
    return f"the result of attempt {row.n} of step '{row.step}'"


def _unsaid(row: AttemptRow) -> StepResult:
    if row.state == "skipped":
        return StepResult(skipped=True)
    return StepResult(success=False, error="it was interrupted")


class _Lines:
    """The line of the run, and the lanes of a group that is not over, while they are filled.

    Args:
        history: The attempts of each step.
        plan: The plan.
        found: What is filled: its `finished`, `doubt` and `resumed`.
        undoing: Whether the run is undone. Then all of it is one line.
    """

    def __init__(
        self,
        history: Mapping[str, Sequence[_Attempt]],
        plan: Plan,
        found: ReplayState,
        *,
        undoing: bool,
    ) -> None:
        self._found = found
        self._undoing = undoing
        over = "" if undoing else "undone"
        begun = [
            place
            for place, each in enumerate(plan.steps)
            if each.name in history and history[each.name][-1][2].state != over
        ]
        self._latest = max((each for each in begun if each < plan.ordinary), default=-1)
        self._lanes: dict[int, tuple[range, int]] = {}
        closing = bool(begun) and begun[-1] >= plan.ordinary
        if self._latest < 0 or closing or plan.steps[self._latest].group is None:
            return
        for lane in plan.group_at(self._latest).lanes:
            latest = max((each for each in begun if each in lane), default=-1)
            self._lanes |= dict.fromkeys(lane, (lane, latest))
            if not undoing:
                found.resumed[lane.start] = ResumedLane([])

    def at(self, place: int) -> ReplayState | ResumedLane:
        """Return where the result of the step at `place` belongs."""
        if self._undoing or place not in self._lanes:
            return self._found
        return self._found.resumed[self._lanes[place][0].start]

    def pass_over(self, place: int) -> None:
        """Note that the step at `place` was never started."""
        _, latest = self._lanes.get(place, (None, self._latest))
        if place < latest:
            self.at(place).finished.append(StepResult(skipped=True))
        elif place in self._lanes and self._undoing:
            self._found.finished.append(NOT_BEGUN)

    def check_order(self) -> None:
        """Raise DriftError if a step in doubt comes before a finished one in the plan."""
        found = self._found
        ends: dict[int, tuple[ReplayState | ResumedLane, int]] = {0: (found, self._latest)}
        if found.resumed:
            ends = {
                lane.start: (found.resumed[lane.start], latest)
                for lane, latest in self._lanes.values()
            }
        for first, (line, latest) in ends.items():
            if line.doubt is not None and first + len(line.finished) != latest:
                raise DriftError(
                    "the step that was interrupted comes before others that are over, in the plan "
                    "as it is",
                    ways_out=("install what the run began with",),
                )


def _leave_over(found: ReplayState, place: int, attempts: Sequence[_Attempt]) -> None:
    for n, _, row, result in attempts[:-1]:
        if row.state == "undo_failed":
            found.leftovers.setdefault(place, []).append((n, result))


def _place(
    found: ReplayState,
    line: ReplayState | ResumedLane,
    place: int,
    row: AttemptRow,
    result: StepResult,
    *,
    undoing: bool,
) -> None:
    # One that was left unfinished may have an error of its undo.
    failed = row.result is not None and row.error is not None and row.error != SKIPPED
    if failed and row.state in ("failed", "undo_failed", "undone"):
        known = found.failed is not None and not found.failed[1].startswith(CANCELLED)
        if not (known or result.success):
            # That of its undo is not why the run failed.
            text = result.error if row.state != "failed" else row.error
            found.failed = place, str(text)
    if row.state == "skipped" or undoing:
        line.finished.append(result)
        if row.state == "undone":
            found.undone.add(place)
    elif row.state in ("started", "failed", "undo_failed") and row.n > 0:
        if row.state == "failed":
            found.retried.add(place)
        elif row.state == "undo_failed":
            found.taken_back.add(place)
        # Attempt 0 belongs to a step that was never started: its skip check and it run again.
        line.doubt = result


def _unsure(place: int, facts: Facts, row: AttemptRow) -> Iterator[int]:
    """Yield the position of a step that was left unfinished, if nothing undoes its effects."""
    ended = row.result is not None or row.state not in ("started", "undo_failed")
    if facts.effects and not (ended or facts.undoable or facts.undoes_items):
        yield place


def _gone(
    recorded: RunRow, history: Mapping[str, Sequence[_Attempt]], plan: Plan
) -> tuple[str, ...]:
    """Return the steps that have begun, and that the plan no longer has."""
    known = {planned.name for planned in plan.steps}
    left = [name for name in history if name not in known]
    steps = steps_of(recorded) if left else ()
    closing = {step["name"] for step in steps if step["always_run"]}
    over = ("skipped", "undone")
    return tuple(
        name
        for name in left
        if name not in closing
        and any(row.n and row.state not in over for _, _, row, _ in history[name])
    )


def _waiting(recorded: RunRow, plan: Plan, gone: Collection[str]) -> Iterator[tuple[int, str]]:
    """Yield the positions whose undo waits for that of a step which is gone, and which that is."""
    for step in steps_of(recorded) if gone else ():
        if step["name"] in gone:
            for position in plan.waiting_for(step.get("undo_before", ())):
                yield position, step["name"]


Notes = Mapping[tuple[str, int], Mapping[str, list[Any]]]


def notes_of(recorded: RunRow) -> Notes:
    """Return the recorded rollback data, by step and attempt, then by key."""
    found: dict[tuple[str, int], dict[str, list[Any]]] = {}
    for note in recorded.notes:
        of_attempt = found.setdefault((note.step, note.n), {})
        of_attempt.setdefault(note.key, []).extend(note_values(recorded.number, note))
    return found


def note_values(run: int, note: NoteRow) -> list[Any]:
    """Return the values of a note of the run with this number."""
    values: list[Any] = decode(note.values, list, run, f"note {note.seq} of step '{note.step}'")
    return values


def fields_at(fields: Sequence[FieldRow]) -> dict[str, str]:
    """Return the latest value of each field.

    Changes by an unfinished step are not included: they were never stored.
    """
    return {row.name: row.value for row in sorted(fields, key=lambda row: row.boundary)}


def fields_before(fields: Sequence[FieldRow], plan: Plan, position: int) -> dict[str, str]:
    """Return the value of each field as the step at `position` has found it.

    Changes by other lanes of its group are not included.
    """
    return fields_at([row for row in fields if _comes_before(row, plan, position, None)])


def fields_in_lane(fields: Sequence[FieldRow], plan: Plan, lane: range) -> dict[str, str]:
    """Return the latest value of each field in a lane of a group that is not over."""
    return fields_at([row for row in fields if _comes_before(row, plan, lane.stop, lane)])


def _comes_before(row: FieldRow, plan: Plan, position: int, lane: range | None) -> bool:
    """Return whether the change of a field was there before the step at `position`."""
    if row.step is None:
        return row.boundary <= position
    place = plan.positions.get(row.step)
    if place is None:  # It is gone, and was there before what the plan has now.
        return True
    if lane is None:
        beside = plan.steps[position] if position < len(plan.steps) else None
        mine = None if beside is None else (beside.group, beside.lane)
    else:
        mine = plan.steps[lane.start].group, plan.steps[lane.start].lane
    theirs = plan.steps[place].group, plan.steps[place].lane
    other_lane = mine is not None and mine[0] is not None and mine[0] == theirs[0]
    return place < position and not (other_lane and mine != theirs)
