"""Undoes the effects of a training, from the rollback data of its steps alone.

Recorded data is converted to checked values first; see `containment` and `site`. Rejected data is
ignored, and fails the undo after all the rest is undone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from handrail.frozen import record
from handrail_storage import ContainmentError, Store, Stored, count_text, size_text
from handrail_storage.backend import run_of
from handrail_storage.containment import Notes
from handrail_train.checkpoints import Checkpoints
from handrail_train.site import Site


@record
class UploadUndo:
    """The undo of `upload_model`, from its rollback data.

    Attributes:
        mark: The mark of its objects.
        keys: The objects that it has or may have stored, all under names of this run alone.
        folders: The folders that it has created.
        refused: The error for rejected data, if any.
    """

    mark: str
    keys: list[str]
    folders: list[str]
    refused: ContainmentError | None

    @classmethod
    def of(cls, notes: Notes, site: Site, mark: str = "") -> UploadUndo:
        """Return the undo for the recorded data within the places of the run.

        Args:
            notes: The rollback data of `upload_model`.
            site: The places of the run.
            mark: The mark of the objects of this step, if none was recorded.
        """
        notes.all("store", site.address)
        return cls(
            mark=next(iter(notes.all("mark", site.mark)), mark),
            keys=list(dict.fromkeys(notes.all("keys", site.key))),
            folders=notes.all("folders", site.made_folder),
            refused=notes.refused,
        )

    def own(self, store: Store, keys: Sequence[str] | None = None) -> list[Stored]:
        """Return the objects under these keys that this run has stored; of all keys if None.

        Raises:
            StorageError: The store failed or refused.
        """
        found = store.stats(self.keys if keys is None else keys)
        return [each for each in found.values() if each.mark == self.mark]

    def run(self, store: Store, *, killed: bool) -> str:
        """Delete the objects of a run; safe to repeat, and for objects that were never stored.

        Args:
            store: The store.
            killed: Whether a killed process may have left requests in flight.

        Returns:
            A summary in one line.

        Raises:
            StorageError: The store failed or refused.
            ContainmentError: Recorded data leads elsewhere; all the rest was undone.
        """
        deleted = self._delete(store)
        if killed and store.lag and deleted < len(self.keys):
            time.sleep(store.lag)
            deleted += self._delete(store)
        store.abort_unfinished(self.keys, run_of(self.mark))
        store.withdraw(self.folders)
        if self.refused is not None:
            raise self.refused
        return f"{count_text(deleted, 'object')} deleted" if deleted else "nothing had been stored"

    def _delete(self, store: Store) -> int:
        """Delete the objects of the run; return their number."""
        found = self.own(store)
        # The manifests first, so that no version lacks a file.
        manifests = [each for each in found if each.key.startswith("versions/")]
        objects = [each for each in found if each not in manifests]
        changed = store.delete_found(manifests) | store.delete_found(objects)
        return len(found) - len(changed)

    def preview(self, site: Site) -> Iterator[str]:
        """Yield the effects of `run`, with sizes if known; no object storage is queried."""
        if self.refused is not None:
            yield self.refused.message
        keys, size = self.keys, ""
        if site.folder is not None:
            found = self.own(site.open())
            keys = [each.key for each in found]
            size = f" ({size_text(sum(each.size for each in found))})"
        if not keys:
            return
        objects = f"up to {count_text(len(keys), 'object')} deleted{size}"
        names = [key.split("/")[1:] for key in keys if key.startswith("versions/")]
        leaving = [f"version {file.removesuffix('.json')} of {name}" for name, file in names]
        place = site.place.shown
        yield (
            f"{', '.join(leaving)} leaves {place}: {objects}"
            if leaving
            else (f"{objects} in {place}")
        )


@record
class TrainUndo:
    """The undo of `train_model`, from its rollback data.

    Attributes:
        places: The folder of the checkpoints.
        folders: The folders above it that it has created.
        refused: The error for rejected data, if any.
    """

    places: list[Path]
    folders: list[str]
    refused: ContainmentError | None

    @classmethod
    def of(cls, notes: Notes, site: Site) -> TrainUndo:
        """Return the undo for the recorded data within the places of the run."""
        return cls(
            places=notes.all("checkpoints", site.checkpoints),
            folders=notes.all("folders", site.state.itself_or_above),
            refused=notes.refused,
        )

    def run(self) -> None:
        """Remove the checkpoints, and the folders that are then empty.

        Raises:
            ContainmentError: Recorded data leads elsewhere; all the rest was undone.
        """
        for place in self.places:
            Checkpoints(place).remove()
        for folder in reversed(self.folders):
            with suppress(OSError):
                os.rmdir(folder)
        if self.refused is not None:
            raise self.refused

    def preview(self) -> Iterator[str]:
        """Yield the effects of `run`, with sizes."""
        if self.refused is not None:
            yield self.refused.message
        for place in dict.fromkeys(self.places):
            files = Checkpoints(place).left()
            if files:
                size = size_text(sum(path.lstat().st_size for path in files))
                epochs = max(int(path.name.split("-")[1].split(".")[0]) for path in files)
                yield f"the checkpoints of {count_text(epochs, 'epoch')} deleted ({size})"
