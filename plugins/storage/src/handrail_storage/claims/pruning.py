"""Pruning: a run that its journal forgets, but that stays at the target."""

from __future__ import annotations

from handrail_storage.claims.clock import Clock
from handrail_storage.claims.ledger import Ledger
from handrail_storage.claims.records import State
from handrail_storage.store import Store


def prune(store: Store, ledger: Ledger, run: str, clock: Clock) -> None:
    """Move what a run holds to the common list of pruned runs, and delete its claim.

    Without conditional requests two runs could overwrite each other's change of that list, so the
    claim stays then, as one that nobody can undo.

    Raises:
        StorageError: The storage failed or refused.
    """
    entry = ledger.entry(run)
    while entry is not None and entry.state.state is State.HOLDS:
        if entry.state.wants_undo:
            return  # Its undo has begun, and was killed.
        pruned = entry.state.now(state=State.PRUNED, renewed=clock.now())
        entry = ledger.swap(entry, pruned) or ledger.entry(run)
        if entry is not None and entry.state == pruned:
            break
    if entry is None or entry.state.state is not State.PRUNED or entry.state.held is None:
        return
    if not (store.local or store.capabilities.replace_if):
        return
    ledger.add_kept(entry.state.held)
    store.small_files.remove_all(
        [name for name, _ in store.small_files.names(f"aside/{entry.state.epoch}/{run}/")]
    )
    ledger.remove(entry)
