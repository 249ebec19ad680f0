"""Claims: all claims of one target, and the rules by which a run gets its own.

The rules were checked with a model of all interleavings of two and three runs that are killed at
any time; see the tests. Each claim has one state under one name, which is replaced in place: a
reader of names that change would miss a claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from handrail.frozen import frozen
from handrail_storage.backend.contents import Content
from handrail_storage.claims.asides import Asides
from handrail_storage.claims.cache import Cache
from handrail_storage.claims.claim import Claim, OwnClaim
from handrail_storage.claims.clock import Clock
from handrail_storage.claims.deletion import Deletion
from handrail_storage.claims.errors import (
    ClaimError,
    ClaimRefusedError,
    ClaimStaysError,
    check_freed,
    check_stays,
    claim_missing,
    claims_command,
    refused,
)
from handrail_storage.claims.holding import Holding
from handrail_storage.claims.keys import Extent, Keys
from handrail_storage.claims.ledger import EndedError, Ledger, Listing, ListMissingError
from handrail_storage.claims.lists import WantedList
from handrail_storage.claims.pruning import prune
from handrail_storage.claims.records import Claimant, ClaimState, Entry, State, new_name
from handrail_storage.claims.reliance import in_the_way_of_a_run, in_the_way_of_an_undo
from handrail_storage.claims.survey import Made, Survey
from handrail_storage.claims.undoing import ClaimUndone, Undoing, passing_on
from handrail_storage.errors import StorageError
from handrail_storage.store import Store

T = TypeVar("T")

Waiting = Callable[[ClaimRefusedError, float], None]
"""Called before each pause with what is in the way, and the seconds that are left."""


@frozen
class Preview:
    """What an undo would do.

    Attributes:
        state: The claim of the run.
        would_be: The result it would have.
        obstacle: What is in its way now; None if nothing is.
    """

    state: ClaimState
    would_be: ClaimUndone
    obstacle: ClaimError | None


def claims_at(store: Store) -> tuple[list[ClaimState], list[StorageError]]:
    """Return all claims of a target, the oldest first, and an error for each that is damaged.

    Raises:
        StorageError: The storage failed or refused.
    """
    damaged: list[StorageError] = []
    listing = Ledger(store.small_files, store.url, Cache()).listing(kept=False, damaged=damaged)
    return [each.state for each in listing.entries], damaged


def pruned_at(store: Store) -> int:
    """Return the number of different lists of what pruned runs rely on.

    Raises:
        StorageError: The storage failed or refused, or the file with them is damaged.
    """
    return len(Ledger(store.small_files, store.url, Cache()).kept()[0])


class Claims:
    """The claims of one target.

    Args:
        store: The target.
        claimant: The run.
        cache: A folder of this machine for what was read of the claims of others; None for none.
        clock: The times.
        touches: Whether the cache may be written; False for a preview.

    Attributes:
        url: The target, as people write it.
    """

    def __init__(
        self,
        store: Store,
        claimant: Claimant,
        *,
        cache: Path | None = None,
        clock: Clock | None = None,
        touches: bool = True,
    ) -> None:
        self.url = store.url
        self._store = store
        self._claimant = claimant
        self._clock = clock or Clock()
        self._ledger = Ledger(store.small_files, store.url, Cache(cache, writes=touches))
        self._keys: dict[str | None, Keys] = {}

    # A run

    def ask(
        self,
        wanted: Mapping[str, str | None] | WantedList,
        *,
        wait: float = 0.0,
        waiting: Waiting | None = None,
        extent: Extent | None = None,
        claimed: bool = False,
    ) -> Claim:
        """Claim keys; nothing at them may be looked at or changed before.

        A claim that the run has left, when its process was killed, is taken up.

        Args:
            wanted: The keys, each with the SHA-256 that its content will have, if known; empty
                for those that are to be emptied.
            wait: Seconds to wait for other runs that are in the way.
            waiting: Called before each pause.
            extent: That of the keys, if it is known without reading them.
            claimed: Whether the run has had a claim, which it needs to be resumed.

        Raises:
            ClaimRefusedError: Another run is in the way; nothing is left of the claim.
            ClaimError: The run was being undone, or its keys have changed.
            ClaimMissingError: The claim of a run that is resumed is gone.
            StorageError: The storage failed or refused.
        """
        if claimed and self._ledger.entry(self._claimant.run) is None:
            raise claim_missing(self.url)
        digest, content = WantedList.of(wanted).packed()
        keys = Keys(WantedList.unpacked(content), extent)
        grace = self._clock.asking
        return self._patiently(lambda: self._ask(keys, digest, content), wait, waiting, grace)

    def _patiently(
        self, call: Callable[[], T], wait: float, waiting: Waiting | None, grace: float = 0.0
    ) -> T:
        """Call, and call again while another run is in the way.

        Args:
            call: What raises a ClaimRefusedError then.
            wait: Seconds to wait for it.
            waiting: Called before each pause.
            grace: Seconds to wait at least for one that is only asking, which is soon decided.
        """
        began, attempt = self._clock.elapsed(), 0
        while True:
            try:
                return call()
            except ClaimRefusedError as error:
                asking = error.state.state is State.ASKING and not error.state.wants_undo
                taken = self._clock.elapsed() - began
                left = max(wait, grace if asking else 0.0) - taken
                if left <= 0:
                    raise
                if waiting is not None and wait > taken:
                    waiting(error, left)
            self._clock.pause(attempt, left)
            attempt += 1

    def opened(self) -> Claim | None:
        """Return the claim of a run that holds already; None if there is none.

        Raises:
            StorageError: The storage failed or refused.
        """
        entry = self._ledger.entry(self._claimant.run)
        if entry is None or entry.state.state is not State.HOLDS:
            return None
        return Claim(self._store, OwnClaim(self._ledger, entry, self._clock), Keys.of(()), None)

    def holding(self) -> Holding:
        """Return what a run of another process holds, to look at it again."""
        return Holding(self._store, self._ledger, self._claimant.run, None)

    def obstacle(self, keys: Iterable[str]) -> ClaimRefusedError | None:
        """Return what would be in the way of a run now, without a claim; None if nothing is.

        Raises:
            StorageError: The storage failed or refused.
        """
        wanted = Keys.of(keys)
        return self._look_around(lambda found: self._run_obstacle(found, wanted), kept=False)[1]

    def deletion(self) -> Deletion | None:
        """Return what the runs of the group of this one hold; None where that is nothing.

        Raises:
            StorageError: The storage failed or refused.
        """
        listing = self._ledger.listing()
        if not self._claimant.group or listing.epoch is None:
            return None
        return Deletion(self._store, self._ledger, listing, self._claimant)

    # A rollback

    def undo(self, *, waiting: Waiting | None = None) -> Undoing | None:
        """Begin to undo the run, once nobody is in the way; it waits half a minute for that.

        Args:
            waiting: Called before each pause.

        Returns:
            None if the run has no claim, or had only asked: then nothing at its keys may be
            deleted.

        Raises:
            ClaimRefusedError: Another run is in the way; the run is as it was.
            ClaimStaysError: The run stays: it is sealed or pruned, or the time is over for which
                what it has replaced was kept.
            ClaimError: Somebody else is freeing it.
            StorageError: The storage failed or refused.
        """
        entry = self._ledger.entry(self._claimant.run)
        if entry is None:
            # The run may have been killed before it had put its state, or after its end.
            self._ledger.remove_rest(self._claimant.run)
            return None
        check_stays(entry.state, self.url, self._clock.now())
        check_freed(entry.state, self.url, self._clock)
        if entry.state.state is State.ASKING and not entry.state.wants_undo:
            self._withdraw(entry)  # Nothing was looked at or changed yet.
            return None
        return self._begin(entry, waiting, freed=False)

    def free(self, *, waiting: Callable[[float], None], take_over: bool = False) -> Undoing | None:
        """Begin to undo the run from outside, without its journal, once its owner is dead.

        The claim is taken first, so an owner that lives stops where it renews its claim.

        Args:
            waiting: Called before each pause with the seconds that are left.
            take_over: Whether not to wait, since the owner is known to be dead.

        Returns:
            See `undo`.

        Raises:
            ClaimRefusedError: Another run is in the way; the run is as it was.
            ClaimStaysError: The run stays; see `undo`.
            StorageError: The storage failed or refused.
        """
        entry = self._ledger.entry(self._claimant.run)
        if entry is None:
            return None
        state = entry.state
        check_stays(state, self.url, self._clock.now())
        undoing = state.state is State.UNDOING
        taken = state.now(owner=new_name(), freed=True, wants_undo=not undoing)
        entry = self._ledger.swap(entry, taken) or self._lost()
        until = 0.0 if take_over else state.renewed + self._clock.free
        # Clocks of machines differ, so it never waits longer than if it had been renewed now.
        until = min(until, self._clock.now() + self._clock.free)
        while (left := until - self._clock.now()) > 0:
            waiting(left)
            self._clock.sleep(min(left, 10.0))
        return self._begin(entry, None, freed=True)

    def preview(self, made: Made = None) -> Preview | None:
        """Look at what an undo would do now; nothing is changed.

        Args:
            made: See `Undoing.run`.

        Returns:
            None if the run has no claim.

        Raises:
            StorageError: The storage failed or refused.
        """
        entry = self._ledger.entry(self._claimant.run)
        if entry is None:
            return None
        state = entry.state
        try:
            check_stays(state, self.url, self._clock.now())
        except ClaimStaysError as error:
            return Preview(state=state, would_be=ClaimUndone(), obstacle=error)
        keys = self._keys_of(state)
        listing, obstacle = self._look_around(lambda found: self._obstacle(found, keys))
        asides = Asides(self._store, state.epoch)
        survey = Survey(self._store, self._ledger, state, keys, listing, asides, made)
        would_be = ClaimUndone()
        for goals in survey.goals():
            would_be.count(survey, survey.verdicts(goals))
        if state.state is State.UNDOING:
            obstacle = None
        return Preview(state=state, would_be=would_be, obstacle=obstacle)

    def count_passing_on(self) -> tuple[int, int]:
        """Return how many keys would pass on to other runs in an undo, and of how many.

        Those are runs that rely on the same object, and have the same register.

        Raises:
            StorageError: The storage failed or refused.
        """
        entry = self._ledger.entry(self._claimant.run)
        if entry is None:
            return 0, 0
        keys, listing = self._keys_of(entry.state), self._ledger.listing(kept=False)
        return sum(1 for _ in passing_on(self._ledger, entry.state, keys, listing)), len(keys)

    def _look_around(
        self, find: Callable[[Listing], ClaimRefusedError | None], *, kept: bool = True
    ) -> tuple[Listing, ClaimRefusedError | None]:
        """Return all claims, and what is in the way among them.

        Where one that may be in the way has ended meanwhile, the others are looked at again: what
        both relied on is left to the last one.
        """
        while True:
            listing = self._ledger.listing(kept=kept)
            try:
                return listing, find(listing)
            except EndedError:
                continue

    def _begin(self, entry: Entry, waiting: Waiting | None, *, freed: bool) -> Undoing:
        keys = self._keys_of(entry.state)
        own = OwnClaim(self._ledger, entry, self._clock)
        if entry.state.state is State.UNDOING:
            own.change(owner=new_name(), freed=freed)
            return Undoing(self._store, own, keys, self._ledger.listing())

        def begin() -> Undoing:
            own.change(wants_undo=True, owner=new_name(), freed=freed)
            listing, obstacle = self._look_around(lambda found: self._obstacle(found, keys))
            if obstacle is not None:
                own.change(wants_undo=False, freed=False)
                raise obstacle
            own.change(state=State.UNDOING, wants_undo=False)
            return Undoing(self._store, own, keys, listing)

        return self._patiently(begin, self._clock.undoing, waiting)

    def _keys_of(self, state: ClaimState) -> Keys:
        digest = state.held if state.known else state.wanted
        try:
            if digest not in self._keys:
                self._keys[digest] = Keys(self._ledger.keys(state))
            return self._keys[digest]
        except ListMissingError:
            if state.state is not State.UNDOING or not state.known:
                raise
            return Keys.of(())  # All of them are done.

    def _obstacle(self, listing: Listing, keys: Keys) -> ClaimRefusedError | None:
        stops = partial(in_the_way_of_an_undo, keys=keys, ledger=self._ledger)
        return self._refusal(listing, stops, undo=True)

    def _refusal(
        self, listing: Listing, stops: Callable[[ClaimState], bool], *, undo: bool = False
    ) -> ClaimRefusedError | None:
        """Return the error for the first claim of others that stops this run, or its undo."""
        found = next(filter(stops, listing.others(self._claimant.run)), None)
        return None if found is None else refused(found, self.url, undo=undo)

    def prune(self) -> None:
        """Give up the right to undo the run, as its journal forgets it; what it holds stays.

        Does nothing if the run has no claim, or one that does not hold.

        Raises:
            StorageError: The storage failed or refused.
        """
        prune(self._store, self._ledger, self._claimant.run, self._clock)

    def _ask(self, keys: Keys, digest: str, content: Content, epoch: str | None = None) -> Claim:
        run = self._claimant.run
        entry = self._ledger.entry(run)
        if entry is not None:
            state = self._checked(entry.state, digest)
            entry = self._ledger.swap(entry, state) or self._lost()
            if state.state is not State.ASKING:
                return self._claim(entry, keys, None)
        else:
            state = self._new_state(keys, digest, epoch or self._ledger.found_epoch())
            self._ledger.put_wanted(run, content)
            entry = self._ledger.put(state)
        listing, obstacle = self._look_around(
            lambda found: self._run_obstacle(found, keys) or self._mismatch(found, state),
            kept=False,
        )
        right = self._right_epoch(listing, state.epoch)
        if obstacle is None and right != state.epoch:
            self._ledger.remove(entry)
            return self._ask(keys, digest, content, right)
        if obstacle is not None:
            self._withdraw(entry)
            raise obstacle
        # Clocks differ, and undos ask which of two runs has deleted something last. Claims say
        # when in whole milliseconds.
        since = max([state.since, *(each.since + 0.002 for each in listing.others(run))])
        working = state.now(state=State.WORKING, since=since)
        entry = self._ledger.swap(entry, working) or self._lost()
        return self._claim(entry, keys, listing)

    def _withdraw(self, entry: Entry) -> None:
        self._ledger.remove(entry)
        self._ledger.remove_epoch_if_last()

    def _new_state(self, keys: Keys, digest: str, epoch: str) -> ClaimState:
        now = self._clock.now()
        return ClaimState(
            claimant=self._claimant,
            state=State.ASKING,
            epoch=epoch,
            owner=new_name(),
            since=now,
            renewed=now,
            keys=keys.extent,
            wanted=digest,
        )

    def _checked(self, state: ClaimState, digest: str) -> ClaimState:
        """Return the state of a claim that is taken up, with a new owner."""
        if state.wants_undo or state.state in (State.UNDOING, State.PRUNED):
            raise ClaimError(
                f"the undo of this run at {self.url} has begun",
                ways_out=("undo it to the end",),
            )
        if state.wanted != digest:
            raise ClaimError(
                f"the files of this run are not those that it has claimed at {self.url}",
                ways_out=("undo this run, and start a new one",),
            )
        return state.now(owner=new_name(), renewed=self._clock.now())

    def _mismatch(self, listing: Listing, own: ClaimState) -> ClaimRefusedError | None:
        """Return another run that asks in another epoch: of the two, none can go on."""
        return self._refusal(
            listing, lambda each: each.state is State.ASKING and each.epoch != own.epoch
        )

    def _right_epoch(self, listing: Listing, epoch: str) -> str:
        """Return the epoch of the runs that have begun; without any, that of the target."""
        others = listing.others(self._claimant.run)
        begun = {each.epoch for each in others if each.state is not State.ASKING}
        if begun:
            return epoch if epoch in begun else min(begun)
        there = listing.epoch
        # The last run before may have removed it after this one had read it.
        if there is None and not self._ledger.put_epoch(epoch):
            there = self._ledger.epoch()
        return there or epoch

    def _run_obstacle(self, listing: Listing, keys: Keys) -> ClaimRefusedError | None:
        stops = partial(in_the_way_of_a_run, keys=keys, ledger=self._ledger)
        return self._refusal(listing, stops)

    def _claim(self, entry: Entry, keys: Keys, listing: Listing | None) -> Claim:
        return Claim(self._store, OwnClaim(self._ledger, entry, self._clock), keys, listing)

    def _lost(self) -> Entry:
        raise ClaimError(
            f"somebody else has changed the claim of this run at {self.url}",
            ways_out=(f"look at the claims there:  {claims_command(self.url)}",),
        )
