"""Undoes what `save_files` has made and replaced, from what it has recorded alone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

from handrail_export.errors import StorageError
from handrail_export.names import count_text
from handrail_export.storage import Owner, Target, open_target

_PAGE = 500
_WORKERS = 8
_LAG = 1.0  # Seconds for which a request of a process that was killed may be on its way.


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Something that is replaced, and kept under another name.

    Attributes:
        name: That name.
        version: What tells it from what comes in its place.
    """

    name: str
    version: object


@dataclass(slots=True)
class Undone:
    """What an undo has done.

    Attributes:
        deleted: Files that the run had made.
        restored: Files that are back in their place.
        foreign: Files that somebody else has put where the run had; they stay.
    """

    deleted: int = 0
    restored: int = 0
    foreign: int = 0

    def summary(self) -> str:
        """Return it as one line."""
        told = [f"{count_text(self.deleted, 'file')} deleted"] if self.deleted else []
        told += [f"{self.restored:,} put back"] if self.restored else []
        told += [f"{self.foreign:,} of others left alone"] if self.foreign else []
        return ", ".join(told) or "nothing had been saved"


@dataclass(slots=True, kw_only=True)
class SaveUndo:
    """What a run has recorded before it made something at its target.

    Attributes:
        address: The target.
        mark: What its objects are marked with.
        keys: What it made or was about to make, with what tells that it is the same.
        asides: What it replaced or was about to replace.
        folders: The folders that it made.
    """

    address: str
    mark: str
    keys: dict[str, list[Sequence[int] | None]]
    asides: dict[str, Aside]
    folders: list[str]
    _failures: list[StorageError] = field(default_factory=list[StorageError])

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> SaveUndo:
        """Return the undo of what the rollback data of `save_files` tells."""
        keys: dict[str, list[Sequence[int] | None]] = {}
        for each in data.get("keys", []):
            keys.setdefault(each["key"], []).append(each["identity"])
        return cls(
            address=next(iter(data.get("target", [])), ""),
            mark=next(iter(data.get("mark", [])), ""),
            keys=keys,
            asides={
                each["key"]: Aside(name=each["name"], version=each["version"])
                for each in data.get("asides", [])
            },
            folders=list(data.get("folders", [])),
        )

    def owner(self, target: Target, key: str) -> Owner:
        """Return whose file is stored under a key.

        Raises:
            StorageError: The storage failed or refused.
        """
        found: Owner = "absent"
        for known in self.keys.get(key) or [None]:
            found = target.owner(key, self.mark, known)
            if found != "foreign":
                return found
        return found

    def run(self, *, retries: int = 8, killed: bool = False) -> Undone:
        """Delete what the run has made, and put back what it has replaced.

        Args:
            retries: How often to try again when the storage fails for a moment.
            killed: Whether a process that was killed may have left requests under way.

        Raises:
            StorageError: Something could not be undone; all the rest was.
        """
        done = Undone()
        keys = list(dict.fromkeys([*self.keys, *self.asides]))
        if not keys or not self.address:
            return done
        target = open_target(self.address, retries=retries)
        absent = self._all(target, keys[::-1], done)
        if killed and absent and not target.keeps_staged and not self._failures:
            time.sleep(_LAG)
            self._all(target, absent, done)
        if self._failures:
            first, *rest = self._failures
            more = f", and {len(rest):,} more" if rest else ""
            raise StorageError(f"{first.message}{more}", ways_out=first.ways_out) from first
        target.withdraw(self.folders)
        return done

    def _all(self, target: Target, keys: Sequence[str], done: Undone) -> list[str]:
        """Undo what is stored under these keys; return those under which nothing was."""
        absent: list[str] = []
        with ThreadPoolExecutor(1 if target.keeps_staged else _WORKERS) as pool:
            for start in range(0, len(keys), _PAGE):
                page = keys[start : start + _PAGE]
                ours: list[str] = []
                owners: Iterable[Owner | None] = pool.map(self._owner, [target] * len(page), page)
                for key, owner in zip(page, owners, strict=True):
                    if owner is not None and key in self.asides:
                        self._restore(target, key, owner, done)
                    elif owner == "ours":
                        ours.append(key)
                    elif owner == "absent":
                        absent.append(key)
                    elif owner == "foreign":
                        done.foreign += 1
                self._delete(target, ours, done)
        return absent

    def _owner(self, target: Target, key: str) -> Owner | None:
        if any(each.passing for each in self._failures):
            return None  # The storage is gone; asking about each key would take forever.
        try:
            return self.owner(target, key)
        except StorageError as error:
            self._failures.append(error)
            return None

    def _delete(self, target: Target, keys: Sequence[str], done: Undone) -> None:
        if not keys:
            return
        try:
            target.delete(keys)
            done.deleted += len(keys)
        except StorageError as error:
            self._failures.append(error)

    def _restore(self, target: Target, key: str, owner: Owner, done: Undone) -> None:
        aside = self.asides[key]
        try:
            if owner != "foreign":
                done.restored += target.put_back(key, aside.name)
                return
            there, kept = target.stat(key), target.stat(aside.name)
            if kept is None:
                return  # It is back already, or was never set aside.
            if there is not None and _same(there.version, aside.version):
                target.delete([aside.name])
                return
            told = f"{key}: somebody else wrote there; what was there before is at {aside.name}"
            self._failures.append(StorageError(f"{told} (at {target.url})"))
        except StorageError as error:
            self._failures.append(error)


def _same(version: object, recorded: object) -> bool:
    """Compare a version with its JSON form."""
    if isinstance(version, tuple):
        return list(cast("tuple[object, ...]", version)) == recorded
    return version == recorded
