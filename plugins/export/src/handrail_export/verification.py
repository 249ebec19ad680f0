"""Compares the files of an export at its target with its manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from handrail.frozen import frozen
from handrail_export.manifest import ExportedFile
from handrail_storage import Store, pages

_PAGE = 500
_READERS = 8


@frozen
class Difference:
    """A file that differs from the manifest.

    Attributes:
        path: Its path below the target.
        what: The difference.
    """

    path: str
    what: str


@dataclass(slots=True, kw_only=True)
class Verification:
    """A comparison of the files of one export.

    Attributes:
        target: The target.
        quick: Whether only sizes are compared.
        files: Number of files compared so far.
        size: Their bytes.
    """

    target: Store
    quick: bool = False
    files: int = field(default=0, init=False)
    size: int = field(default=0, init=False)

    def differences(self, listed: Iterable[ExportedFile]) -> Iterator[Difference]:
        """Compare the target with the manifest, and yield the differences.

        Raises:
            StorageError: The target failed or refused.
        """
        with ThreadPoolExecutor(_READERS) as pool:
            for files in pages(listed, _PAGE):
                for difference in pool.map(self._compare, files):
                    if difference is not None:
                        yield difference
                self.files += len(files)
                self.size += sum(each.size for each in files)

    def _compare(self, file: ExportedFile) -> Difference | None:
        found = self.target.stat(file.path)
        if found is None:
            return Difference(path=file.path, what="it is missing")
        if found.size < 0:
            return Difference(path=file.path, what="it is no file")
        if found.size != file.size:
            what = f"it has {found.size:,} bytes, not {file.size:,}"
            return Difference(path=file.path, what=what)
        if not self.quick and file.sha256 and self.target.content_sha256(file.path) != file.sha256:
            return Difference(path=file.path, what="its content is different")
        return None
