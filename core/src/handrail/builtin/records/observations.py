"""What the steps of a recorded run have said and shown, read when somebody looks at it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from handrail.builtin.attachments import attachment_from
from handrail.builtin.records.said import log_lines, metric_points
from handrail.errors import JournalError
from handrail.frozen import frozen
from handrail.journal.damage import MISFIT, damaged
from handrail.journal.records import KINDS_OF_STEPS

if TYPE_CHECKING:
    from handrail.builtin.attachments import Markdown, Picture, Plot, Table
    from handrail.errors import JournalDamagedError
    from handrail.journal import Journal
    from handrail.journal.records import KeptRow


@frozen
class Attachment:
    """Something that a step has attached for people to see.

    Attributes:
        name: Its name.
        form: Its JSON form, as its `to_dict` returned it.
        value: What it is; None if it is of a kind of others, who read `form`.
        at: When it was attached, in UTC.
        attempt: The number of the attempt.
    """

    name: str
    form: Mapping[str, Any]
    value: Plot | Table | Markdown | Picture | None
    at: str
    attempt: int

    @property
    def kind(self) -> str:
        """The name of its kind, such as `table`."""
        return str(self.form["type"])

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        about = {"name": self.name, "type": self.kind, "at": self.at, "attempt": self.attempt}
        value = {name: each for name, each in self.form.items() if name != "type"}
        return {**about, "value": value}


@frozen
class LogLine:
    """One call of `context.log`.

    Attributes:
        at: When, in UTC.
        attempt: The number of the attempt.
        number: Its number among the lines of the attempt, from 1; lines that were not kept leave a
            gap.
        event: The event.
        data: Its data; long values are cut.
        file: The path that it is about, or None.
    """

    at: str
    attempt: int
    number: int
    event: str
    data: Mapping[str, Any]
    file: str | None


class MetricPoint(NamedTuple):
    """One value of a metric.

    Attributes:
        number: Its number among the values of the metric, from 1.
        at: When it was measured, in UTC.
        value: The value; None if it was not finite.
    """

    number: int
    at: str
    value: int | float | str | None


@frozen
class Metric:
    """The values of a metric; of more than 1,000, some that are evenly spaced, and the last.

    Attributes:
        name: Its name.
        category: Its category: the name of the step, unless the step gave one.
        points: The values, in order. Of one that is no number, only the last.
    """

    name: str
    category: str
    points: tuple[MetricPoint, ...]

    @property
    def last(self) -> MetricPoint:
        """The last value."""
        return self.points[-1]


@frozen
class Progress:
    """How far a step was when it last reported that.

    Attributes:
        current: How much was done.
        total: Of how much.
        category: What is counted, such as `bytes`, or None.
        detail: What else is known, in a few words.
        at: When, in UTC.
    """

    current: float
    total: float
    category: str | None
    detail: str
    at: str


class Observations:
    """What the steps of one run have said and shown.

    It is read from the journal, which must be open, each time that somebody looks at it.

    Args:
        journal: The journal; None if nothing is known.
        number: The number of the run.
    """

    def __init__(self, journal: Journal | None = None, number: int = 0) -> None:
        self._journal = journal
        self._number = number
        self._damage: dict[str, None] = {}

    @cached_property
    def steps(self) -> frozenset[str]:
        """The names of the steps that have said or shown anything."""
        return frozenset(self._of_step)

    @property
    def attaching(self) -> frozenset[str]:
        """The names of the steps that have attached anything."""
        kinds = ((step, row.kind) for step, rows in self._of_step.items() for row in rows)
        return frozenset(step for step, kind in kinds if kind == "attachment")

    @cached_property
    def _of_step(self) -> dict[str, list[KeptRow]]:
        """What there is, without the values: one query for all steps."""
        found: dict[str, list[KeptRow]] = {}
        for row in self._rows():
            if row.kind in KINDS_OF_STEPS:  # Others are not of the step, but of who observed it.
                found.setdefault(row.step, []).append(row)
        return found

    @property
    def damage(self) -> tuple[str, ...]:
        """The damage that was met so far, a sentence each; what is damaged is left out."""
        return tuple(self._damage)

    def attachments(self, step: str) -> Sequence[Attachment]:
        """Return what a step has attached, in order; the last one of each name."""
        found: dict[str, Attachment] = {}
        for row in sorted(self._rows(step, "attachment"), key=lambda row: (row.n, row.seq)):
            try:
                form = json.loads(row.text)
                value = attachment_from(form)
                found[row.name] = Attachment(
                    name=row.name, form=form, value=value, at=row.at, attempt=row.n
                )
            except MISFIT as error:
                self._misfits(row, error)
        return list(found.values())

    @property
    def result(self) -> Mapping[str, Any] | None:
        """What the action returned at the end of the run; None if nothing is known of it."""
        for row in self._rows(kind="result"):
            try:
                return dict(json.loads(row.text))
            except MISFIT as error:
                self._misfits(row, error)
        return None

    def log(self, step: str) -> Sequence[LogLine]:
        """Return the log lines of a step, those of the first attempt first."""
        return [
            LogLine(attempt=n, number=number, at=_time(at), event=event, data=data, file=file)
            for n, rows in self._by_attempt(step, "log")
            for number, (at, event, data, file) in log_lines(rows, self._misfits)
        ]

    def metrics(self, step: str) -> Mapping[str, Metric]:
        """Return the metrics of the last attempt of a step that has measured any."""
        found: dict[str, Metric] = {}
        for _, rows in self._by_attempt(step, "metric"):
            found = {
                name: Metric(
                    name=name.removeprefix(f"{series.category}/"),
                    category=series.category or step,
                    points=tuple(
                        MetricPoint(number, _time(at), value) for number, at, value in series.all
                    ),
                )
                for name, series in metric_points(rows, self._misfits).items()
            }
        return found

    def progress(self, step: str) -> Progress | None:
        """Return how far a step was when it last reported that."""
        found: Progress | None = None
        for row in sorted(self._rows(step, "progress"), key=lambda row: row.n):
            try:
                current, total, category, detail, at = json.loads(row.text)
                found = Progress(
                    current=float(current),
                    total=float(total),
                    category=category,
                    detail=detail,
                    at=_time(at),
                )
            except MISFIT as error:
                self._misfits(row, error)
        return found

    def _by_attempt(self, step: str, kind: str) -> list[tuple[int, list[KeptRow]]]:
        found: dict[int, list[KeptRow]] = {}
        for row in self._rows(step, kind):
            found.setdefault(row.n, []).append(row)
        return sorted(found.items())

    def _rows(self, step: str | None = None, kind: str | None = None) -> Sequence[KeptRow]:
        if self._journal is None or (step is not None and step not in self._of_step):
            return ()
        try:
            return self._journal.kept(
                self._number,
                () if kind is None else (kind,),
                damage=self._note,
                step=step,
                texts=kind is not None,
            )
        except JournalError as error:  # A page of the file is damaged, for one.
            self._damage[error.message] = None
            return ()

    def _misfits(self, row: KeptRow, error: Exception) -> None:
        self._note(damaged(self._number, f"the {row.kind} of step '{row.step}'", error))

    def _note(self, error: JournalDamagedError) -> None:
        self._damage[error.message] = None


def _time(milliseconds: float) -> str:
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
