"""Claim: the claim of a run that works."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from handrail.frozen import replace
from handrail_storage.backend.disk import FOLDER
from handrail_storage.claims.clock import Clock
from handrail_storage.claims.errors import ClaimError, ClaimLostError, claims_command
from handrail_storage.claims.holding import Holding
from handrail_storage.claims.keys import Keys
from handrail_storage.claims.ledger import AT_A_TIME, Ledger, Listing
from handrail_storage.claims.lists import Held, HeldList
from handrail_storage.claims.records import Claimant, Entry, Mark, State, parse_mark
from handrail_storage.claims.reliance import Reliance
from handrail_storage.claims.replaced import Replaced, asides_of, drop_expired
from handrail_storage.errors import StorageError
from handrail_storage.store import Store
from handrail_storage.stored import Stored

_PAUSE = 60.0  # Seconds between two attempts to renew a claim.


class OwnClaim:
    """The state of a claim in the hands of its owner, who renews it; for several threads.

    Args:
        ledger: The claims.
        entry: The claim.
        clock: The times.
    """

    def __init__(self, ledger: Ledger, entry: Entry, clock: Clock) -> None:
        self.ledger = ledger
        self.entry = entry
        self.clock = clock
        self._lock = threading.Lock()
        self._renewed = clock.elapsed()
        self._again = 0.0

    def touch(self) -> None:
        """Renew the claim if that is due. Call it before each request that changes objects.

        Raises:
            ClaimLostError: The claim is somebody else's, or was renewed too long ago.
            StorageError: The claim could not be renewed.
        """
        if self.clock.elapsed() - self._renewed < self.clock.renew:
            return
        with self._lock:
            age = self.clock.elapsed() - self._renewed
            if age >= self.clock.stop:
                raise ClaimLostError(
                    f"the claim of this run at {self.ledger.url} was not renewed for "
                    f"{age / 60:.0f} minutes, so others may have undone it",
                    ways_out=(f"look at the claims there:  {claims_command(self.ledger.url)}",),
                )
            if age >= self.clock.renew and self.clock.elapsed() >= self._again:
                self._renew()

    def _renew(self) -> None:
        try:
            self._change({})
        except StorageError as error:
            if not error.passing:
                raise
            # There is time left, in which the storage may come back.
            self._again = self.clock.elapsed() + _PAUSE

    def change(self, **changes: Any) -> None:
        """Change the state, as its owner.

        Raises:
            ClaimLostError: The claim is somebody else's.
            StorageError: The storage failed or refused.
        """
        with self._lock:
            self._change(changes)

    def end(self) -> None:
        """Delete the claim.

        Raises:
            ClaimLostError: The claim is somebody else's.
            StorageError: The storage failed or refused.
        """
        with self._lock:
            if not self.ledger.remove(self.entry):
                raise self._lost()

    def _change(self, changes: dict[str, Any]) -> None:
        began = self.clock.elapsed()
        state = self.entry.state.now(renewed=self.clock.now(), **changes)
        entry = self.ledger.swap(self.entry, state)
        if entry is None:
            raise self._lost()
        self.entry, self._renewed = entry, began

    def _lost(self) -> ClaimLostError:
        return ClaimLostError(
            f"the claim of this run at {self.ledger.url} is no longer its own: somebody has "
            "removed it, or is undoing the run",
            ways_out=(f"look at the claims there:  {claims_command(self.ledger.url)}",),
        )


class Claim:
    """The claim of a run that works on a target, from `Claims.ask`.

    Args:
        store: The target.
        own: The state of the claim.
        keys: The keys that the run wants.
        listing: All claims when the run asked; None if it was resumed.

    Attributes:
        epoch: The epoch in the marks of the run.
    """

    def __init__(self, store: Store, own: OwnClaim, keys: Keys, listing: Listing | None) -> None:
        self._store = store
        self._own = own
        self._keys = keys
        self._listing = listing
        self.epoch = own.entry.state.epoch

    @property
    def run(self) -> str:
        """The id of the run."""
        return self._own.entry.state.run

    @property
    def holds(self) -> bool:
        """Whether the run has done its work: then it must not change any object.

        So it is found if its process was killed just after `hold`. Others may work with its keys
        again by then.
        """
        return self._own.entry.state.state is State.HOLDS

    def mark(self, step: str) -> str:
        """Return the mark of the objects of a step."""
        return str(Mark(epoch=self.epoch, run=self.run, step=step))

    def aside(self, key: str) -> str:
        """Return the name under which the run keeps what it replaces under a key."""
        return f"{FOLDER}/aside/{self.epoch}/{self.run}/{key}"

    def touch(self) -> None:
        """Renew the claim if that is due. Call it before each request that changes objects.

        Raises:
            ClaimLostError: The claim is somebody else's, or was renewed too long ago.
            ClaimError: The run holds already, so it must not change anything.
            StorageError: The claim could not be renewed.
        """
        if self._own.entry.state.state is State.HOLDS:  # Not by `holds`: this is often called.
            raise ClaimError(
                f"this run has done its work at {self._store.url}, so it must not change objects "
                "there any more",
                ways_out=("start a new run",),
            )
        self._own.touch()

    def drop_stale(self, key: str) -> None:
        """Delete an own copy of what was under a key, which is free now."""
        self._store.small_files.remove(self.aside(key).removeprefix(f"{FOLDER}/"))

    def delete(self, keys: Sequence[str], found: Sequence[Stored]) -> set[str]:
        """Delete objects that are still the ones that were found, once there is a copy of each.

        Args:
            keys: The keys that the run wants to be empty.
            found: What is there and may be deleted.

        Returns:
            The keys that the run has emptied, now or before it was killed.

        Raises:
            ClaimLostError: The claim is somebody else's.
            StorageError: The storage failed or refused.
        """
        self.touch()
        store, emptied = self._store, {each.key for each in found}
        with ThreadPoolExecutor(1 if store.local else AT_A_TIME) as pool:
            emptied.difference_update(*pool.map(self._set_aside, found))
        store.flush([self.aside(key) for key in emptied])
        changed = store.delete_found([each for each in found if each.key in emptied])
        left = [key for key in keys if key not in emptied or key in changed]
        copies = store.stats([self.aside(key) for key in left])
        there = store.stats(left)
        for key in left:
            copy = copies.get(self.aside(key))
            if copy is not None and key not in there and not self._is_of_others(copy):
                emptied.add(key)
            elif copy is not None:
                self.drop_stale(key)  # Somebody else writes there: nothing of ours was deleted.
        return emptied - there.keys()

    def _set_aside(self, found: Stored) -> set[str]:
        try:
            self._store.set_aside(found.key, self.aside(found.key))
        except StorageError:
            if self._store.stat(found.key) is not None:
                raise
            return {found.key}
        return set()

    def _is_of_others(self, found: Stored) -> bool:
        mark = parse_mark(found.mark)
        return mark is None or mark.epoch != self.epoch

    def hold(self, held: Iterable[Held] | HeldList) -> None:
        """Declare that all is done: from now on, the run relies on these objects.

        Args:
            held: What lies under its keys, without those that it has given up.

        Raises:
            ClaimLostError: The claim is somebody else's.
            StorageError: The storage failed or refused.
        """
        digest, content = HeldList.of(held).packed()
        before = self._own.entry.state
        now = digest if content else None
        others = [] if self._listing is None else self._listing.others(self.run)
        # Lists that stay, as the runs that hold them share keys.
        staying = {each.held for each in others if each.state is State.HOLDS}
        if now is not None and now not in staying:
            # First the state, so that an undo finds the list whenever this process is killed.
            self._own.change(earlier=tuple(sorted((before.lists | {now}) - {before.held})))
            self._own.ledger.put_held(now, content)
        earlier = tuple(sorted(before.lists - {now}))
        self._own.change(state=State.HOLDS, held=now, earlier=earlier, known=True)
        # From here on the list of what it holds tells its keys, which equal nights share. The end
        # of the claim deletes the other one too.
        with suppress(StorageError):
            self._own.ledger.remove_wanted(self.run)
            self._drop_expired()

    def _drop_expired(self) -> None:
        """Discard what other runs have kept aside as long as they were told to."""
        store, listing = self._store, self._listing
        if listing is not None and (store.local or store.capabilities.replace_if):
            others = [each for each in listing.entries if each.state.run != self.run]
            drop_expired(store, self._own.ledger, others, self._own.clock.now())

    def holding(self) -> Holding:
        """Return what the run holds, to look at it again; call it after `hold`."""
        return Holding(self._store, self._own.ledger, self.run, self._listing)

    def shared(self, found: Iterable[Held] | HeldList) -> set[Claimant]:
        """Return the runs that rely on what the run has found as well; call it after `hold`.

        Of several that rely on an object, that is the latest one; one that holds all the same as
        this run stands for all others. Runs that are pruned from their journals are left out.

        Args:
            found: Some of what the run holds.

        Raises:
            StorageError: The storage failed or refused.
        """
        listing = self._listing or self._own.ledger.listing(kept=False)
        held = self._own.entry.state.held
        for each in reversed(listing.others(self.run)):
            if held is not None and each.relies and each.held == held:
                return {each.claimant}
        reliance = Reliance(self._own.ledger, replace(listing, kept={}), self.run, self._keys)
        return set[Claimant]().union(*map(reliance.among, HeldList.of(found).rows()))

    def replaced(self) -> Replaced:
        """Return what the run has set aside.

        Raises:
            StorageError: The storage failed or refused.
        """
        sizes = asides_of(self._store, self.epoch, self.run).values()
        return Replaced(count=len(sizes), size=sum(sizes))

    def keep_replaced(self, seconds: float) -> float:
        """Keep what the run has set aside for so long only; after that, it cannot be undone.

        Then a later run on the same target discards it. What was declared before stands.

        Returns:
            Until when, in seconds since 1970.

        Raises:
            ClaimLostError: The claim is somebody else's.
            StorageError: The storage failed or refused.
        """
        until = self._own.entry.state.until
        if until is None:
            until = self._own.clock.now() + seconds
            self._own.change(until=until)
        return until

    def seal(self) -> None:
        """Declare that the run stays; call it before what it has replaced is discarded.

        Raises:
            ClaimLostError: The claim is somebody else's.
            StorageError: The storage failed or refused.
        """
        if not self._own.entry.state.sealed:
            self._own.change(sealed=True)

    def discard_asides(self) -> int:
        """Delete all that the run has set aside, and return how much that was; first `seal` it.

        Raises:
            StorageError: The storage failed or refused.
        """
        names = [*asides_of(self._store, self.epoch, self.run)]
        self._store.small_files.remove_all(names)
        return len(names)
