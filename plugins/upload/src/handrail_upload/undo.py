"""Takes a transfer back, from what it has recorded alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from handrail_upload.comparison import pages
from handrail_upload.errors import StorageError
from handrail_upload.names import count_text
from handrail_upload.storage import Owner, Storage, open_storage

_PAGE = 500  # Keys that are asked about at a time.
_WORKERS = 16


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


@dataclass(slots=True, kw_only=True)
class TransferUndo:
    """The undo of one transfer; harmless to run again, and for what was never made.

    Attributes:
        target: The target.
        mark: What the run marks its objects with.
        keys: What it may have stored.
        identities: What tells the very objects, by key, where that was recorded.
        asides: Under which names it has kept what it replaced, by key.
        folders: What it may have made, the outer ones first.
        parts: What of the keys it has sent in parts, which may never have been completed.
    """

    target: str
    mark: str
    keys: list[str]
    identities: dict[str, tuple[int, ...]]
    asides: dict[str, str]
    folders: list[str]
    parts: list[str]
    _failures: list[StorageError] = field(default_factory=list[StorageError])
    _absent: list[str] = field(default_factory=list[str])

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> TransferUndo:
        """Return the undo of what the rollback data of `upload_files` tells."""
        return cls(
            target=next(iter(data.get("target", [])), ""),
            mark=next(iter(data.get("mark", [])), ""),
            keys=list(dict.fromkeys(data.get("keys", []))),
            identities={key: tuple(identity) for key, *identity in data.get("made", [])},
            asides={each["key"]: each["name"] for each in data.get("asides", [])},
            folders=list(data.get("folders", [])),
            parts=list(dict.fromkeys(data.get("parts", []))),
        )

    def run(self, *, retries: int = 8, killed: bool = False) -> Undone:
        """Delete what the run has stored, and put back what it has replaced.

        Args:
            retries: How often to try again when the storage fails for a moment.
            killed: Whether a process that was killed may have left requests under way, and uploads
                in parts that nobody completes.

        Raises:
            StorageError: Something could not be undone; all the rest was.
        """
        done = Undone()
        if not self.keys or not self.target:
            return done
        storage = open_storage(self.target, retries=retries)
        if killed:
            storage.abort_unfinished(self.parts, self.mark.partition("/")[0])
        with ThreadPoolExecutor(_WORKERS if storage.threads else 1) as pool:
            for keys in pages(self.keys, _PAGE):
                self._page(storage, keys, pool.map, done)
            if killed and storage.lag and not self._failures:
                self._once_more(storage, pool.map, done)
        if self._failures:
            first, *rest = self._failures
            more = f", and {len(rest):,} more" if rest else ""
            raise StorageError(f"{first.message}{more}", ways_out=first.ways_out) from first
        for names in pages(self.asides.values(), _PAGE):
            storage.discard(names)
        storage.withdraw(self.folders)
        return done

    def _once_more(
        self, storage: Storage, each: Callable[..., Iterable[Any]], done: Undone
    ) -> None:
        """Look again at what was not there, for it may have been on its way."""
        if not (self._absent or self.asides):
            return
        time.sleep(storage.lag)
        late, foreign = list(dict.fromkeys([*self._absent, *self.asides])), done.foreign
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
        owners = each(self._owner, [storage] * len(keys), keys)
        for key, owner in zip(keys, owners, strict=True):
            if owner is None:
                continue
            if owner != "foreign" and key in self.asides:
                if self._put_back(storage, key, owner, done):
                    settled.append(key)
            elif owner == "ours":
                ours.append(key)
            else:
                if owner == "absent":
                    self._absent.append(key)
                done.foreign += owner == "foreign" and key not in self.asides
                settled.append(key)
        deleted = self._delete(storage, ours)
        done.deleted += len(deleted)
        try:
            storage.sweep([*settled, *deleted], self.mark.partition("/")[0])
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
        try:
            return storage.owner(key, self.mark, self.identities.get(key))
        except StorageError as error:
            self._failures.append(error)
            return None

    def _put_back(self, storage: Storage, key: str, owner: Owner, done: Undone) -> bool:
        name = self.asides[key]
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
