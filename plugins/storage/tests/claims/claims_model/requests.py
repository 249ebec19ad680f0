"""The requests that runs send: each is atomic, and the model kills before and after each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from claims_model.target import FinalList, Object, State, Target, Word

Outcome: TypeAlias = tuple[Target, object]

UNREAD = "unread"
"""In a listing of claims: the state is there, and has to be read."""


class BrokenError(AssertionError):
    """A request that must never be sent."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request: what it does to the target, and its answer."""

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        """Yield each target that there may be afterwards, with the answer."""
        raise NotImplementedError

    def is_private(self, target: Target, run: int) -> bool:
        """Whether this changes nothing, and nothing that others do changes the answer."""
        return False


# The small files of claims


@dataclass(frozen=True, slots=True)
class PutWanted(Request):
    """Put `claims/<run>/list`."""

    run: int

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target.with_wanted(self.run, True), None


@dataclass(frozen=True, slots=True)
class HasWanted(Request):
    """Look for `claims/<run>/list`."""

    run: int

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target, target.wanted[self.run]

    def is_private(self, target: Target, run: int) -> bool:
        return run == self.run


@dataclass(frozen=True, slots=True)
class DeleteWanted(Request):
    """Delete `claims/<run>/list`."""

    run: int

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target.with_wanted(self.run, False), None


@dataclass(frozen=True, slots=True)
class ListClaims(Request):
    """List the states of the other claims.

    The listing has the ETag of each, by which a state may be known from before; or it is read
    later, as UNREAD says.
    """

    run: int

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        seen = [
            (None,) if state is None or other == self.run else (UNREAD, state)
            for other, state in enumerate(target.states)
        ]
        for answer in itertools.product(*seen):
            yield target, answer


@dataclass(frozen=True, slots=True)
class IsAlone(Request):
    """List the claims, and answer whether there are none."""

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target, not any(target.states) and not any(target.wanted)


@dataclass(frozen=True, slots=True)
class GetState(Request):
    """Read `claims/<run>/state`."""

    run: int

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target, target.states[self.run]

    def is_private(self, target: Target, run: int) -> bool:
        return run == self.run


@dataclass(frozen=True, slots=True)
class PutState(Request):
    """Replace `claims/<run>/state`."""

    run: int
    state: State

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target.with_state(self.run, self.state), None


@dataclass(frozen=True, slots=True)
class DeleteState(Request):
    """Delete `claims/<run>/state`."""

    run: int
    undone: bool = False

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target.with_state(self.run, None), None


@dataclass(frozen=True, slots=True)
class GetEpoch(Request):
    """Read `claims/epoch`."""

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target, target.epoch


@dataclass(frozen=True, slots=True)
class CreateEpoch(Request):
    """Put `claims/epoch` if it is absent, and answer whether it was; None stands for a new one."""

    run: int
    epoch: int | None

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        if conditional and target.epoch is not None:
            yield target, None
        else:
            epoch = target.fresh_epoch(self.run) if self.epoch is None else self.epoch
            yield target._replace(epoch=epoch), epoch


@dataclass(frozen=True, slots=True)
class DeleteEpoch(Request):
    """Delete `claims/epoch`."""

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target._replace(epoch=None), None


@dataclass(frozen=True, slots=True)
class HasList(Request):
    """Look for `lists/<sha256>`; where a state refers to it, it must be there."""

    final: FinalList
    needed: bool = False

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        if self.needed and self.final not in target.lists:
            raise BrokenError("a final list that is needed is missing")
        yield target, self.final in target.lists


@dataclass(frozen=True, slots=True)
class PutList(Request):
    """Put `lists/<sha256>`."""

    final: FinalList

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target._replace(lists=target.lists | {self.final}), None


@dataclass(frozen=True, slots=True)
class DeleteList(Request):
    """Delete `lists/<sha256>`."""

    final: FinalList

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target._replace(lists=target.lists - {self.final}), None


@dataclass(frozen=True, slots=True)
class GetKept(Request):
    """Read `kept`."""

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target, target.kept


@dataclass(frozen=True, slots=True)
class SwapKept(Request):
    """Replace `kept` if it is still what was found; None: whatever it is."""

    found: frozenset[FinalList] | None
    new: frozenset[FinalList]

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        if self.found in (target.kept, None):
            yield target._replace(kept=self.new), True
        else:
            yield target, False


@dataclass(frozen=True, slots=True)
class Prune(Request):
    """Replace `holds` by `pruned` if it is still there."""

    run: int
    found: State

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        if target.states[self.run] == self.found:
            yield target.with_state(self.run, self.found._replace(word=Word.PRUNED)), True
        else:
            yield target, False


# Objects and what they replaced


@dataclass(frozen=True, slots=True)
class Look(Request):
    """Look at what lies under a key; a run that finds its digest relies on the object."""

    run: int
    key: int
    digest: int | None = None

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target, target.objects[self.key]


@dataclass(frozen=True, slots=True)
class SetAside(Request):
    """Copy what is under a key aside, and answer what that was.

    Nothing, or what the run would put there, is not copied.
    """

    run: int
    key: int
    digest: int

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        found = target.objects[self.key]
        if found is None or found.digest == self.digest:
            yield target, None
        else:
            yield target.with_aside(self.run, self.key, found), found


@dataclass(frozen=True, slots=True)
class DeleteAside(Request):
    """Delete a copy aside."""

    run: int
    key: int

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target.with_aside(self.run, self.key, None), None

    def is_private(self, target: Target, run: int) -> bool:
        return run == self.run and target.asides[run][self.key] is None


@dataclass(frozen=True, slots=True)
class ListAsides(Request):
    """List the copies aside of a key, with their marks."""

    key: int

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target, tuple(row[self.key] for row in target.asides)


def _still(target: Target, key: int, found: Object | None, *, conditional: bool) -> bool:
    return not conditional or target.objects[key] == found


@dataclass(frozen=True, slots=True)
class Place(Request):
    """Put an object of a run in place of what was found, or of nothing, if that is still so."""

    run: int
    key: int
    found: Object | None
    new: Object
    overwrite: bool

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        current = target.objects[self.key]
        if not _still(target, self.key, self.found, conditional=conditional):
            yield target, False
            return
        if current is not None and current.mark is None:
            if target.asides[self.run][self.key] != current:
                raise BrokenError("a run overwrites a foreign object that is not set aside")
        elif current is not None and current.digest != self.new.digest and not self.overwrite:
            raise BrokenError("a run overwrites another run's object, and nobody asked for it")
        yield target.with_object(self.key, self.new), True


@dataclass(frozen=True, slots=True)
class PutBack(Request):
    """Delete an object or, in one request, put a copy aside over it, if it is still there."""

    run: int
    key: int
    found: Object
    copy: Object | None

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        current = target.objects[self.key]
        if not _still(target, self.key, self.found, conditional=conditional):
            yield target, False
            return
        if current is not None and current.mark is None and current != self.copy:
            raise BrokenError("a rollback takes a foreign object away")
        yield target.with_object(self.key, self.copy), True


@dataclass(frozen=True, slots=True)
class ReadSource(Request):
    """Read a file of one's own; it may have changed since a run was killed."""

    run: int
    wanted: int
    otherwise: int | None = None

    def outcomes(self, target: Target, *, conditional: bool) -> Iterator[Outcome]:
        yield target, self.wanted
        if self.otherwise is not None:
            yield target, self.otherwise

    def is_private(self, target: Target, run: int) -> bool:
        return self.otherwise is None
