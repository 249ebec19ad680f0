"""How long steps will take, from how long they took in earlier runs of the same plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from handrail.errors import JournalError
from handrail.plan.fingerprint import compact

if TYPE_CHECKING:
    from handrail import Plan
    from handrail.journal import Journal

_RUNS = 5
_ROWS = 2_500  # Of a long plan fewer runs are read, and at least one, so that a run begins at once.


class Expected:
    """The seconds that each step of a plan is expected to take.

    Args:
        plan: The plan.
        took: The seconds that its steps took in earlier runs, by name.
    """

    def __init__(self, plan: Plan, took: Mapping[str, Sequence[float]]) -> None:
        self._groups = plan.groups
        self._names = [planned.name for planned in plan.steps]
        self._took = {name: _median(each) for name, each in took.items()}

    def of_step(self, name: str) -> float | None:
        """Return the seconds that a step takes, or None if nobody knows."""
        return self._took.get(name)

    def of_run(
        self, ended: Collection[str] = (), left: Mapping[str, float] | None = None
    ) -> float | None:
        """Return the seconds until the run ends, or None if nobody knows.

        Args:
            ended: The steps that have ended.
            left: The seconds until each running step ends.
        """
        rest = {**self._took, **(left or {}), **dict.fromkeys(ended, 0.0)}
        try:
            each = [rest[name] for name in self._names]
        except KeyError:
            return None
        total = sum(each)
        for group in self._groups:
            lanes = [sum(each[lane.start : lane.stop]) for lane in group.lanes]
            limit = group.limit or len(lanes)
            total += max(*lanes, sum(lanes) / limit) - sum(lanes)
        return total


def expected_of(plan: Plan, journal: Journal, action: str, project: str) -> Expected | None:
    """Return how long the steps of a plan took in earlier runs, or None if there are none.

    Args:
        plan: The plan.
        journal: The journal.
        action: The name under which its runs are recorded.
        project: The project of which they are.
    """
    runs = min(_RUNS, max(1, _ROWS // max(1, len(plan.steps))))
    begin = compact({"action": plan.action, "fingerprint": plan.fingerprint})[:-1]
    try:
        took = journal.durations(action, project, plan_begin=begin, runs=runs)
    except JournalError:
        return None  # What cannot be read is told by those who need it.
    return Expected(plan, took) if took else None


def _median(values: Sequence[float]) -> float:
    """Return the median; that of `statistics` needs 10 ms to be imported."""
    ordered, half = sorted(values), len(values) // 2
    return (ordered[half] + ordered[-half - 1]) / 2
