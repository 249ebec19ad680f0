"""Which runs rely on an object, and which are in the way of another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from handrail_storage.claims.ledger import Ledger, Listing, ListMissingError
from handrail_storage.claims.lists import Held
from handrail_storage.claims.records import Claimant, ClaimState, State
from handrail_storage.claims.summary import Keys
from handrail_storage.stored import Stored

PRUNED = Claimant(run="")
"""Stands for all runs that rely on an object, but are pruned from their journals."""


def in_the_way_of_a_run(
    state: ClaimState, keys: Keys, wanted: Mapping[str, str | None], ledger: Ledger
) -> bool:
    """Return whether a claim is in the way of a run that is about to start.

    Args:
        state: The state of the other claim.
        keys: The keys that the run wants.
        wanted: The digests that are known of what it wants there.
        ledger: The claims.
    """
    stops_all = state.wants_undo or state.state is State.UNDOING
    if not stops_all and state.state not in (State.ASKING, State.WORKING):
        return False
    if not state.keys.may_share(keys):
        return False
    if stops_all:
        return _shares(state, keys, ledger)
    try:
        shared = [each for each in ledger.wanted(state) if each.key in keys]
    except ListMissingError:
        ledger.check_listed(state)
        raise
    return any(each.sha256 is None or each.sha256 != wanted.get(each.key) for each in shared)


def in_the_way_of_an_undo(state: ClaimState, keys: Keys, ledger: Ledger) -> bool:
    """Return whether a claim is in the way of a rollback that is about to start.

    Args:
        state: The state of the other claim.
        keys: The keys of the run that is undone.
        ledger: The claims.
    """
    busy = state.state in (State.ASKING, State.WORKING, State.UNDOING) or state.wants_undo
    return busy and state.keys.may_share(keys) and _shares(state, keys, ledger)


def _shares(state: ClaimState, keys: Keys, ledger: Ledger) -> bool:
    try:
        return any(key in keys for key in ledger.keys(state))
    except ListMissingError:
        ledger.check_listed(state)
        if not state.known:
            raise
        return True  # Its undo is about to end: only the claim is left of it.


class Reliance:
    """The objects that other runs rely on, among the keys of one run.

    Args:
        ledger: The claims.
        listing: All claims at one moment.
        run: The run that is undone, whose own claim does not count.
        keys: Its keys.
    """

    def __init__(self, ledger: Ledger, listing: Listing, run: str, keys: Keys) -> None:
        self._held: dict[str, list[tuple[Held, Claimant]]] = {}
        self.relying = {each.run for each in listing.others(run) if each.relies}
        lists: dict[str, ClaimState] = {}
        for each in listing.others(run):
            if not each.relies or each.held is None:
                continue
            if each.held in lists or each.keys.may_share(keys):
                lists[each.held] = each  # Of equal lists, that of the latest run.
        for digest in set(listing.kept).difference(lists):
            self._add(ledger.held(digest), keys, PRUNED)
        for state in lists.values():
            self._add(ledger.held_of(state), keys, state.claimant)

    def _add(self, held: Iterable[Held], keys: Keys, claimant: Claimant) -> None:
        for each in held:
            if each.key in keys:
                self._held.setdefault(each.key, []).append((each, claimant))

    def on(self, found: Stored | Held, digest: Callable[[], str]) -> Claimant | None:
        """Return a run that relies on an object, the latest one; None if there is none.

        Args:
            found: The object.
            digest: Reads the object, and returns the SHA-256 of its content.
        """
        for held, claimant in reversed(self._held.get(found.key, ())):
            same = held.is_same(found)
            if same is None and held.sha256 is not None:
                same = held.sha256 == digest()
            # What cannot be told apart is left alone.
            if same is not False:
                return claimant
        return None

    def shared(self, held: Iterable[Held]) -> Counter[Claimant]:
        """Return how many of these objects each other run relies on as well."""
        found = (self.on(each, lambda: "") for each in held)
        return Counter(claimant for claimant in found if claimant is not None)
