"""A recorded run from its journal alone: its status, params, plan and steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, cast

from handrail import StepResult
from handrail.builtin.records.observations import Observations
from handrail.builtin.records.status import (
    ByHand,
    RunStatus,
    by_hand_of,
    is_undoing,
    status_of,
    with_reliance,
)
from handrail.builtin.records.step_state import (
    INTERRUPTED,
    UNDONE,
    StepState,
    error_of,
    forward_span,
    is_failure,
    items_of_steps,
    state_of,
    undo_spans,
)
from handrail.frozen import as_json, frozen, replace, values_of
from handrail.journal import decode_results, entries_of, now
from handrail.journal.damage import check_shape, check_texts, decode, decoding, is_damaged
from handrail.journal.records import seconds_between
from handrail.packs import shown_as
from handrail.params import value_at
from handrail.recovery import ended, notes_of, plan_of, steps_of, stored_params, unfolded, within

if TYPE_CHECKING:
    from handrail.builtin.records.observations import Attachment, LogLine, Metric, Progress
    from handrail.builtin.records.step_state import ItemsRecord, Span
    from handrail.errors import JournalDamagedError
    from handrail.journal import Journal
    from handrail.journal.records import AttemptRow, RunRow

_TOLD = (
    *("state", "at", "attempts", "took", "recorded", "by_hand", "error", "traceback"),
    *("undo_error", "undo_traceback"),
)
_PLANNED = (
    *("origin", "undo", "resume", "effects", "always_run", "action", "reason", "required"),
    "final",
)


@frozen
class RecordedStep:
    """A step of a recorded run.

    Attributes:
        name: Its name.
        planned: What the recorded plan says of it.
        state: How far it came.
        at: When it came there, in UTC, or None.
        attempts: How often it was started.
        took: Seconds that its last attempt took, or None where nobody knows.
        at_least: Whether it took that long and perhaps longer: its process died meanwhile.
        recorded: How many values it recorded for its undo, by key.
        returned: The entries of the `data` of its result: the value as `value`; or what describes
            the values that are `stored` elsewhere; or the type of an `unstorable` one.
        error: Why it failed, or `interrupted`; also if it was undone since.
        traceback: The same in full.
        undo_error: Why its undo failed, unless it was undone since.
        undo_traceback: The same in full.
        by_hand: The person who undid it, if that was by hand, and why.
        items: What is known of its items, if it has any.
        spans: When it worked and was undone, in order, as far as that is known.
        observations: What the steps of its run have said and shown.
        part: The run that it is a step of, if that is a part of this one; and its name there.
    """

    name: str
    planned: Mapping[str, Any]
    state: StepState = "not started"
    at: str | None = None
    attempts: int = 0
    took: float | None = None
    at_least: bool = False
    recorded: Mapping[str, int] = field(default_factory=dict[str, int])
    returned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    error: str | None = None
    traceback: str | None = None
    undo_error: str | None = None
    undo_traceback: str | None = None
    by_hand: ByHand | None = None
    items: ItemsRecord | None = None
    spans: Sequence[Span] = ()
    observations: Observations = field(default_factory=Observations, repr=False, compare=False)
    part: tuple[RunRow, str] | None = field(default=None, repr=False, compare=False)

    @property
    def own_name(self) -> str:
        """Its name in the run that it is a step of."""
        return self.name if self.part is None else self.part[1]

    # Read from the journal, which must be open, each time that somebody asks.

    @property
    def attachments(self) -> Sequence[Attachment]:
        """What it has attached, in order; the last one of each name."""
        return self.observations.attachments(self.own_name)

    @property
    def log(self) -> Sequence[LogLine]:
        """Its log lines, the first 200 and the last 800 of each attempt."""
        return self.observations.log(self.own_name)

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Its metrics by name; those of another category as `category/name`."""
        return self.observations.metrics(self.own_name)

    @property
    def progress(self) -> Progress | None:
        """How far it was when it last reported that."""
        return self.observations.progress(self.own_name)

    @property
    def group(self) -> str | None:
        """Name of the group in which it stands, or None."""
        return self.planned.get("group")

    @property
    def lane(self) -> int | None:
        """Number of its lane in that group, from 0, or None."""
        return self.planned.get("lane")

    @property
    def has_begun(self) -> bool:
        """Whether it was started or skipped."""
        return self.state not in ("not started", "waiting", "unknown")

    @property
    def is_plain(self) -> bool:
        """Whether it went as it should, so that nobody looks for it."""
        went_well = self.state in ("done", "skipped", "undone")
        whole = self.items is None or not (self.items.failed or self.items.left)
        return went_well and self.attempts <= 1 and self.error is None and whole

    @property
    def is_undone(self) -> bool:
        """Whether an undo would call it."""
        open_states = ("done", "failed", "undo failed", "interrupted", "running")
        return _undoes(self.planned, self.items) and self.state in open_states

    @property
    def is_not_undone(self) -> bool:
        """Whether it has ended and has effects that no undo takes back."""
        if _has_way_back(self.planned, self.items) or self.by_hand is not None:
            return False
        taken_back = self.items is not None and self.items.undone > 0
        # A layer around it may have been called, without anything to take back.
        ended = self.state in ("done", "failed", "interrupted")
        return self.attempts > 0 and (ended or (self.state in UNDONE and not taken_back))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; steps outside groups have no `group` and `lane`."""
        lane = {} if self.group is None else {"group": self.group, "lane": self.lane}
        found = {
            "name": self.name,
            **lane,
            **{name: as_json(getattr(self, name)) for name in _TOLD},
            **{name: self.planned.get(name) for name in _PLANNED},
            "layers": self.planned.get("layers", []),
            "limits": self.planned.get("limits"),
            "would_be_undone": self.is_undone,
            "spans": as_json(self.spans),
        }
        if self.items is not None:
            found["items"] = as_json(self.items)
            del found["items"]["undoable"]
        said = self.own_name in self.observations.steps
        return {**found, **(self._observed_in_short() if said else {})}

    def observed(self) -> dict[str, Any]:
        """Return the JSON form of all that it has said and shown."""
        return {
            "attachments": [each.to_dict() for each in self.attachments],
            **{name: as_json(getattr(self, name)) for name in ("log", "metrics", "progress")},
        }

    def _observed_in_short(self) -> dict[str, Any]:
        """Return the same without what may be long: the last value of each metric, and no log."""
        found = self.observed()
        found["log_lines"] = len(found.pop("log"))
        for each in found["attachments"]:
            del each["value"]
        for metric in found["metrics"].values():
            del metric["points"][:-1]
        return found


def recorded_steps(
    recorded: RunRow, *, running: bool, journal: Journal | None = None
) -> list[RecordedStep]:
    """Return the steps of the plan that a run began with, and how far each came.

    Args:
        recorded: The run.
        running: Whether a process works on it.
        journal: Its journal, from which the items of its steps are read, and what they have said.
    """
    planned = list(steps_of(recorded))
    attempts = _attempts(recorded)
    known = {step["name"] for step in planned}
    # A run that went on with --accept-drift has steps that it did not begin with.
    planned += [{"name": name} for name in attempts if name not in known]
    about = _About(
        recorded=recorded,
        notes=notes_of(recorded),
        items={} if journal is None else items_of_steps(journal, recorded.number),
        running=running,
        said=Observations(journal, recorded.number),
        by_hand={each.step: each for each in by_hand_of(recorded)},
        undone=undo_spans(recorded),
    )
    steps = [_step(step, attempts.get(step["name"], []), about) for step in planned]
    if journal is not None and any("plan" in step for step in planned):
        steps = _with_parts(steps, recorded, journal)
    return _with_waiting(steps) if running and recorded.direction != "undo" else steps


def _with_parts(steps: Sequence[RecordedStep], row: RunRow, journal: Journal) -> list[RecordedStep]:
    """Return steps with those of the runs that they make in their place, the closing ones last."""
    latest = {part.parent_step: part for part in journal.parts(row.number)}
    found: list[RecordedStep] = []
    for step in steps:
        inner, part = step.planned.get("plan"), latest.get(step.name)
        if inner is None:
            found.append(step)
        elif part is None:
            made = [within(step.planned, each) for each in unfolded(inner)["steps"]]
            found += [RecordedStep(name=each["name"], planned=each) for each in made]
        else:
            found += _of_part(step, part, journal)
    found.sort(key=lambda each: bool(each.planned.get("always_run")))
    return found


def _of_part(step: RecordedStep, part: RunRow, journal: Journal) -> Iterator[RecordedStep]:
    recorded = journal.read(part.number, fields=False)
    running = status_of(journal, part).state == "running"
    for each in recorded_steps(recorded, running=running, journal=journal):
        planned = within(step.planned, each.planned)
        yield replace(
            each, name=planned["name"], planned=planned, part=each.part or (recorded, each.name)
        )


def _with_waiting(steps: Sequence[RecordedStep]) -> list[RecordedStep]:
    """Return steps, in which the next one of each lane waits if its group has begun."""
    begun = {step.group for step in steps if step.has_begun}
    over = {(step.group, step.lane) for step in steps}
    found: list[RecordedStep] = []
    for step in steps:
        lane = step.group, step.lane
        if step.group in begun and lane in over and step.state == "not started":
            step = replace(step, state="waiting")
        if step.state not in ("done", "skipped"):
            over.discard(lane)
        found.append(step)
    return found


def with_steps(status: RunStatus, steps: Sequence[RecordedStep]) -> RunStatus:
    """Return a status with what the undo of the run has left, and what it does not undo."""
    begun = is_undoing(status.row) or status.row.outcome == "rolled_back"
    kept = tuple(step.name for step in reversed(steps) if step.is_not_undone) if begun else ()
    return replace(status, left=left_of(status.row, steps), not_undone=kept)


def left_of(row: RunRow, steps: Sequence[RecordedStep]) -> tuple[str, ...]:
    """Return the steps of a run that its undo has left, the last one first; none before an undo.

    Args:
        row: The run.
        steps: Its steps.
    """
    if not is_undoing(row):
        return ()
    left = [
        step.name
        for step in steps
        if step.state in ("undo failed", "may have left something")
        or (step.is_undone and step.attempts > 0 and not step.planned.get("always_run"))
    ]
    return tuple(reversed(left))


def origins_of(row: RunRow) -> Iterator[Mapping[str, Any]]:
    """Yield the origin of each step and layer of a run's plan that comes from a pack."""
    for step in _all_steps(steps_of(row)):
        for each in (step, *step["layers"]):
            if each["origin"]["pack"]:
                yield each["origin"]


def _all_steps(steps: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for step in steps:
        yield step
        yield from _all_steps(step.get("plan", {}).get("steps", ()))


def rollback_data_of(recorded: RunRow) -> dict[str, Mapping[str, Any]]:
    """Return what the last attempt of each step recorded, as its undo gets it."""
    notes, run = notes_of(recorded), recorded.number
    return {
        step: _joined(notes.get((step, row.n), {}), _result(run, row).get("rollback_data", {}))
        for step, rows in _attempts(recorded).items()
        for row in rows[-1:]
    }


def noted_of(recorded: RunRow, step: str) -> dict[str, Any]:
    """Return what the last attempt of a step recorded, if the row of the attempt is damaged."""
    notes = notes_of(recorded)
    last = max((n for name, n in notes if name == step), default=0)
    return _joined(notes.get((step, last), {}), {})


def _attempts(recorded: RunRow) -> dict[str, list[AttemptRow]]:
    """Return the attempts of each step, in order."""
    found: dict[str, list[AttemptRow]] = {}
    for row in sorted(recorded.attempts, key=lambda row: row.n):
        found.setdefault(row.step, []).append(row)
    return {row.step: found[row.step] for row in recorded.attempts}


def _result(run: int, row: AttemptRow) -> dict[str, Any]:
    if not row.result:
        return {}
    place = _named(row)
    found: dict[str, Any] = decode(row.result, dict, run, place)
    with decoding(run, place):
        check_shape(found.get("took") or 0, int, float)
        check_texts((found.get("traceback") or "",))
        check_shape(found.get("rollback_data", {}), dict)
    return found


def _named(row: AttemptRow) -> str:
    return f"the result of attempt {row.n} of step '{row.step}'"


def check_result(run: int, row: AttemptRow) -> None:
    """Check that the result of an attempt can be decoded, or raise JournalDamagedError."""
    _result(run, row)
    if row.result is not None:
        with decoding(run, _named(row)):
            decode_results([row.result])
            entries_of(row.result)


@frozen
class _About:
    """What the steps of a run have in common, by step, or by step and attempt."""

    recorded: RunRow
    notes: Mapping[tuple[str, int], Mapping[str, list[Any]]]
    items: Mapping[tuple[str, int], ItemsRecord]
    running: bool
    said: Observations
    by_hand: Mapping[str, ByHand]
    undone: Mapping[tuple[str, int], Span]


def _step(planned: Mapping[str, Any], rows: Sequence[AttemptRow], about: _About) -> RecordedStep:
    name, run = planned["name"], about.recorded
    if not rows:
        return RecordedStep(name=name, planned=planned, observations=about.said)
    row, result = rows[-1], _result(run.number, rows[-1])
    items = about.items.get((name, row.n))
    working = run.direction != "undo" or bool(planned.get("always_run"))
    running, way_back = about.running and working, _has_way_back(planned, items)
    state = state_of(row, result, running=running, has_way_back=way_back)
    left = next((each for each in reversed(rows) if each.state == "undo_failed"), None)
    if left is not None and state in UNDONE:
        state = "undo failed"  # An earlier attempt is left.
    if state not in ("undo failed", "may have left something"):
        left = None
    forward = [forward_span(each, run, running=running) for each in rows]
    took, span = result.get("took"), forward[-1]
    if took is None and span is not None:
        took = seconds_between(span.began, span.ended or now()) or None
    undone = [about.undone.get((name, each.n)) for each in rows]
    error = error_of(row, result)
    values = _joined(about.notes.get((name, row.n), {}), result.get("rollback_data", {}))
    return RecordedStep(
        name=name,
        planned=planned,
        state=state,
        at=row.at,
        attempts=row.n,
        took=took,
        at_least=result.get("took") is None and took is not None,
        recorded=counted(values),
        returned=result.get("data", {}),
        error=error,
        traceback=None if error == INTERRUPTED else result.get("traceback"),
        undo_error=None if left is None else left.message,
        undo_traceback=None if left is None else left.undo_traceback,
        by_hand=about.by_hand.get(name),
        items=items,
        spans=[each for each in (*forward, *undone) if each is not None],
        observations=about.said,
    )


def _undoes(planned: Mapping[str, Any], items: ItemsRecord | None) -> bool:
    if items is None:
        return bool(planned.get("undo"))
    return bool(planned.get("undo") or planned.get("undoes_items") or items.undoable)


def _has_way_back(planned: Mapping[str, Any], items: ItemsRecord | None) -> bool:
    """Return whether a step has no effects, or an undo that takes them back."""
    ordinary = planned.get("effects") and not planned.get("always_run")
    return not ordinary or bool(planned.get("undoes_items")) or _undoes(planned, items)


def cause_of(steps: Iterable[RecordedStep]) -> str | None:
    """Return the step at which a run failed: not one that was stopped, or could not be undone.

    One that closes the run, and so its plan, counts only if no other failed.
    """
    return next((step.name for step in steps if is_failure(step.error)), None)


def counted(values: Mapping[str, Any]) -> dict[str, int]:
    """Return how many values were recorded, by key."""
    return {key: _count(value) for key, value in values.items()}


def _joined(noted: Mapping[str, list[Any]], returned: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an undo gets: what was recorded, and what was returned."""
    return ended(StepResult(rollback_data=dict(returned)), noted).rollback_data


def _is_empty(value: object) -> bool:
    return value is None or value is False or value in ([], {}, "")


def _count(value: object) -> int:
    return len(cast("list[object]", value)) if isinstance(value, list | dict) else 1


@frozen
class RunRecord(RunStatus):
    """All that is known of a recorded run.

    Attributes:
        steps: Its steps, those that have not begun too.
        damage: Its damaged rows, which are left out of the rest.
    """

    steps: Sequence[RecordedStep]
    damage: tuple[JournalDamagedError, ...] = ()

    @property
    def observations(self) -> Observations:
        """What its steps have said and shown; the journal must be open."""
        return self.steps[0].observations if self.steps else Observations()

    @property
    def result(self) -> Mapping[str, Any] | None:
        """What its action returned, as far as JSON has it; None unless it is completed."""
        return self.observations.result if self.row.outcome == "completed" else None

    @property
    def params(self) -> Mapping[str, Any]:
        """The stored params: their `values`, and in `secrets` the variable of each secret."""
        return stored_params(self.row)

    @property
    def given(self) -> dict[str, object]:
        """The value of each param that differs from its default, by its dotted path, in order.

        A secret is `$VARIABLE`. If it is not recorded which differ, all that are not empty.
        """
        return given_params(self.row)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its plan."""
        return str(plan_of(self.row)["fingerprint"])

    @property
    def versions(self) -> dict[str, str]:
        """The version of each pack that had a step or a layer in its plan."""
        return {each["pack"]: each["version"] for each in origins_of(self.row)}

    @property
    def parallel(self) -> dict[str, Any]:
        """The `groups` of its plan, and the `actions` of a chain, as `Plan.to_dict` has them."""
        plan: Mapping[str, Any] = {} if self.damage else unfolded(plan_of(self.row))
        return {name: plan[name] for name in ("groups", "actions") if name in plan}

    @property
    def heard(self) -> str:
        """When it last gave a sign of life, in UTC."""
        return self.row.heard or self.row.claimed

    @property
    def cause(self) -> str | None:
        """The name of the step at which it failed, or None."""
        return cause_of(self.steps)

    def _repr_html_(self) -> str | None:
        return shown_as(self, "html")

    def step(self, name: str) -> RecordedStep | None:
        """Return the step called `name`, or None."""
        return next((step for step in self.steps if step.name == name), None)

    def values_of(self, step: RecordedStep) -> Mapping[str, Any]:
        """Return what a step recorded for its undo, by key; nothing where it has not begun."""
        recorded = self.row if step.part is None else step.part[0]
        if step.state == "unknown":
            return noted_of(recorded, step.own_name)
        return rollback_data_of(recorded)[step.own_name] if step.has_begun else {}


def given_params(row: RunRow) -> dict[str, object]:
    """Return the params of a run that differ from their defaults; see `RunRecord.given`."""
    stored = stored_params(row)
    values: Mapping[str, object] = stored["values"]
    changed: Sequence[Sequence[str]] | None = stored.get("changed")
    with decoding(row.number, "its params"):
        if changed is None:
            given = {name: value for name, value in values.items() if not _is_empty(value)}
        else:
            given = {".".join(path): value_at(values, tuple(path)) for path in changed}
    secrets: Mapping[str, str] = stored["secrets"]
    return {**given, **{name: f"${variable}" for name, variable in secrets.items()}}


def record_of(journal: Journal, number: int) -> RunRecord:
    """Return what is known of the run with this number.

    Raises:
        NotFoundError: The journal has no such run.
        JournalDamagedError: A row of the run is not what was written; see `sound_record_of`.
    """
    # The stored fields of the context are for a process that goes on with the run.
    recorded = journal.read(number, fields=False)
    [status] = with_reliance(journal, [status_of(journal, recorded)])
    if status.row.damage is not None:
        raise is_damaged(number, status.row.damage)
    given_params(recorded)
    steps = recorded_steps(recorded, running=status.state == "running", journal=journal)
    told = values_of(with_steps(status, steps))
    return RunRecord(**told, steps=steps)
