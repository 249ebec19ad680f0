"""How far steps are, and how long they will take: from what they report, and from earlier runs."""

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


_EVIDENCE = 1.0  # Seconds of reports before a time left or a rate is told.
_MEMORY = 15.0  # Seconds after which what was measured counts half, at the beginning of a step.
_BESIDE = 5.0  # Seconds within which two units count as reported together.
_SILENT = 10.0  # Seconds without progress after which no time left is told.

Key = str | None


class _Unit:
    """What was reported in one unit; the first report is where the measuring begins."""

    def __init__(self, current: float, total: float, now: float) -> None:
        self.current = current
        self.total = total
        self.first = self.seen = now
        self.amount = self.took = 0.0

    @property
    def share(self) -> float:
        return self.current / self.total

    def report(self, current: float, now: float) -> None:
        # What was long ago counts less, and less so the longer it all takes.
        passed = now - self.seen
        kept = 0.5 ** (passed / max(_MEMORY, (now - self.first) / 2))
        self.amount = self.amount * kept + current - self.current
        self.took = self.took * kept + passed
        self.current, self.seen = current, now

    def left(self) -> float | None:
        """Return the seconds that the rest takes as things went, or None if that is not known."""
        if self.seen - self.first < _EVIDENCE or self.amount <= 0:
            return None
        return (self.total - self.current) * self.took / self.amount


class Amounts:
    """What one step has reported of its progress.

    A transfer has two units that do not go together: many small files take longer than their bytes
    tell, and one large file longer than their number does. The step is as far as the unit that is
    behind, and takes as long as the one that needs longer.

    Args:
        now: The time, in seconds; only differences count.
    """

    def __init__(self, now: float) -> None:
        self._units: dict[Key, _Unit] = {}
        self._moved = now
        self._longest = 0.0

    def __bool__(self) -> bool:
        return bool(self._units)

    def report(self, unit: Key, current: float, total: float, now: float) -> bool:
        """Take a report; return whether the step has come further."""
        known = self._units.pop(unit, None)
        further = known is None or current != known.current or total != known.total
        if known is None or total != known.total or current < known.current:
            known = _Unit(current, total, now)  # It begins, or begins anew.
        else:
            known.report(current, now)
        self._units[unit] = known  # The latest is the last one.
        if further:
            self._longest = max(self._longest, now - self._moved)
            self._moved = now
        return further

    @property
    def leading(self) -> Key:
        """The unit that shows best how far the step is: bytes, or the one reported last."""
        latest = next(reversed(self._units))
        if "bytes" not in self._units:
            return latest
        over = self._units["bytes"].share >= 1
        return latest if over and self._units[latest].share < 1 else "bytes"

    @property
    def units(self) -> dict[Key, tuple[float, float]]:
        """What is done and the total in each unit, the leading one first."""
        names = sorted(self._units, key=lambda name: name != self.leading)
        return {name: (self._units[name].current, self._units[name].total) for name in names}

    @property
    def share(self) -> float:
        """The part that is done, from 0 to 1."""
        return min(unit.share for unit in self._together())

    def left(self, now: float) -> float | None:
        """Return the seconds until the step ends, or None if nothing is known about it."""
        known = [left for unit in self._together() if (left := unit.left()) is not None]
        if not known or self.silent(now) is not None:
            return None
        latest = self._units[next(reversed(self._units))].seen
        return max(max(known) - (now - latest), 0.0)

    def rate(self, now: float) -> float | None:
        """Return the bytes or items per second, or None if that is not known."""
        unit = self._units.get("bytes") or self._units.get("items")
        if unit is None or unit.left() is None or self.silent(now) is not None:
            return None
        return unit.amount / unit.took

    def silent(self, now: float) -> float | None:
        """Return the seconds without progress, if they are more than this step usually takes."""
        passed = now - self._moved
        return passed if self._units and passed > max(_SILENT, 2 * self._longest) else None

    def _together(self) -> list[_Unit]:
        """Return the leading unit, and beside bytes those that are reported together with them."""
        name = self.leading
        lead = self._units[name]
        if name != "bytes":
            return [lead]
        units = self._units.values()
        return [unit for unit in units if abs(unit.seen - lead.seen) <= _BESIDE or unit is lead]
