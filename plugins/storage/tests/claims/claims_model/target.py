"""What lies in the target."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias


class Mark(NamedTuple):
    """Which run made an object."""

    epoch: int
    run: int


class Object(NamedTuple):
    """What lies under a key; without a mark, nobody of ours made it."""

    digest: int
    mark: Mark | None = None


FinalList: TypeAlias = tuple[tuple[int, int], ...]
"""The keys and digests that a completed run relies on; lists are named by their content."""


class Word(StrEnum):
    """How far a run is."""

    ASKING = "asking"
    WORKING = "working"
    HOLDS = "holds"
    UNDOING = "undoing"
    PRUNED = "pruned"


class State(NamedTuple):
    """The object `state` of a claim.

    Attributes:
        wants_undo: A rollback asks whether it may begin.
        final: The final list that it refers to.
        held: The run has reached `holds`: its digests are final, also while it is undone.
        earlier: Final lists that it referred to before it was killed and went on.
    """

    word: Word
    epoch: int
    wants_undo: bool = False
    final: FinalList = ()
    held: bool = False
    earlier: frozenset[FinalList] = frozenset()

    @property
    def lists(self) -> frozenset[FinalList]:
        return self.earlier | {self.final}


class Target(NamedTuple):
    """All that lies in the target; runs and keys are places in the tuples."""

    objects: tuple[Object | None, ...]
    asides: tuple[tuple[Object | None, ...], ...]
    wanted: tuple[bool, ...]
    states: tuple[State | None, ...]
    lists: frozenset[FinalList] = frozenset()
    epoch: int | None = None
    kept: frozenset[FinalList] = frozenset()

    def with_object(self, key: int, found: Object | None) -> Target:
        return self._replace(objects=put(self.objects, key, found))

    def with_aside(self, run: int, key: int, found: Object | None) -> Target:
        return self._replace(asides=put(self.asides, run, put(self.asides[run], key, found)))

    def with_state(self, run: int, state: State | None) -> Target:
        return self._replace(states=put(self.states, run, state))

    def with_wanted(self, run: int, there: bool) -> Target:
        return self._replace(wanted=put(self.wanted, run, there))

    def fresh_epoch(self, run: int) -> int:
        """Return a random name: one of two of this run's own, whichever nothing here carries."""
        objects = [*self.objects, *(each for row in self.asides for each in row)]
        used = {each.mark.epoch for each in objects if each is not None and each.mark is not None}
        used |= {state.epoch for state in self.states if state is not None}
        first, second = 2 * run, 2 * run + 1
        return second if first in used or self.epoch == first else first


def put(values: tuple[Any, ...], place: int, value: object) -> tuple[Any, ...]:
    """Return `values` with another one at `place`."""
    return (*values[:place], value, *values[place + 1 :])
