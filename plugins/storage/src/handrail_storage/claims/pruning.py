"""Pruning: a run that its journal forgets, but that stays at the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail_storage.access import open_store
from handrail_storage.claims.cache import Cache
from handrail_storage.claims.clock import Clock
from handrail_storage.claims.ledger import Ledger
from handrail_storage.claims.records import State
from handrail_storage.claims.replaced import Replaced, asides_of
from handrail_storage.containment import listed, text
from handrail_storage.store import Store
from handrail_storage.texts import count_text, size_text

if TYPE_CHECKING:
    from handrail import PrunedRun


def prune(store: Store, ledger: Ledger, run: str, clock: Clock) -> Replaced:
    """Move what a run holds to the common list of pruned runs, and delete its claim.

    Without conditional requests two runs could overwrite each other's change of that list, so the
    claim stays then, as one that nobody can undo.

    Returns:
        What it had replaced, which is discarded.

    Raises:
        StorageError: The storage failed or refused.
    """
    entry = ledger.entry(run)
    while entry is not None and entry.state.state is State.HOLDS:
        if entry.state.wants_undo:
            return Replaced()  # Its undo has begun, and was killed.
        pruned = entry.state.now(state=State.PRUNED, renewed=clock.now())
        entry = ledger.swap(entry, pruned) or ledger.entry(run)
        if entry is not None and entry.state == pruned:
            break
    if entry is None:
        ledger.remove_rest(run)
        return Replaced()
    if entry.state.state is not State.PRUNED:
        return Replaced()
    conditional = store.local or store.capabilities.replace_if
    if entry.state.held is not None and conditional:
        ledger.add_kept(entry.state.held, entry.state.claimant.group)
    asides = asides_of(store, entry.state.epoch, run)
    store.small_files.remove_all([*asides])
    if entry.state.held is None or conditional:
        ledger.remove(entry)
        ledger.remove_epoch_if_last()
    return Replaced(count=len(asides), size=sum(asides.values()), kept=False)


def release(run: PrunedRun) -> str | None:
    """Give up the right to undo a run, as its journal is about to forget it.

    Its steps have recorded the targets and the names of its claims there under `target` and
    `claim`.

    Args:
        run: The run.

    Returns:
        What was discarded with it, for people; None for nothing.

    Raises:
        StorageError: A target cannot be reached, so the run has to stay in its journal.
    """
    discarded = Replaced()
    for data in run.rollback_data.values():
        names = [text(name) for name in listed(data.get("claim")) if _is_of(name, run.uid)]
        for target in listed(data.get("target")) if names else ():
            store = open_store(text(target))
            if any(store.small_files.names("claims/")):
                probe = f".handrail-probe-{run.uid}"
                store.probe(probe, f"{run.uid}/prune")
                for name in names:
                    ledger = Ledger(store.small_files, store.url, Cache())
                    discarded += prune(store, ledger, name, Clock())
    if not discarded.count:
        return None
    files = count_text(discarded.count, "replaced file")
    return f"{files} that it kept discarded ({size_text(discarded.size)})"


def _is_of(name: object, uid: str) -> bool:
    return isinstance(name, str) and name.partition(".")[0] == uid
