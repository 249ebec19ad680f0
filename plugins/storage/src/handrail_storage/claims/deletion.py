"""Deletion: what runs hold together at a target, so that one of them may delete it there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from handrail.frozen import replace
from handrail_storage.claims.keys import Keys
from handrail_storage.claims.ledger import Ledger, Listing
from handrail_storage.claims.lists import HeldList
from handrail_storage.claims.records import Claimant, parse_mark
from handrail_storage.claims.reliance import Reliance
from handrail_storage.store import Store
from handrail_storage.stored import Stored


class Deletion:
    """What the runs of one group hold at a target, the pruned ones included.

    A run may delete of it what none of another group relies on; from `Claims.deletion`.

    Args:
        store: The target.
        ledger: The claims.
        listing: All claims. While the run works, nobody else begins or ends that shares its keys.
        claimant: The run.
    """

    def __init__(self, store: Store, ledger: Ledger, listing: Listing, claimant: Claimant) -> None:
        self._store = store
        self._ledger = ledger
        self._listing = listing
        self._run = claimant.run
        self._own = _part(listing, claimant.group, own=True)
        self._others = _part(listing, claimant.group, own=False)

    def lists(self) -> Iterator[HeldList]:
        """Yield what they hold, the latest first; lists that are equal once.

        Raises:
            StorageError: A list is missing, or the storage failed or refused.
        """
        states = [each for each in reversed(self._own.others(self._run)) if each.relies]
        known = {each.held: each for each in reversed(states) if each.held is not None}
        yield from (self._ledger.held_of(each) for each in reversed(known.values()))
        yield from (self._ledger.held(each) for each in self._own.kept if each not in known)

    def stored(
        self, keys: Keys
    ) -> Iterator[tuple[list[str], list[tuple[Stored, Claimant | None]]]]:
        """Yield the objects under some keys that these runs hold and that a run has made.

        Returns:
            Pages: keys, and the objects among them, each with a run of another group that relies
            on it, too, if there is one.

        Raises:
            StorageError: A list is missing or damaged, or the storage failed or refused.
        """
        own, others = (
            Reliance(self._ledger, part, self._run, keys) for part in (self._own, self._others)
        )
        for rows in keys.lines.rows():
            page = [row[0] for row in rows]
            found = self._store.stats([*self._store.glance(page)])  # Most are gone for long.
            there = list(filter(self._is_ours, found.values()))
            own.turn_to(page)
            others.turn_to(page)
            held = own.surely([(each.key, each.size, each.sha256, each.etag) for each in there])
            mine = [each for each in there if each.key in held]
            yield page, [(e, others.on(e, partial(self._store.digest, e))) for e in mine]

    def _is_ours(self, found: Stored) -> bool:
        mark = parse_mark(found.mark)
        return mark is not None and mark.epoch == self._listing.epoch


def _part(listing: Listing, group: str, *, own: bool) -> Listing:
    """Return the claims of a group, or those of others."""
    entries = [e for e in listing.entries if (e.state.claimant.group == group) is own]
    kept = {
        digest: groups
        for digest, groups in listing.kept.items()
        if any((each == group) is own for each in groups)
    }
    return replace(listing, entries=entries, kept=kept)
