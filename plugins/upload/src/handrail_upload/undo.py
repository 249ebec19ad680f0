"""Takes a transfer back, from its params and what it has recorded alone."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handrail_upload.comparison import pages
from handrail_upload.errors import StorageError
from handrail_upload.manifest import sizes_in
from handrail_upload.names import count_text, size_text
from handrail_upload.recorded import RecordedTransfer
from handrail_upload.storage import Owner, Storage, open_storage

_PAGE = 500  # Keys that are asked about at a time.
_WORKERS = 16
_LOOKED_AT = 50_000  # Files that a preview looks at, which takes a second or two.


@dataclass(slots=True, kw_only=True)
class Undone:
    """What an undo has done.

    Attributes:
        deleted: Objects of the run that were deleted.
        restored: Objects that the run had replaced, and that are back.
        foreign: Objects under keys of the run that are not its own, and were left alone.
    """

    deleted: int = 0
    restored: int = 0
    foreign: int = 0

    def summary(self) -> str:
        """Return that as one line."""
        if not (self.deleted or self.restored or self.foreign):
            return "nothing had been stored"
        parts = [f"{count_text(self.deleted, 'object')} deleted"]
        if self.restored:
            parts.append(f"{self.restored:,} put back")
        if self.foreign:
            parts.append(f"{self.foreign:,} of others left alone")
        return ", ".join(parts)


class TransferUndo:
    """The undo of one transfer; harmless to run again, and for what was never made.

    Args:
        recorded: What the transfer has recorded.
    """

    def __init__(self, recorded: RecordedTransfer) -> None:
        self._recorded = recorded
        self._failures: list[StorageError] = []
        self._absent: list[str] = []

    def run(self, *, retries: int = 8, killed: bool = False) -> Undone:
        """Delete what the run has stored, and put back what it has replaced.

        Args:
            retries: How often to try again when the storage fails for a moment.
            killed: Whether a process that was killed may have left requests under way, and uploads
                in parts that nobody completes.

        Raises:
            StorageError: Something could not be undone; all the rest was.
        """
        recorded, done = self._recorded, Undone()
        if not recorded.keys:
            return done
        storage = open_storage(recorded.target, retries=retries)
        if killed:
            storage.abort_unfinished(recorded.parts, recorded.run)
        with ThreadPoolExecutor(_WORKERS if storage.threads else 1) as pool:
            for keys in pages(recorded.keys, _PAGE):
                self._page(storage, keys, pool.map, done)
            if killed and storage.lag and not self._failures:
                self._once_more(storage, pool.map, done)
        if self._failures:
            first, *rest = self._failures
            more = f", and {len(rest):,} more" if rest else ""
            raise StorageError(f"{first.message}{more}", ways_out=first.ways_out) from first
        for names in pages(recorded.asides.values(), _PAGE):
            storage.discard(names)
        storage.remove_folders(recorded.folders)
        return done

    def _once_more(
        self, storage: Storage, each: Callable[..., Iterable[Any]], done: Undone
    ) -> None:
        """Look again at what was not there, for it may have been on its way."""
        asides = self._recorded.asides
        if not (self._absent or asides):
            return
        time.sleep(storage.lag)
        late, foreign = list(dict.fromkeys([*self._absent, *asides])), done.foreign
        for keys in pages(late, _PAGE):
            there = storage.look_up(keys)
            self._page(storage, [key for key in keys if key in there], each, done)
        done.foreign = foreign

    def _page(
        self,
        storage: Storage,
        keys: list[str],
        each: Callable[..., Iterable[Any]],
        done: Undone,
    ) -> None:
        ours: list[str] = []
        settled: list[str] = []  # What remains beside others tells whose they are.
        asides = self._recorded.asides
        owners = each(self._owner, [storage] * len(keys), keys)
        for key, owner in zip(keys, owners, strict=True):
            if owner is None:
                continue
            if owner != "foreign" and key in asides:
                if self._put_back(storage, key, owner, done):
                    settled.append(key)
            elif owner == "ours":
                ours.append(key)
            else:
                if owner == "absent":
                    self._absent.append(key)
                done.foreign += owner == "foreign" and key not in asides
                settled.append(key)
        deleted = self._delete(storage, ours)
        done.deleted += len(deleted)
        try:
            storage.sweep([*settled, *deleted], self._recorded.run)
        except StorageError as error:
            self._failures.append(error)

    def _delete(self, storage: Storage, keys: list[str]) -> list[str]:
        """Delete what is ours; return what is gone."""
        try:
            storage.delete(keys)
        except StorageError as error:
            if error.passing or len(keys) == 1:
                self._failures.append(error)
                return []
        else:
            return keys
        # One by one, so that one which is refused keeps none of the others, and is named.
        return [key for key in keys if self._delete(storage, [key])]

    def _owner(self, storage: Storage, key: str) -> Owner | None:
        if any(each.passing for each in self._failures):
            return None  # The storage is gone; asking about each key would take forever.
        recorded = self._recorded
        try:
            return storage.owner(key, recorded.mark, recorded.identities.get(key))
        except StorageError as error:
            self._failures.append(error)
            return None

    def _put_back(self, storage: Storage, key: str, owner: Owner, done: Undone) -> bool:
        name = self._recorded.asides[key]
        try:
            if storage.put_back(key, name):
                done.restored += 1
                return True
            if owner == "absent":
                return True
            told = f"{key}: what it has replaced is no longer at {name} (at {storage.url})"
            self._failures.append(StorageError(told))
        except StorageError as error:
            self._failures.append(error)
        return False


def told_of_undo(recorded: RecordedTransfer, manifest: Path, *, certain: bool) -> Iterator[str]:
    """Yield what an undo would do; a folder is looked at, a server is not asked.

    Args:
        recorded: What the transfer has recorded.
        manifest: The list of files, for their sizes; it may be gone.
        certain: Whether all that was recorded was made, as by a step that has finished.
    """
    new = [key for key in recorded.keys if key not in recorded.asides]
    up_to = "" if certain else "up to "
    foreign, at_most = 0, up_to
    if recorded.target and "://" not in recorded.target and len(new) <= _LOOKED_AT:
        storage, at_most = open_storage(recorded.target), ""
        owners = [storage.owner(key, recorded.mark, recorded.identities.get(key)) for key in new]
        foreign = owners.count("foreign")
        new = [key for key, owner in zip(new, owners, strict=True) if owner == "ours"]
    if new:
        size = _size_of(new, manifest)
        told = "" if size is None else f" ({size_text(size)})"
        yield f"{at_most}{count_text(len(new), 'object')} deleted{told} from {recorded.target}"
    if recorded.asides:
        yield f"{up_to}{len(recorded.asides):,} put back at {recorded.target}"
    if foreign:
        yield f"{foreign:,} of others left alone"
    if not (new or foreign or recorded.asides or recorded.notes.refusals):
        yield "nothing is stored there any more" if recorded.keys else "nothing had been stored"
    yield from recorded.notes.refusals


def _size_of(keys: list[str], manifest: Path) -> int | None:
    """Return the bytes of what was stored under `keys`; None where the list does not tell."""
    if not manifest.is_file():
        return None
    try:
        known = dict(sizes_in(manifest))
    except sqlite3.Error:
        return None
    sizes = [known[key] for key in keys if key in known]
    return sum(sizes) if len(sizes) == len(keys) else None
