"""Replaced: what a run has put aside at a target, how long it stays there, and who drops it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handrail.frozen import frozen
from handrail_storage.backend.disk import FOLDER
from handrail_storage.claims.ledger import Ledger
from handrail_storage.claims.records import Entry
from handrail_storage.duration import Duration
from handrail_storage.store import Store
from handrail_storage.texts import count_text, moment_text, size_text


@frozen
class Replaced:
    """What a run has replaced, once it is completed.

    Attributes:
        count: The number of files.
        size: Their bytes.
        kept: Whether they are kept at the target; else they are discarded.
        until: Until when they are kept, in seconds since 1970; None: until the run is pruned.
    """

    count: int = 0
    size: int = 0
    kept: bool = True
    until: float | None = None

    def __add__(self, other: Replaced) -> Replaced:
        """Return that of two claims of one run."""
        return Replaced(
            count=self.count + other.count,
            size=self.size + other.size,
            kept=self.kept and other.kept,
            until=self.until or other.until,
        )

    def summary(self, run: str) -> str:
        """Return one line about it and how it is given up; empty if nothing was replaced.

        Args:
            run: The run, as people know it.
        """
        if not self.count:
            return ""
        size, files = size_text(self.size), count_text(self.count, "replaced file")
        if not self.kept:
            return f"{files} discarded ({size}): run {run} cannot be undone any more"
        last = f"run {run} is pruned" if self.until is None else moment_text(self.until)
        return f"{files} kept ({size}) until {last}"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; empty if nothing was replaced."""
        if not self.count:
            return {}
        until = {} if self.until is None else {"until": moment_text(self.until)}
        return {"files": self.count, "bytes": self.size, "kept": self.kept, **until}


def preview_of_keeping(keep: bool | Duration | None) -> str:
    """Return what the last step of a run would do with what the run replaces.

    Args:
        keep: Whether that is kept, or how long; None for a run that replaces nothing.
    """
    if keep is None:
        return "close what is open"
    if not keep:
        return "discard what was replaced, so the run cannot be undone; close what is open"
    how_long = "until the run is pruned" if keep is True else f"for {keep}"
    return f"keep what was replaced {how_long}, and close what is open"


def asides_of(store: Store, epoch: str, run: str) -> dict[str, int]:
    """Return what a run keeps aside: the names, each with its bytes.

    Raises:
        StorageError: The storage failed or refused.
    """
    above = f"{FOLDER}/"
    found = store.listing(f"{above}aside/{epoch}/{run}/")
    return {each.key.removeprefix(above): max(each.size, 0) for each in found}


def drop_expired(store: Store, ledger: Ledger, entries: Sequence[Entry], now: float) -> None:
    """Discard what others keep aside, where the time is over for which they wanted to keep it.

    First each is sealed in one conditional request, so that no undo of it begins any more. It still
    counts as relying on what it holds, as a pruned run does, so no other undo looks behind that.

    Args:
        store: The target.
        ledger: The claims, at a target that takes conditional requests.
        entries: The claims of others.
        now: Seconds since 1970.

    Raises:
        StorageError: The storage failed or refused.
    """
    for entry in entries:
        if entry.state.dropped or not entry.state.is_over(now):
            continue
        sealed = ledger.swap(entry, entry.state.now(sealed=True))
        if sealed is None:
            continue  # Somebody else works on it.
        store.small_files.remove_all([*asides_of(store, sealed.state.epoch, sealed.state.run)])
        ledger.swap(sealed, sealed.state.now(dropped=True))
