"""Numbers of runs. Children of sweeps have negative ones, which are written as `30.4`.

The number of a child is made from that of its sweep, its place there, and how often the place was
tried: one that was undone can be tried again, as a run of its own. `30.4` is the first run at the
fourth place of run 30, and `30.4.2` the second one. In a journal all of this is one integer: what
runs have there they have for children, too, without a further column, and lists of runs need only
look at positive numbers.
"""

from __future__ import annotations

import re

PLACES = 1_000_000
TRIES = 1_000
CHILDREN = PLACES * TRIES

_TEXT = re.compile(r"([0-9]{1,9})\.([0-9]{1,6})(?:\.([0-9]{1,3}))?")


class ChildNumber(int):
    """The number of a child of a sweep: a negative integer that is written as `30.4`.

    As JSON it is `str(number)`; see `number_json`. With the format `d` it is the integer itself.
    """

    @property
    def parent(self) -> int:
        """The number of the sweep."""
        return -self // CHILDREN

    @property
    def place(self) -> int:
        """The place in the sweep: 1, 2, 3, ..."""
        return -self % CHILDREN // TRIES

    @property
    def attempt(self) -> int:
        """How often the place had been tried, with this run: 1, 2, 3, ..."""
        return -self % TRIES

    def __str__(self) -> str:
        first = f"{self.parent}.{self.place}"
        return first if self.attempt == 1 else f"{first}.{self.attempt}"


def child_number(parent: int, place: int, attempt: int = 1) -> ChildNumber:
    """Return the number of a child.

    Args:
        parent: The number of the sweep.
        place: The place in the sweep, from 1.
        attempt: How often the place was tried, with this run.

    Raises:
        ValueError: There are no such numbers.
    """
    if parent < 1 or not 0 < place < PLACES or not 0 < attempt < TRIES:
        raise ValueError(f"a sweep has no child {parent}.{place}.{attempt}")
    return ChildNumber(-(parent * CHILDREN + place * TRIES + attempt))


def run_number(stored: int) -> int:
    """Return the number of a run that a journal has as this integer."""
    return ChildNumber(stored) if stored < 0 else stored


def number_json(number: int) -> int | str:
    """Return the number of a run for JSON: the integer, or `"30.4"`."""
    return str(number) if isinstance(number, ChildNumber) else number


def children_of(parent: int, place: int | None = None) -> tuple[int, int]:
    """Return the least and the greatest integer that children of a run can have.

    Args:
        parent: The number of the run.
        place: Only those at this place.
    """
    if place is None:
        return -(parent + 1) * CHILDREN + 1, -parent * CHILDREN - 1
    last = -(parent * CHILDREN + place * TRIES)
    return last - TRIES + 1, last - 1


def parse_child(text: str) -> tuple[int, int, int | None] | None:
    """Return parent, place and attempt, if that is named, of `30.4` or `30.4.2`; None if neither.

    A place without an attempt means the latest one.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    parent, place, attempt = found.groups()
    if not int(parent) or not int(place) or (attempt is not None and not int(attempt)):
        return None
    return int(parent), int(place), None if attempt is None else int(attempt)
