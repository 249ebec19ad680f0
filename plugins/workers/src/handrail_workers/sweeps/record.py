"""A recorded sweep: its children, each with its point, its status and its metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handrail.derived import derivation_of
from handrail.frozen import frozen
from handrail.journal import decoding
from handrail.records import RunStatus, status_of
from handrail_workers.sweeps.action import OPTION, Sweep
from handrail_workers.sweeps.children import STEP

if TYPE_CHECKING:
    from handrail.journal import Journal, RunRow


@frozen
class Child:
    """A place of a sweep, and the latest run there.

    Attributes:
        number: The number of the latest run there, or None if there was none.
        place: The place: 1, 2, 3, ...
        point: The values of its params, by dotted name.
        status: The status of the latest run there, or None if there was none.
        metrics: The numbers that it has reported, by name, in that order.
        error: Why it failed, or None.
    """

    number: int | None
    place: int
    point: Mapping[str, Any]
    status: RunStatus | None
    metrics: Mapping[str, float]
    error: str | None

    @property
    def name(self) -> str:
        """The child as it is named to people: `run 33`; or by its place, if it has no number."""
        return f"place {self.place}" if self.number is None else f"run {self.number}"

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
        higher_is_better: Of the metrics for which that was said: whether a higher one is better.
    """

    number: int
    sweep: Sweep
    children: Sequence[Child]
    higher_is_better: Mapping[str, bool]

    @property
    def metrics(self) -> list[str]:
        """The names of all metrics, in the order in which they were reported."""
        return list(dict.fromkeys(name for each in self.children for name in each.metrics))


def sweep_of(journal: Journal, number: int) -> SweepRecord | None:
    """Return what is known of the runs of a sweep; None if the run with this number is no sweep.

    Raises:
        NotFoundError: The journal has no such run.
        JournalDamagedError: What is recorded of the sweep is not what was written.
    """
    return sweep_record(journal, journal.read(number, fields=False))


def sweep_record(journal: Journal, row: RunRow) -> SweepRecord | None:
    """Return the record of a sweep; None if the run is none.

    Raises:
        JournalDamagedError: What is recorded of the sweep is not what was written.
    """
    sweep = derivation_of(row, OPTION, Sweep)
    if sweep is None:
        return None
    latest = {each.parent_item or 0: each for each in journal.parts(row.number)}
    told, better = _told(journal, row)
    children = [
        Child(
            number=latest[place].number if place in latest else None,
            place=place,
            point=point,
            status=status_of(journal, latest[place]) if place in latest else None,
            metrics=told[place][0] if place in told else {},
            error=told[place][1] if place in told else None,
        )
        for place, point in enumerate(sweep.grid, 1)
    ]
    return SweepRecord(number=row.number, sweep=sweep, children=children, higher_is_better=better)


_Told = dict[int, tuple[dict[str, float], str | None]]


def _told(journal: Journal, recorded: RunRow) -> tuple[_Told, dict[str, bool]]:
    """Return what the sweep has heard: metrics and error of each place, and which are better."""
    attempts = [row.n for row in recorded.attempts if row.step == STEP]
    found, better = _Told(), dict[str, bool]()
    if not attempts:
        return found, better
    number = recorded.number
    for chunk in journal.chunks(number, STEP, max(attempts)):
        about = f"what its run {chunk.first + 1} has reported"
        with decoding(number, about):
            [result] = json.loads(chunk.results or "[null]")
            errors = [str(error) for _, error, _ in json.loads(chunk.errors or "[]")]
            metrics = {} if result is None else dict(result["metrics"])
            better |= {} if result is None else result["higher_is_better"]
        found[chunk.first + 1] = metrics, errors[0] if errors else chunk.error
    return found, better
