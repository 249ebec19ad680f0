"""Holding: what a run holds, looked at again before it is registered elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property, partial

from handrail_storage.claims.errors import (
    ClaimLostError,
    HeldChangedError,
    claim_missing,
    claims_command,
)
from handrail_storage.claims.keys import Keys
from handrail_storage.claims.ledger import EndedError, Ledger, Listing
from handrail_storage.claims.lists import Held, Row
from handrail_storage.claims.records import ClaimState, Entry, State, parse_mark
from handrail_storage.claims.reliance import share
from handrail_storage.store import Store
from handrail_storage.texts import count_text


class Holding:
    """What a run holds, and the other runs that may have changed it since.

    Others may work with the keys of a run as soon as it holds.

    Args:
        store: The target.
        ledger: The claims.
        run: The run.
        known: The claims when the run asked; None in another process than that which did.
    """

    def __init__(self, store: Store, ledger: Ledger, run: str, known: Listing | None) -> None:
        self._store = store
        self._ledger = ledger
        self._run = run
        self._known = None if known is None else _runs_of(known)

    @cached_property
    def _keys(self) -> Keys:
        entry = self._ledger.entry(self._run)
        return Keys.of(()) if entry is None else Keys(self._ledger.keys(entry.state))

    @property
    def is_known(self) -> bool:
        """Whether this process knows how it was: it has stored it, or has looked at it."""
        return self._known is not None

    @property
    def is_settled(self) -> bool:
        """Whether all is known to be as it was, as no run has come that may have changed it.

        It takes the names of the claims, its own, those that are new, and the lists of some of
        these. If not, `look` tells.

        Raises:
            ClaimMissingError: The claim is gone.
            ClaimLostError: The run is being undone.
            StorageError: The storage failed or refused.
        """
        self._check(self._ledger.entry(self._run))
        if self._known is None:
            return False
        new = map(self._ledger.entry, self._ledger.runs().keys() - self._known - {self._run})
        states = [each.state for each in new if each is not None]
        try:
            return not any(
                state.state is not State.ASKING and share(state, self._keys, self._ledger)
                for state in states
            )
        except EndedError:
            return False

    def look(self) -> None:
        """Look at all that the run holds.

        Raises:
            HeldChangedError: Some is gone, or something else is in its place.
            ClaimMissingError: The claim is gone.
            ClaimLostError: The run is being undone.
            StorageError: The storage failed or refused.
        """
        listing = self._ledger.listing(kept=False)
        own = (each for each in listing.entries if each.state.run == self._run)
        state = self._check(next(own, None))
        changed: list[str] = []
        if state.held is not None:
            for rows in self._ledger.held(state.held).rows():
                changed += self._changed(rows)
        if changed:
            raise self._error(changed, listing)
        self._known = _runs_of(listing)

    def _check(self, entry: Entry | None) -> ClaimState:
        if entry is None:
            raise claim_missing(self._store.url)
        state = entry.state
        if state.state is State.HOLDS and not (state.wants_undo or state.freed):
            return state
        raise ClaimLostError(
            f"somebody is undoing {state.claimant} at {self._store.url}, or has begun to",
            ways_out=(f"look at the claims there:  {claims_command(self._store.url)}",),
        )

    def _changed(self, rows: Sequence[Row]) -> list[str]:
        """Return the keys of a page under which is not what the run holds, be that nothing."""
        held = {row[0]: Held.of(row) for row in rows}
        there = self._store.look_up(list(held))
        same = {key: each.is_same(there[key]) for key, each in held.items() if key in there}
        doubtful = self._store.stats([key for key, told in same.items() if told is None])
        for key, found in doubtful.items():
            same[key] = held[key].is_same(found, partial(self._store.digest, found))
        return [key for key, each in held.items() if same.get(key, each.is_nothing) is False]

    def _error(self, changed: Collection[str], listing: Listing) -> HeldChangedError:
        first = next(iter(changed))
        found = self._store.stat(first)
        mark = None if found is None else parse_mark(found.mark)
        others = {each.state.run: each.state.claimant for each in listing.entries}
        if found is None:
            whose = "is gone"
        elif mark is not None and mark.run in others:
            claimant = others[mark.run]
            whose = f"is of {claimant}{claimant.details}"
        else:
            whose = "is of somebody else" if mark is None else f"is of run {mark.run}"
        more = f", and {len(changed) - 1:,} more" if len(changed) > 1 else ""
        verb = "is" if len(changed) == 1 else "are"
        return HeldChangedError(
            f"{count_text(len(changed), 'object')} at {self._store.url} {verb} no longer what this "
            f"run has left there: {first} {whose}{more}",
            ways_out=(f"look at the claims there:  {claims_command(self._store.url)}",),
        )


def _runs_of(listing: Listing) -> set[str]:
    return {each.state.run for each in listing.entries}
