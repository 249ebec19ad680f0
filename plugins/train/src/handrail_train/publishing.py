"""Stores a trained model as a new version: its files first, its manifest last.

No two runs have a key in common: the key of a file contains its run, and a manifest gets a number
that is free, by a put that replaces nothing. So the undo of a run takes nothing from another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from handrail.frozen import frozen, record
from handrail_storage import Store
from handrail_storage.backend import run_of
from handrail_train.errors import StorageError, VersionError
from handrail_train.manifest import StoredFile, Version, object_key
from handrail_train.store import create
from handrail_train.undo import UploadUndo
from handrail_train.versions import Versions

_TRIES = 20  # Attempts if other runs take the numbers.

RecordMany = Callable[[str, Iterable[Any]], None]


@frozen
class Files:
    """The files of a future version.

    Attributes:
        run: The run that stores them.
        contents: The content of each, and the suffix of its key, by its role.
    """

    run: str
    contents: Mapping[str, tuple[bytes, str]]

    def by_key(self) -> dict[str, bytes]:
        """Return the content of each file by its key."""
        return {self._key(*given): given[0] for given in self.contents.values()}

    def stored(self) -> dict[str, StoredFile]:
        """Return the files in the form of the manifest."""
        return {
            name: StoredFile(
                key=self._key(content, suffix),
                sha256=hashlib.sha256(content).hexdigest(),
                size=len(content),
            )
            for name, (content, suffix) in self.contents.items()
        }

    def _key(self, content: bytes, suffix: str) -> str:
        return object_key(content, self.run, suffix)


@record
class Publishing:
    """Creates one version.

    Attributes:
        store: The store.
        mark: The mark of the run's objects: `<run>/<step>`.
        record_many: Records objects before they are created.
        told: Called with the number of stored bytes, and the total.
        keys: The keys that an earlier process has recorded.
    """

    store: Store
    mark: str
    record_many: RecordMany
    told: Callable[[int, int], None]
    keys: list[str] = field(default_factory=list[str])

    def publish(self, files: Files, about: Mapping[str, Any]) -> Version:
        """Store the files, then the manifest.

        Args:
            files: The files.
            about: Further fields of the manifest: `name`, `kind`, `data`, `scores`, `libraries`.

        Raises:
            StorageError: The store failed or refused.
            VersionError: Other runs took one number after the other.
        """
        self.store.prepare(lambda folder: self.record_many("folders", [folder]))
        self._put_files(files.by_key())
        version = self._put_manifest(files, about)
        self.finish(version)
        return version

    def finish(self, version: Version) -> None:
        """Flush the objects of a version, and remove what a killed process has left beside them.

        Raises:
            StorageError: The store failed or refused.
        """
        self.store.flush([version.key, *(each.key for each in version.files.values())])
        self.store.abort_unfinished(self.keys, run_of(self.mark))

    def _put_files(self, contents: Mapping[str, bytes]) -> None:
        self._record(contents)
        done, total = 0, sum(map(len, contents.values()))
        for key, content in contents.items():
            if not create(self.store, key, content, self.mark):
                raise StorageError(
                    f"{key}: somebody else has stored something there (at {self.store.url})",
                    ways_out=("remove it, and train again",),
                )
            done += len(content)
            self.told(done, total)

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
    manifests = [key for key in earlier.keys if key.startswith("versions/")]
    for found in earlier.own(store, manifests):
        content = store.read(found.key)
        if content is not None:
            return Version.from_bytes(content, found.key)
    return None
