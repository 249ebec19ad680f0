"""A recorded sweep: its children, each with its point, its status and its metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from handrail.frozen import frozen
from handrail.journal.damage import decoding
from handrail.journal.numbers import child_number
from handrail.recovery.status import RunStatus, status_of
from handrail.sweeps.action import STEP, Sweep, sweep_of
from handrail.sweeps.children import latest_children

if TYPE_CHECKING:
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RecordedRun


@frozen
class Child:
    """A place of a sweep, and the latest run there.

    Attributes:
        number: The number of the latest run there, or of the one that would be the first.
        place: The place: 1, 2, 3, ...
        point: The values of its params, by dotted name.
        status: The status of the latest run there, or None if there was none.
        metrics: The numbers that it has reported, by name, in that order.
        error: Why it failed, or None.
    """

    number: int
    place: int
    point: Mapping[str, Any]
    status: RunStatus | None
    metrics: Mapping[str, float]
    error: str | None

    @property
    def state(self) -> str:
        """The state in words: that of the run, `failed, rolled back`, or `not begun`."""
        if self.status is None:
            return "not begun"
        state = self.status.state
        return f"failed, {state}" if self.error and state == "rolled back" else state


@frozen
class SweepRecord:
    """The record of a sweep.

    Attributes:
        number: The number of its run.
        sweep: Its grid, and how its children were run.
        children: Its places, in order.
    """

    number: int
    sweep: Sweep
    children: Sequence[Child]

    @property
    def metrics(self) -> list[str]:
        """The names of all metrics, in the order in which they were reported."""
        return list(dict.fromkeys(name for each in self.children for name in each.metrics))


def sweep_record(journal: Journal, recorded: RecordedRun) -> SweepRecord | None:
    """Return the record of a sweep; None if the run is none.

    Raises:
        JournalDamagedError: What is recorded of the sweep is not what was written.
    """
    row = recorded.row
    sweep = sweep_of(row)
    if sweep is None:
        return None
    latest = latest_children(journal, row.number)
    told = dict(_told(journal, recorded))
    children = [
        Child(
            number=latest[place].number if place in latest else child_number(row.number, place),
            place=place,
            point=point,
            status=status_of(journal, latest[place]) if place in latest else None,
            metrics=cast("Mapping[str, float]", told.get(place, ({}, None))[0]),
            error=told.get(place, ({}, None))[1],
        )
        for place, point in enumerate(sweep.grid, 1)
    ]
    return SweepRecord(number=row.number, sweep=sweep, children=children)


def _told(journal: Journal, recorded: RecordedRun) -> list[tuple[int, tuple[Any, str | None]]]:
    """Return the metrics and the error of each place of which the sweep has heard."""
    attempts = [row.n for row in recorded.attempts if row.step == STEP]
    if not attempts:
        return []
    number = recorded.row.number
    found: list[tuple[int, tuple[Any, str | None]]] = []
    for chunk in journal.chunks(number, STEP, max(attempts)):
        about = f"what run {number}.{chunk.first + 1} has reported"
        with decoding(number, about):
            [result] = json.loads(chunk.results or "[null]")
            errors = [str(error) for _, error, _ in json.loads(chunk.errors or "[]")]
            metrics = {} if result is None else dict(result["metrics"])
        error = errors[0] if errors else chunk.error
        found.append((chunk.first + 1, (metrics, error)))
    return found
