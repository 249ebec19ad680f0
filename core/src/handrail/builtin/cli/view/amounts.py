"""How far a step is in each unit that it reports, such as files and bytes, and the time left."""

from __future__ import annotations

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
