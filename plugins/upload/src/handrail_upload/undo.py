"""Undoes a transfer, from its params and its rollback data alone."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import handrail_storage
from handrail_storage import ObjectsUndo, Owner, count_text, first_of, pages, size_text
from handrail_upload.errors import StorageError
from handrail_upload.manifest import sizes_in
from handrail_upload.recorded import RecordedTransfer
from handrail_upload.storage import Storage, open_storage

_PAGE = 500  # Keys per request.
_LOOKED_AT = 50_000  # Files that a preview looks at, which takes a second or two.


class Undone(handrail_storage.Undone):
    """The result of an undo."""

    __slots__ = ()

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
    """The undo of one transfer; safe to repeat, and for objects that were never stored.

    Args:
        recorded: The rollback data of the transfer.
    """

    def __init__(self, recorded: RecordedTransfer) -> None:
        self._recorded = recorded
        self._absent: list[str] = []

    def run(self, *, retries: int = 8, killed: bool = False) -> Undone:
        """Delete the objects that the run has stored, and restore those it has replaced.

        Args:
            retries: Number of retries when the storage fails for a moment.
            killed: Whether a killed process may have left requests in flight, and incomplete
                uploads in parts.

        Raises:
            StorageError: An object could not be undone; all the rest was.
        """
        recorded, done = self._recorded, Undone()
        if not recorded.keys:
            return done
        storage = open_storage(recorded.target, retries=retries)
        if killed:
            storage.abort_unfinished(recorded.parts, recorded.run)
        known = {key: (each,) for key, each in recorded.identities.items()}
        objects = ObjectsUndo(store=storage, mark=recorded.mark, known=known)
        self._take_back(storage, objects, recorded.keys, done)
        if killed and storage.lag and not objects.failures:
            self._once_more(storage, objects, done)
        failed = first_of(objects.failures)
        if failed is not None:
            raise failed
        for names in pages(recorded.asides.values(), _PAGE):
            storage.discard(names)
        storage.remove_folders(recorded.folders)
        return done

    def _once_more(self, storage: Storage, objects: ObjectsUndo, done: Undone) -> None:
        """Check missing objects again, for they may have been in flight."""
        late = list(dict.fromkeys([*self._absent, *self._recorded.asides]))
        if not late:
            return
        time.sleep(storage.lag)
        foreign = done.foreign
        for keys in pages(late, _PAGE):
            there = storage.look_up(keys)
            self._take_back(storage, objects, [key for key in keys if key in there], done)
        done.foreign = foreign

    def _take_back(
        self, storage: Storage, objects: ObjectsUndo, keys: Iterable[str], done: Undone
    ) -> None:
        asides = self._recorded.asides
        for page in objects.owners(keys):
            ours: list[str] = []
            settled: list[str] = []  # Objects beside others show whose they are.
            for key, owner in page:
                if owner != "foreign" and key in asides:
                    if objects.trying(partial(self._put_back, storage, key, owner, done)):
                        settled.append(key)
                elif owner == "ours":
                    ours.append(key)
                else:
                    if owner == "absent":
                        self._absent.append(key)
                    done.foreign += owner == "foreign" and key not in asides
                    settled.append(key)
            deleted = objects.delete(ours)
            done.deleted += len(deleted)
            objects.trying(partial(storage.sweep, [*settled, *deleted], self._recorded.run))

    def _put_back(self, storage: Storage, key: str, owner: Owner, done: Undone) -> bool:
        name = self._recorded.asides[key]
        if storage.put_back(key, name):
            done.restored += 1
        elif owner != "absent":
            raise StorageError(
                f"{key}: what it has replaced is no longer at {name} (at {storage.url})"
            )
        return True


def describe_undo(recorded: RecordedTransfer, manifest: Path, *, certain: bool) -> Iterator[str]:
    """Yield the effects of an undo; a folder is checked, a server is not.

    Args:
        recorded: The rollback data of the transfer.
        manifest: The manifest, for the sizes; it may be deleted.
        certain: Whether everything recorded was stored, as by a finished step.
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
    """Return the total bytes stored under `keys`; None if the manifest does not have them."""
    if not manifest.is_file():
        return None
    try:
        known = dict(sizes_in(manifest))
    except sqlite3.Error:
        return None
    sizes = [known[key] for key in keys if key in known]
    return sum(sizes) if len(sizes) == len(keys) else None
