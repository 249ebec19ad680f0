"""Stores a trained model as a new version: its files first, its manifest last."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from handrail_storage import Store
from handrail_storage.backend import run_of
from handrail_train.errors import StorageError, VersionError
from handrail_train.manifest import StoredFile, Version, object_key
from handrail_train.store import create
from handrail_train.undo import UploadUndo
from handrail_train.versions import Versions

_TRIES = 20  # Attempts if other runs take the numbers.

RecordMany = Callable[[str, Iterable[Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The files of a future version.

    Attributes:
        contents: The content of each, and the suffix of its key, by its role.
    """

    contents: Mapping[str, tuple[bytes, str]]

    def keys(self) -> dict[str, str]:
        """Return the key of each file, by its role."""
        return {name: object_key(*given) for name, given in self.contents.items()}

    def stored(self) -> dict[str, StoredFile]:
        """Return the files in the form of the manifest."""
        return {
            name: StoredFile(
                key=object_key(content, suffix),
                sha256=hashlib.sha256(content).hexdigest(),
                size=len(content),
            )
            for name, (content, suffix) in self.contents.items()
        }


@dataclass(slots=True, kw_only=True)
class Publishing:
    """Creates one version.

    Attributes:
        store: The store.
        mark: The mark of the run's objects: `<run>/<step>`.
        record_many: Records objects before and after they are created.
        told: Called with the number of stored bytes, and the total.
        keys: The keys that an earlier process has recorded.
    """

    store: Store
    mark: str
    record_many: RecordMany
    told: Callable[[int, int], None]
    keys: list[str] = field(default_factory=list[str])

    def publish(self, files: Files, about: Mapping[str, Any]) -> Version:
        """Store the missing files, then the manifest.

        Args:
            files: The files.
            about: Further fields of the manifest: `name`, `kind`, `data`, `scores`, `libraries`.

        Raises:
            StorageError: The store failed or refused.
            VersionError: Other runs took one number after the other.
        """
        self.store.prepare(lambda folder: self.record_many("folders", [folder]))
        self._put_files(files)
        version = self._put_manifest(files, about)
        # An existing object may have been removed before the manifest named it.
        self._put_files(files)
        self.settle()
        return version

    def settle(self) -> None:
        """Flush the new objects, record them, and remove temporary ones.

        Raises:
            StorageError: The store failed or refused.
        """
        ours = [key for key in self.keys if self.store.owner(key, self.mark) == "ours"]
        self.store.flush(ours)
        if not self.store.capabilities.marks:
            found = filter(None, map(self.store.stat, ours))
            self.record_many("made", [[each.key, *(each.identity or ())] for each in found])
        self.store.settle(ours, run_of(self.mark))

    def _put_files(self, files: Files) -> None:
        keys = files.keys()
        missing = {
            name: key for name, key in keys.items() if not self._is_there(key, files.contents[name])
        }
        self._record(missing.values())
        total = sum(len(content) for content, _ in files.contents.values())
        done = total - sum(len(files.contents[name][0]) for name in missing)
        for name, key in missing.items():
            content = files.contents[name][0]
            create(self.store, key, content, self.mark)
            done += len(content)
            self.told(done, total)

    def _is_there(self, key: str, given: tuple[bytes, str]) -> bool:
        there = self.store.read(key)
        if there is not None and there != given[0]:
            raise StorageError(
                f"{key}: what is there is not what its name says (at {self.store.url})",
                ways_out=("remove it, and train again",),
            )
        return there is not None

    def _put_manifest(self, files: Files, about: Mapping[str, Any]) -> Version:
        versions, name = Versions(self.store), about["name"]
        for _ in range(_TRIES):
            version = Version(
                **about,
                number=versions.next_number(name),
                run=run_of(self.mark),
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                files=files.stored(),
            )
            self._record([version.key])
            if create(self.store, version.key, version.to_bytes(), self.mark):
                return version
        raise VersionError(
            f"others took {_TRIES} numbers of {name} in {self.store.url}, one after the other",
            ways_out=("train again once they are done, or give the model another --name",),
        )

    def _record(self, keys: Iterable[str]) -> None:
        """Record objects to be created, and the folders for them."""
        wanted = list(keys)
        new = [key for key in wanted if key not in self.keys]
        folders = self.store.missing_folders(wanted)
        if folders:
            self.record_many("folders", folders)
        if new:
            self.record_many("keys", new)
            self.keys += new


def earlier_version(store: Store, earlier: UploadUndo) -> Version | None:
    """Return the version that an earlier process has created, if any.

    Args:
        store: The store.
        earlier: The rollback data of that process.
    """
    for key in earlier.keys:
        if not key.startswith("versions/"):
            continue
        content = store.read(key)
        owner = store.owner(key, earlier.mark, earlier.known.get(key))
        if content is not None and owner == "ours":
            return Version.from_bytes(content, key)
    return None
