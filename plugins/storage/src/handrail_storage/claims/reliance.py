"""Which runs rely on an object, and which are in the way of another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import attrgetter

from handrail_storage.claims.keys import Keys
from handrail_storage.claims.ledger import AT_A_TIME, Ledger, Listing, ListMissingError
from handrail_storage.claims.lists import Beside, Held, Row
from handrail_storage.claims.records import Claimant, ClaimState, State
from handrail_storage.stored import Stored

PRUNED = Claimant(run="")
"""Stands for all runs that rely on an object, but are pruned from their journals."""


def in_the_way_of_a_run(state: ClaimState, keys: Keys, ledger: Ledger) -> bool:
    """Return whether a claim is in the way of a run that is about to start.

    Args:
        state: The state of the other claim.
        keys: The keys that the run wants, with the digests that are known.
        ledger: The claims.
    """
    if state.wants_undo or state.state is State.UNDOING:
        return share(state, keys, ledger)
    if state.state not in (State.ASKING, State.WORKING):
        return False
    # Two that delete the same object would each have a copy of it: that takes turns, too.
    return share(state, keys, ledger, lambda own, its: not its[1] or its[1] != own[1])


def in_the_way_of_an_undo(state: ClaimState, keys: Keys, ledger: Ledger) -> bool:
    """Return whether a claim is in the way of a rollback that is about to start.

    Args:
        state: The state of the other claim.
        keys: The keys of the run that is undone.
        ledger: The claims.
    """
    busy = state.state in (State.ASKING, State.WORKING, State.UNDOING) or state.wants_undo
    return busy and share(state, keys, ledger)


def share(
    state: ClaimState,
    keys: Keys,
    ledger: Ledger,
    counts: Callable[[Row, Row], bool] = lambda own, its: True,
) -> bool:
    """Return whether another run has some of these keys, too.

    Args:
        state: The state of its claim.
        keys: The keys.
        ledger: The claims.
        counts: Whether a key counts, by the rows of both lists.

    Raises:
        EndedError: Its claim has ended or changed meanwhile.
        StorageError: Its list is missing or damaged, or the storage failed or refused.
    """
    if not state.keys.may_share(keys):
        return False
    try:
        theirs = ledger.keys(state)
    except ListMissingError:
        ledger.check_listed(state)
        if not state.known:
            raise
        return True  # Its undo is about to end: only the claim is left of it.
    beside = Beside(lambda: theirs)
    for rows in keys.lines.rows():
        beside.turn_to([row[0] for row in rows])
        if any(counts(row, its) for row in rows for its in beside.under(row[0])):
            return True
    return False


class Reliance:
    """The objects that other runs rely on, among the keys of one run.

    Args:
        ledger: The claims.
        listing: All claims at one moment.
        run: The run that is undone, whose own claim does not count.
        keys: Its keys.
        own: Identifies the list of what it holds, if it is known.

    Attributes:
        relying: All other claims that rely on anything, by run, the oldest first.
        later: The runs among them that have begun after this one.
    """

    def __init__(
        self, ledger: Ledger, listing: Listing, run: str, keys: Keys, own: str | None = None
    ) -> None:
        self.relying = {each.run: each for each in listing.others(run) if each.relies}
        begun = [each.state.run for each in listing.entries]
        after = begun[begun.index(run) + 1 :] if run in begun else []
        self.later = [each for each in after if each in self.relying]
        states: dict[str, ClaimState] = {}
        for each in reversed(listing.others(run)):
            if each.held is None or each.held in states:
                continue  # Of equal lists, that of the latest run.
            if each.relies and each.keys.may_share(keys):
                states[each.held] = each
        kept = sorted(set(listing.kept).difference(states))
        self._lists = [
            *((each.claimant, Beside(partial(ledger.held_of, each))) for each in states.values()),
            *((PRUNED, Beside(partial(ledger.held, digest))) for digest in kept),
        ]
        # Of those after a list that is the same as the own one, none is asked for held objects.
        digests = [*states, *kept]
        self._by_list = dict(zip(digests, (beside for _, beside in self._lists), strict=True))
        self._alike = digests.index(own) if own in digests else len(digests)

    def open(self) -> None:
        """Read all lists, so that a missing one is found before anything is changed.

        Raises:
            StorageError: A list is missing or damaged, or the storage failed or refused.
        """
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(attrgetter("lines"), [beside for _, beside in self._lists]))

    def turn_to(self, keys: Sequence[str]) -> None:
        """Turn to a page of the keys of the run, for which `on` is quick then."""
        for _, beside in self._lists:
            beside.turn_to(keys)

    def on(self, found: Stored | Held, digest: Callable[[], str]) -> Claimant | None:
        """Return a run that relies on an object, the latest one; None if there is none.

        Args:
            found: The object.
            digest: Reads the object, and returns the SHA-256 of its content.
        """
        for claimant, beside in self._lists:
            for held in map(Held.of, beside.under(found.key)):
                # What cannot be told apart is left alone.
                if held.is_same(found, digest) is not False:
                    return claimant
        return None

    def deletes(self, run: str, key: str) -> bool:
        """Return whether another run relies on it that there is nothing under a key."""
        beside = self._by_list.get(self.relying[run].held or "")
        return beside is not None and any(Held.of(row).is_nothing for row in beside.under(key))

    def surely(self, rows: Sequence[Row]) -> dict[str, Claimant]:
        """Return runs that rely on the same as the run that is undone, by key, of each the latest.

        Left out is what nobody relies on, and what only the object tells apart.

        Args:
            rows: Of the page that was turned to, what the run that is undone holds.
        """
        found: dict[str, Claimant] = {}
        left = [row for row in rows if row[2] is not None or row[3] is not None]
        for number, (claimant, beside) in enumerate(self._lists):
            if not left:
                break  # The lists of other nights need not be read.
            if number == self._alike:
                return found | dict.fromkeys((row[0] for row in left), claimant)
            theirs, rest = beside.page(), list[Row]()
            for row in left:
                its = theirs.get(row[0])
                if its and _is_same(row, its):
                    found[row[0]] = claimant
                else:
                    rest.append(row)
            left = rest
        return found

    def among(self, rows: Sequence[Row]) -> set[Claimant]:
        """Return the runs that rely on some of these held objects: of each, the latest one.

        Args:
            rows: A page of a list of held objects.
        """
        keys, relying = [row[0] for row in rows], set[Claimant]()
        for claimant, beside in self._lists:
            beside.turn_to(keys)
            left = [row for row in rows if not _is_one_of(row, beside.under(row[0]))]
            if len(left) < len(rows):
                relying.add(claimant)
            if not left:
                break
            rows = left
        return relying


def _is_same(row: Row, theirs: Sequence[Row]) -> bool:
    """Return whether a held object is surely one of others under its key."""
    if row in theirs:
        return True
    own = Held.of(row)
    return any(held.is_same(own) for held in map(Held.of, theirs))


def _is_one_of(row: Row, theirs: Sequence[Row]) -> bool:
    """Return whether a held object is one of others under its key, as far as lists tell."""
    # Of what has no digest, nothing tells that it is another one.
    return _is_same(row, theirs) or any(
        held.sha256 is None and held.is_same(Held.of(row)) is None for held in map(Held.of, theirs)
    )
