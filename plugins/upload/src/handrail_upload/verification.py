"""Compares the results of an upload: the target, the manifest and the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from handrail.frozen import frozen
from handrail_storage import pages
from handrail_upload.catalogue import Catalogue
from handrail_upload.manifest import STORED, Manifest, SourceFile
from handrail_upload.storage import Listed, Storage
from handrail_upload.units import DataFile

_PAGE = 500  # Files that are compared at a time.
_READERS = 8  # Objects whose content is read at a time.


@frozen
class Difference:
    """A difference from the manifest.

    Attributes:
        key: Key of the file below the target.
        where: `target` or `catalogue`.
        what: The difference.
    """

    key: str
    where: str
    what: str


@dataclass(slots=True, kw_only=True)
class Verification:
    """A comparison of all files of one upload.

    Attributes:
        manifest: The manifest of the upload.
        storage: The target.
        catalogue: The catalogue; None if nothing was registered.
        checksum: Whether the content of every object is read.
        files: Number of files compared so far.
        size: Their bytes.
    """

    manifest: Manifest
    storage: Storage
    catalogue: Catalogue | None
    checksum: bool = False
    files: int = field(default=0, init=False)
    size: int = field(default=0, init=False)

    def differences(self) -> Iterator[Difference]:
        """Compare, and yield the differences.

        Raises:
            StorageError: The target failed or refused.
            CatalogueError: The catalogue cannot be read.
        """
        with ThreadPoolExecutor(_READERS) as pool:
            for files in pages(self.manifest.files(*STORED), _PAGE):
                there = self.storage.look_up([each.key for each in files])
                found = (there.get(each.key) for each in files)
                for file, what in zip(files, pool.map(self._at_target, files, found), strict=True):
                    if what:
                        yield Difference(key=file.key, where="target", what=what)
                self.files += len(files)
                self.size += sum(each.size for each in files)
        for gone in pages(self.manifest.outcomes("deleted"), _PAGE):
            for key in self.storage.look_up([each.key for each in gone]):
                yield Difference(key=key, where="target", what="it was deleted, and is there again")
        yield from self._in_catalogue()

    def _at_target(self, file: SourceFile, found: Listed | None) -> str:
        """Return how an object differs from its file; empty if it does not."""
        if found is None:
            return "it is missing"
        if found.size != file.size:
            return f"it has {found.size:,} bytes, not {file.size:,}"
        if self.checksum and file.sha256:
            if self.storage.content_sha256(file.key) != file.sha256:
                return "its content is different"
        elif (
            file.etag is not None
            and found.etag is not None
            and found.etag != file.etag
            and not self._is_recorded(file)
        ):
            return "it was written anew since"
        return ""

    def _is_recorded(self, file: SourceFile) -> bool:
        """Return whether an object says that it has the content of the file.

        Where ETags tell nothing of the content, an undo that puts it back gives it another one.
        """
        found = self.storage.stat(file.key)
        return found is not None and found.sha256 is not None and found.sha256 == file.sha256

    def _in_catalogue(self) -> Iterator[Difference]:
        """Go through both lists side by side, which are in the same order."""
        if self.catalogue is None:
            return
        rows = self.catalogue.units(self.manifest.description().get("collection", ""))
        row = next(rows, None)
        for unit in self.manifest.units(self.storage.address):
            while row is not None and row.name < unit.name:
                row = next(rows, None)
            known = row.files if row is not None and row.name == unit.name else ()
            there = {each.role: each for each in known}
            for file in unit.files:
                what = _difference(file, there.get(file.role))
                if what:
                    yield Difference(key=file.key, where="catalogue", what=what)


def _difference(file: DataFile, row: DataFile | None) -> str:
    """Return how what is registered differs from a file; empty if it does not."""
    if row is None:
        return "it is not registered"
    if row.key != file.key or row.size != file.size:
        return "another file is registered for its unit and role"
    if row.sha256 and file.sha256 and row.sha256 != file.sha256:
        return "another content is registered"
    return ""
