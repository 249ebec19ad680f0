"""Pruning: a run that its journal forgets, but that stays at the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail_storage.access import open_store
from handrail_storage.claims.cache import Cache
from handrail_storage.claims.clock import Clock
from handrail_storage.claims.ledger import Ledger
from handrail_storage.claims.records import State
from handrail_storage.containment import listed, text
from handrail_storage.store import Store

if TYPE_CHECKING:
    from handrail import PrunedRun


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
    if entry is None:
        ledger.remove_rest(run)
        return
    if entry.state.state is not State.PRUNED:
        return
    if entry.state.held is not None:
        if not (store.local or store.capabilities.replace_if):
            return
        ledger.add_kept(entry.state.held)
    files = store.small_files
    files.remove_all([name for name, _ in files.names(f"aside/{entry.state.epoch}/{run}/")])
    ledger.remove(entry)
    ledger.remove_epoch_if_last()


def release(run: PrunedRun) -> None:
    """Give up the right to undo a run, as its journal is about to forget it.

    Its steps have recorded the targets and the names of its claims there under `target` and
    `claim`.

    Args:
        run: The run.

    Raises:
        StorageError: A target cannot be reached, so the run has to stay in its journal.
    """
    for data in run.rollback_data.values():
        names = [text(name) for name in listed(data.get("claim")) if _is_of(name, run.uid)]
        for target in listed(data.get("target")) if names else ():
            store = open_store(text(target))
            if any(store.small_files.names("claims/")):
                probe = f".handrail-probe-{run.uid}"
                store.probe(probe, f"{run.uid}/prune")
                for name in names:
                    prune(store, Ledger(store.small_files, store.url, Cache()), name, Clock())


def _is_of(name: object, uid: str) -> bool:
    return isinstance(name, str) and name.partition(".")[0] == uid
