"""Survey: what lies under the keys of a run, and what its undo has to do with each object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Literal

from handrail.frozen import frozen, replace
from handrail_storage.backend.disk import FOLDER
from handrail_storage.claims.asides import Asides
from handrail_storage.claims.keys import Keys
from handrail_storage.claims.ledger import Ledger, Listing
from handrail_storage.claims.lists import NOTHING, Beside, Held, HeldList, Row
from handrail_storage.claims.records import Claimant, ClaimState, Mark
from handrail_storage.claims.reliance import Reliance
from handrail_storage.store import Store
from handrail_storage.stored import Listed, Stored

Made = Mapping[str, Held] | HeldList | None
"""What a run has put: by key, or as a list; None if that is not known."""

Goal = tuple[str, Row | None]
"""A key, and what the run has left there as a row of its list, if that is known.

What it has deleted, or was about to, is known at once: nothing.
"""


@frozen
class Verdict:
    """What an undo does with an object.

    Attributes:
        found: The object; one of the size `NOTHING` where there is none.
        act: Whether to delete it, to restore what was before it, or to leave it.
        copy: The name of what is restored; or of what was deleted, where something is there again.
        stays: The run for which it is left, as that relies on it; None for none.
        below: Where the run had deleted an object, and another run has put one since: the run that
            has to keep the copy of that from now on. None if nobody has to.
    """

    found: Listed
    act: Literal["delete", "restore", "leave"]
    copy: str = ""
    stays: Claimant | None = None
    below: str | None = None


class Survey:
    """Looks at the objects under the keys of a run.

    Args:
        store: The target.
        ledger: The claims.
        state: The claim of the run.
        keys: The keys that it wanted.
        listing: All claims.
        asides: What was set aside at the target.
        made: What it is known to have put; an object that has the ETag of it needs no look at its
            mark.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        state: ClaimState,
        keys: Keys,
        listing: Listing,
        asides: Asides,
        made: Made = None,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._state = state
        self._keys = keys
        self._made = Beside(lambda: _listed(made))
        self._reliance = Reliance(ledger, listing, state.run, keys, state.held)
        self._reliance.open()
        self._asides = asides
        self._mark = str(Mark(epoch=state.epoch, run=state.run, step="?"))

    def goals(self) -> Iterator[list[Goal]]:
        """Yield the keys of the run in pages."""
        for rows in self._keys.lines.rows():
            goals = [(row[0], row if self._state.known else _nothing(row)) for row in rows]
            # So the lists of others are read beside this one, and not anew for each page.
            keys = [key for key, _ in goals]
            self._reliance.turn_to(keys)
            self._made.turn_to(keys)
            yield goals

    def verdicts(self, goals: list[Goal], *, closely: bool = False) -> list[Verdict]:
        """Return what to do with the objects under keys, where there are any.

        Args:
            goals: The keys.
            closely: Whether to ask for the mark of each, also where a listing tells what it is.
        """
        verdicts = self._of_what_is_there(goals, closely=closely)
        there = {each.found.key for each in verdicts}
        emptied = [key for key, row in goals if is_nothing(row) and key not in there]
        self._asides.look_at(self._state.run, emptied)
        return [*verdicts, *filter(None, map(self._deleted, emptied))]

    def _of_what_is_there(self, goals: list[Goal], *, closely: bool) -> list[Verdict]:
        keys = [key for key, _ in goals]
        if closely:
            return self._judged(goals, self._store.stats(keys))
        staying = self._staying(goals)
        there = self._store.glance(keys) if staying else self._store.look_up(keys)
        verdicts: list[Verdict] = []
        known: dict[str, Stored] = {}
        doubtful: list[str] = []
        for key, row in goals:
            listed = there.get(key)
            if listed is None:
                continue
            stays = staying.get(key)
            if stays is not None and row is not None and _may_be(row, listed):
                verdicts.append(Verdict(found=listed, act="leave", stays=stays))
                continue
            own = listed if isinstance(listed, Stored) else self._as_made(listed)
            if own is None:
                doubtful.append(key)
            else:
                known[key] = own
        known |= self._store.stats(doubtful)
        return verdicts + self._judged(goals, known)

    def _staying(self, goals: list[Goal]) -> dict[str, Claimant]:
        """Return keys whose object stays in any case, each with a run that relies on it.

        Where that run holds the same as this one, its object stays, and any other one is not of
        this run. So nobody has to ask whose it is; only copies that were set aside depend on that.
        """
        rows = [row for key, row in goals if row is not None and not self._asides.runs(key)]
        return self._reliance.surely(rows)

    def _judged(self, goals: list[Goal], found: Mapping[str, Stored]) -> list[Verdict]:
        judged = (
            self._deleted(key, found[key]) if is_nothing(row) else self._verdict(found[key], row)
            for key, row in goals
            if key in found
        )
        return list(filter(None, judged))

    def _as_made(self, listed: Listed) -> Stored | None:
        """Return an object as the run has made it; None if it may be another one."""
        if listed.etag is None:
            return None
        for made in map(Held.of, self._made.under(listed.key)):
            if made.etag == listed.etag:
                return Stored(
                    key=listed.key,
                    size=listed.size,
                    etag=listed.etag,
                    mark=self._mark,
                    sha256=made.sha256,
                )
        return None

    def _verdict(self, found: Stored, row: Row | None) -> Verdict:
        """Return what to do with an object, by what the run has left under its key, if known."""
        if not self._is_of_run(found, None if row is None else Held.of(row)):
            return Verdict(found=found, act="leave")
        stays = self._relied(found)
        if stays is not None:
            return Verdict(found=found, act="leave", stays=stays)
        copy = self._asides.before(found, self._is_relied_on)
        if copy is None:
            return Verdict(found=found, act="delete")
        return Verdict(found=found, act="restore", copy=copy)

    def _deleted(self, key: str, found: Stored | None = None) -> Verdict | None:
        """Return what to do under a key where the run had deleted something, if anything."""
        own = self._asides.copy(self._state.run, key)
        if own is None or self._asides.mark(own.mark) is None:
            # Only what was of ours was deleted; a copy of another thing is a remnant.
            return None if found is None else Verdict(found=found, act="leave")
        name = self._asides.name(self._state.run, key)
        stays, above = self._next_deletion(key) or (None, found)
        if found is not None:
            stays = None if self._asides.mark(found.mark) is None else self._relied(found)
        there = found or Stored(key=key, size=NOTHING, etag=None)
        if above is not None:
            below = self._below(own, above)
            return Verdict(found=there, act="leave", copy=name, stays=stays, below=below)
        if not self._is_relied_on(own, name):
            name = self._asides.before(own, self._is_relied_on) or ""
        return Verdict(found=there, act="restore", copy=name) if name else None

    def _next_deletion(self, key: str) -> tuple[Claimant, Stored] | None:
        """Return the first later run that has deleted something under a key, and its copy."""
        for run in self._reliance.later:
            copy = self._asides.copy(run, key)
            if copy is not None and self._reliance.deletes(run, key):
                return self._reliance.relying[run].claimant, copy
        return None

    def _below(self, own: Stored, above: Stored) -> str | None:
        """Return the run whose copy what the run has deleted becomes, as if it never had been.

        Args:
            own: What it has deleted.
            above: What is there, or what the next run has deleted that did so.
        """
        back = self._asides.back(above)
        first, mark = [above, *back.values()][-1], self._asides.mark(own.mark)
        made = self._asides.mark(first.mark)
        assert mark is not None
        if made is None or self._state.run in back or mark.run in {*back, made.run}:
            return None  # Others wrote there, or it is that object.
        return made.run

    def pass_down(self, verdicts: Iterable[Verdict]) -> set[str]:
        """Keep copies for runs that have put something since; return keys with others by now."""
        keys, run = {each.found.key: each.below for each in verdicts}, self._state.run
        return {
            key
            for key, below in keys.items()
            if below is not None and not self._asides.pass_down(run, key, below)
        }

    def needless(self, keys: Iterable[str], verdicts: Iterable[Verdict]) -> list[str]:
        """Return the names of copies that nobody needs once the verdicts are carried out."""
        there = {each.found.key: each for each in verdicts if each.act != "delete"}
        return [
            self._asides.name(run, key).removeprefix(f"{FOLDER}/")
            for key in keys
            if self._asides.runs(key)
            for run in self._asides.unreachable(key, self._tops(key, there.get(key)))
            if run == self._state.run or run not in self._reliance.relying
        ]

    def is_foreign(self, verdict: Verdict) -> bool:
        """Return whether something of others is where the run had put or deleted an object."""
        if verdict.act != "leave" or verdict.stays is not None:
            return False
        return self._made_nothing or bool(verdict.copy or self._made.under(verdict.found.key))

    @cached_property
    def _made_nothing(self) -> bool:
        return self._made.lines.is_empty

    def _tops(self, key: str, verdict: Verdict | None) -> Iterator[Stored]:
        """Yield what is under a key, and what others have set aside that rely on something."""
        if verdict is not None and verdict.act == "restore":
            found = self._asides.copy_at(verdict.copy)
            assert found is not None  # It was looked at.
            yield found
        elif verdict is not None:
            # Where anything was set aside, each object was asked for its mark.
            assert isinstance(verdict.found, Stored)
            yield verdict.found
        copies = (self._asides.copy(run, key) for run in self._reliance.relying)
        yield from (each for each in copies if each is not None)

    def _is_of_run(self, found: Stored, held: Held | None) -> bool:
        mark = self._asides.mark(found.mark)
        if mark is None:
            return False
        if held is None:
            return mark.run == self._state.run
        same = held.is_same(found, lambda: self._store.digest(found))
        # With neither digest nor ETag, only the own mark tells that it is what was left there.
        return mark.run == self._state.run if same is None else same

    def _is_relied_on(self, copy: Stored, name: str) -> bool:
        return self._relied(copy, name) is not None

    def _relied(self, found: Stored, name: str | None = None) -> Claimant | None:
        """Return a run that relies on an object, or on a copy of it under another name."""
        there = found if name is None else replace(found, key=name)
        return self._reliance.on(found, lambda: self._store.digest(there))


def _may_be(row: Row, there: Listed) -> bool:
    """Return whether an object may be the one that a run holds, by what is known of both."""
    held = Held.of(row)
    same = held.is_same(there)
    return None in (held.etag, there.etag) if same is None else same


def is_nothing(row: Row | None) -> bool:
    """Return whether a run has deleted, by a row of its list, what was under a key."""
    return row is not None and Held.of(row).is_nothing


def _nothing(wanted: Row) -> Row | None:
    """Return the row of a key that a run was about to empty; None for another one."""
    return (wanted[0], NOTHING, None, None) if wanted[1] == "" else None


def _listed(made: Made) -> HeldList:
    return HeldList.of(made.values() if isinstance(made, Mapping) else made or ())
