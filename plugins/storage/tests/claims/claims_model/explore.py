"""Visits all that can happen in a scenario, nearest first."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from claims_model.requests import BrokenError
from claims_model.scenario import Scenario
from claims_model.world import World, Worlds


@dataclass(frozen=True, kw_only=True)
class Explored:
    """What was found.

    Attributes:
        worlds: How many different ones were seen.
        problem: What does not hold, if anything.
        trace: How it comes to that, on a shortest way.
    """

    worlds: int
    problem: str | None = None
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = "".join(f"\n  {line}" for line in self.trace)
        return f"{self.worlds} worlds: {self.problem or 'all well'}{shown}"


class _Seen:
    """The worlds that were seen, the way to each, and the way back from each."""

    def __init__(self, first: World) -> None:
        self.number = {first: 0}
        self.worlds = [first]
        self.parents = array("l", [-1])
        self.labels: list[str] = [""]
        self._froms = array("l")
        self._tos = array("l")
        self._names: dict[str, str] = {}

    def add(self, world: World, parent: int, label: str, *, fault: bool) -> bool:
        """Note one step; return whether the world is a new one."""
        known = self.number.get(world)
        number = len(self.worlds) if known is None else known
        if not fault:
            self._froms.append(parent)
            self._tos.append(number)
        if known is not None:
            return False
        self.number[world] = number
        self.worlds.append(world)
        self.parents.append(parent)
        self.labels.append(self._names.setdefault(label, label))
        return True

    def trace(self, number: int, *last: str) -> tuple[str, ...]:
        """Return the way to a world."""
        lines: list[str] = list(last)
        while number > 0:
            lines.append(self.labels[number])
            number = self.parents[number]
        return tuple(reversed(lines))

    def stuck(self, worlds: Worlds) -> int | None:
        """Return a world from which no end is reached without a fault, if there is one."""
        back: list[list[int]] = [[] for _ in self.worlds]
        for from_, to in zip(self._froms, self._tos, strict=True):
            back[to].append(from_)
        todo = [number for number, world in enumerate(self.worlds) if worlds.ended(world)]
        free = bytearray(len(self.worlds))
        for number in todo:
            free[number] = 1
        while todo:
            for before in back[todo.pop()]:
                if not free[before]:
                    free[before] = 1
                    todo.append(before)
        place = free.find(0)
        return None if place < 0 else place


def explore(scenario: Scenario, *, most: int = 5_000_000) -> Explored:
    """Visit all worlds of a scenario, up to the first in which something does not hold.

    Raises:
        OverflowError: There are more than `most`.
    """
    worlds = Worlds(scenario)
    seen = _Seen(worlds.start())
    at = 0
    while at < len(seen.worlds):
        try:
            for label, world, fault in worlds.steps(seen.worlds[at]):
                if seen.add(world, at, label, fault=fault) and (problem := worlds.broken(world)):
                    trace = seen.trace(len(seen.worlds) - 1)
                    return Explored(worlds=len(seen.worlds), problem=problem, trace=trace)
        except BrokenError as error:
            return Explored(worlds=len(seen.worlds), problem=f"I3 {error}", trace=seen.trace(at))
        at += 1
        if at > most:
            raise OverflowError(f"more than {most} worlds")
    if (place := seen.stuck(worlds)) is not None:
        return Explored(worlds=at, problem="I5 nothing frees it", trace=seen.trace(place))
    return Explored(worlds=at)
