"""Survey: what lies under the keys of a run, and what its undo has to do with each object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import repeat
from typing import Literal

from handrail.frozen import frozen, replace
from handrail_storage.backend.disk import FOLDER
from handrail_storage.claims.asides import Asides
from handrail_storage.claims.ledger import Ledger, Listing
from handrail_storage.claims.lists import Beside, Held, HeldList
from handrail_storage.claims.records import Claimant, ClaimState, Mark
from handrail_storage.claims.reliance import Reliance
from handrail_storage.claims.summary import Keys
from handrail_storage.store import Store
from handrail_storage.stored import Listed, Stored

Made = Mapping[str, Held] | HeldList | None
"""What a run has put: by key, or as a list; None if that is not known."""

Goal = tuple[str, Held | None]
"""A key, and what the run has left there, if that is known."""


@frozen
class Verdict:
    """What an undo does with an object.

    Attributes:
        found: The object.
        act: Whether to delete it, to restore what was before it, or to leave it.
        copy: The name of what is restored.
        stays: The run for which it is left; None if no run of this epoch has made it.
    """

    found: Stored
    act: Literal["delete", "restore", "leave"]
    copy: str = ""
    stays: Claimant | None = None


class Survey:
    """Looks at the objects under the keys of a run.

    Args:
        store: The target.
        ledger: The claims.
        state: The claim of the run.
        keys: The keys that it wanted.
        listing: All claims.
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
        made: Made,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._state = state
        self._keys = keys
        self._made = Beside(lambda: _listed(made))
        self._reliance = Reliance(ledger, listing, state.run, keys)
        self._reliance.open()
        self._asides = Asides(store, state.epoch)
        self._mark = str(Mark(epoch=state.epoch, run=state.run, step="?"))

    def goals(self) -> Iterator[list[Goal]]:
        """Yield the keys of the run in pages."""
        for rows in self._keys.lines.rows():
            held = map(Held.of, rows) if self._state.known else repeat(None)
            goals = [(row[0], each) for row, each in zip(rows, held, strict=False)]
            # So the lists of others are read beside this one, and not anew for each page.
            keys = [key for key, _ in goals]
            self._reliance.turn_to(keys)
            self._made.turn_to(keys)
            yield goals

    def look(self, keys: list[str], *, closely: bool = False) -> dict[str, Stored]:
        """Return the objects under keys, by key.

        Args:
            keys: The keys.
            closely: Whether to ask for the mark of each, also if its ETag is that of what was put.
        """
        if closely:
            return self._store.stats(keys)
        found: dict[str, Stored] = {}
        doubtful: list[str] = []
        for key, listed in self._store.look_up(keys).items():
            own = listed if isinstance(listed, Stored) else self._as_made(listed)
            if own is not None:
                found[key] = own
            else:
                doubtful.append(key)
        return found | self._store.stats(doubtful)

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

    def verdict(self, found: Stored, held: Held | None) -> Verdict:
        """Return what to do with an object.

        Args:
            found: The object.
            held: What the run has left under its key; None if that is not known.
        """
        if not self._is_of_run(found, held):
            return Verdict(found=found, act="leave")
        stays = self._relied(found)
        if stays is not None:
            return Verdict(found=found, act="leave", stays=stays)
        copy = self._asides.before(found, self._is_relied_on)
        if copy is None:
            return Verdict(found=found, act="delete")
        return Verdict(found=found, act="restore", copy=copy)

    def needless(self, keys: Iterable[str], verdicts: Iterable[Verdict]) -> list[str]:
        """Return the names of copies that nobody needs once the verdicts are carried out."""
        there = {each.found.key: each for each in verdicts if each.act != "delete"}
        return [
            self._asides.name(run, key).removeprefix(f"{FOLDER}/")
            for key in keys
            if self._asides.runs(key)
            for run in self._asides.unreachable(key, self._top(there.get(key)))
            if run == self._state.run or run not in self._reliance.relying
        ]

    def is_foreign(self, verdict: Verdict) -> bool:
        """Return whether something of others is under a key for which the run had put an object."""
        if verdict.act != "leave" or verdict.stays is not None:
            return False
        return self._made_nothing or bool(self._made.under(verdict.found.key))

    @cached_property
    def _made_nothing(self) -> bool:
        return self._made.lines.is_empty

    def is_older(self, verdict: Verdict) -> bool:
        """Return whether something has a mark of ours, but not of this epoch."""
        mark = verdict.found.mark
        return mark is not None and self._asides.mark(mark) is None

    def _top(self, verdict: Verdict | None) -> Stored | None:
        if verdict is None:
            return None
        return self._asides.copy_at(verdict.copy) if verdict.act == "restore" else verdict.found

    def _is_of_run(self, found: Stored, held: Held | None) -> bool:
        mark = self._asides.mark(found.mark)
        if mark is None:
            return False
        if held is None:
            return mark.run == self._state.run
        same = held.is_same(found)
        if same is None and held.sha256 is not None:
            same = held.sha256 == self._store.digest(found)
        # With neither digest nor ETag, only the own mark tells that it is what was left there.
        return mark.run == self._state.run if same is None else same

    def _is_relied_on(self, copy: Stored, name: str) -> bool:
        return self._relied(copy, name) is not None

    def _relied(self, found: Stored, name: str | None = None) -> Claimant | None:
        """Return a run that relies on an object, or on a copy of it under another name."""
        there = found if name is None else replace(found, key=name)
        return self._reliance.on(found, lambda: self._store.digest(there))


def _listed(made: Made) -> HeldList:
    return HeldList.of(made.values() if isinstance(made, Mapping) else made or ())
