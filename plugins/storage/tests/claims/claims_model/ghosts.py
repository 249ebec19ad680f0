"""What no run knows, but what must hold depends on: who relies on what, and what covers it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from claims_model.target import FinalList, Object, put

UNKNOWN = Object(-1)
"""What somebody else wants under a key where they deleted an object of ours."""


class Ghosts(NamedTuple):
    """What the runs do not know, but the invariants ask for.

    Attributes:
        relied: The digest that a run put or found under each key.
        covered: Who has replaced that since, on purpose; the number of runs stands for others.
        foreign: What somebody else wants under each key.
        pruned: The final list of each run that was pruned.
    """

    relied: tuple[tuple[int | None, ...], ...]
    covered: tuple[tuple[frozenset[int], ...], ...]
    foreign: tuple[Object | None, ...]
    pruned: tuple[FinalList | None, ...]

    @classmethod
    def at_first(cls, runs: int, objects: tuple[Object | None, ...]) -> Ghosts:
        """Return those of a target with these foreign objects, before any run."""
        return cls(
            relied=((None,) * len(objects),) * runs,
            covered=((frozenset(),) * len(objects),) * runs,
            foreign=objects,
            pruned=(None,) * runs,
        )

    def established(self, run: int, key: int, digest: int) -> Ghosts:
        relied = put(self.relied, run, put(self.relied[run], key, digest))
        covered = put(self.covered, run, put(self.covered[run], key, frozenset()))
        return self._replace(relied=relied, covered=covered)

    def replaced(self, by: int, key: int, digest: int | None) -> Ghosts:
        """Note that all who rely on another digest are covered."""
        covered = tuple(
            row if run == by or self.relied[run][key] == digest else put(row, key, row[key] | {by})
            for run, row in enumerate(self.covered)
        )
        return self._replace(covered=covered)

    def undone(
        self, run: int, lying: Sequence[Collection[int]], relies: Callable[[int, int, int], bool]
    ) -> Ghosts:
        """Let show again what a run has covered, or let those cover it who rely on the same.

        Args:
            run: The run that is undone.
            lying: The digests that lie under each key, or aside.
            relies: Tells of another run, a key and a digest whether the run relies on that.
        """
        covered = self.covered
        for key, digests in enumerate(lying):
            digest = self.relied[run][key]
            heirs: frozenset[int] = frozenset()
            if digest is not None and digest in digests:
                others = (other for other in range(len(covered)) if other != run)
                heirs = frozenset(other for other in others if relies(other, key, digest))
            for other, row in enumerate(covered):
                if run in row[key]:
                    left = row[key] - {run} | heirs - {other}
                    covered = put(covered, other, put(row, key, left))
        return self._replace(covered=covered)
