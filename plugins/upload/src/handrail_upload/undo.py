"""Takes a transfer back, from its params and what it has recorded alone."""

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

_PAGE = 500  # Keys that are asked about at a time.
_LOOKED_AT = 50_000  # Files that a preview looks at, which takes a second or two.


class Undone(handrail_storage.Undone):
    """What an undo has done."""

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
    """The undo of one transfer; harmless to run again, and for what was never made.

    Args:
        recorded: What the transfer has recorded.
    """

    def __init__(self, recorded: RecordedTransfer) -> None:
        self._recorded = recorded
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
        """Look again at what was not there, for it may have been on its way."""
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
            settled: list[str] = []  # What remains beside others tells whose they are.
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
