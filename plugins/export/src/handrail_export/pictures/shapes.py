"""Finds the shapes in a mask: connected patches of a number, with box, area and outline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import field

from handrail.frozen import record

_RUN = re.compile(rb"([\x01-\xff])\1*", re.DOTALL)

Run = tuple[int, int, int]  # Row, and the columns from and up to.
Point = tuple[int, int]


@record
class Patch:
    """Pixels of one number that touch each other at an edge.

    Attributes:
        number: The number of its pixels.
        runs: The pixels, as rows with the columns from and up to.
    """

    number: int
    runs: list[Run] = field(default_factory=list[Run])

    @property
    def area(self) -> int:
        """The number of pixels."""
        return sum(end - start for _, start, end in self.runs)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height in pixels."""
        left, right = min(run[1] for run in self.runs), max(run[2] for run in self.runs)
        top, bottom = min(run[0] for run in self.runs), max(run[0] for run in self.runs) + 1
        return left, top, right - left, bottom - top

    def outline(self) -> tuple[int, ...]:
        """Return the corners of its outer border, clockwise, x and y in turn, without holes."""
        steps = _edges(self.runs)
        # The topmost pixel, and there the leftmost: its left corner is on the outer border.
        top, left, _ = min(self.runs)
        corners = _walk(steps, (left, top))
        return tuple(value for corner in corners for value in corner)


def patches(rows: Sequence[bytes]) -> list[Patch]:
    """Return the patches of a mask, in the order in which they begin; 0 is the background.

    Args:
        rows: One byte for each pixel.
    """
    tracer = _Tracer()
    for number, row in enumerate(rows):
        tracer.take(number, row)
    return [patch for patch in tracer.found if patch.runs]


class _Tracer:
    """Joins the runs of each row with those of the row above that they touch."""

    def __init__(self) -> None:
        self.found: list[Patch] = []
        self._above: list[tuple[Run, Patch]] = []
        self._joined: dict[int, Patch] = {}

    def take(self, number: int, row: bytes) -> None:
        here: list[tuple[Run, Patch]] = []
        first, above = 0, self._above
        for match in _RUN.finditer(row):
            run = (number, match.start(), match.end())
            while first < len(above) and above[first][0][2] <= run[1]:
                first += 1
            patch = self._patch_of(run, match[1][0], first)
            patch.runs.append(run)
            here.append((run, patch))
        self._above = here

    def _patch_of(self, run: Run, number: int, first: int) -> Patch:
        """Return the patch of a run: one that it touches, or a new one."""
        mine: Patch | None = None
        for position in range(first, len(self._above)):
            other, patch = self._above[position]
            if other[1] >= run[2]:
                break
            touched = self._whole(patch)
            if touched.number == number:
                mine = touched if mine is None else self._join(mine, touched)
        if mine is None:
            mine = Patch(number=number)
            self.found.append(mine)
        return mine

    def _join(self, one: Patch, other: Patch) -> Patch:
        if other is not one:
            one.runs.extend(other.runs)
            other.runs = []
            self._joined[id(other)] = one
        return one

    def _whole(self, patch: Patch) -> Patch:
        while id(patch) in self._joined:
            patch = self._joined[id(patch)]
        return patch


def _edges(runs: Sequence[Run]) -> dict[Point, list[Point]]:
    """Return the border between inside and outside, as steps with the inside on their right."""
    steps: dict[Point, list[Point]] = {}
    rows: dict[int, list[Run]] = {}
    for run in runs:
        rows.setdefault(run[0], []).append(run)

    def step(start: Point, end: Point) -> None:
        steps.setdefault(start, []).append(end)

    for y, here in rows.items():
        for _, start, end in here:
            step((start, y + 1), (start, y))
            step((end, y), (end, y + 1))
            for first, last in _uncovered(start, end, rows.get(y - 1, [])):
                step((first, y), (last, y))
            for first, last in _uncovered(start, end, rows.get(y + 1, [])):
                step((last, y + 1), (first, y + 1))
    return steps


def _uncovered(start: int, end: int, others: Sequence[Run]) -> Iterator[tuple[int, int]]:
    """Yield the parts of a stretch that none of the runs of the next row covers."""
    for _, first, last in sorted(others):
        if last <= start or first >= end:
            continue
        if first > start:
            yield start, first
        start = max(start, last)
    if start < end:
        yield start, end


def _walk(steps: dict[Point, list[Point]], start: Point) -> list[Point]:
    """Follow the border from a point back to it; return the turning points."""
    corners: list[Point] = []
    here: Point = start
    direction: Point = (0, 0)
    while True:
        following = steps[here]
        # Where two pixels meet at a corner only, the turn to the right stays with this one.
        turns = [_turn(direction, _direction(here, end)) for end in following]
        ahead = following[turns.index(max(turns))]
        following.remove(ahead)
        heading = _direction(here, ahead)
        if heading != direction:
            corners.append(here)
        here, direction = ahead, heading
        if here == start:
            return corners


def _direction(start: Point, end: Point) -> Point:
    return _sign(end[0] - start[0]), _sign(end[1] - start[1])


def _turn(before: Point, after: Point) -> int:
    """Return 1 for a turn to the right, as y grows downwards, 0 for straight on, -1 to the left."""
    return before[0] * after[1] - before[1] * after[0]


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
