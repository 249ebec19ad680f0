"""ObjectSource: a place whose objects are the files of a transfer, each checked as it is read."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from handrail.frozen import frozen
from handrail_storage import Caller, Listed, Store, Stored
from handrail_upload.digests import BLOCK, Digest
from handrail_upload.errors import StorageError
from handrail_upload.manifest import SourceFile
from handrail_upload.pace import Pace
from handrail_upload.reading import VANISHED, WRITTEN, Reading, changed, resized

CALLER = Caller(
    error=StorageError,
    noun="source",
    user="the user who downloads",
    distribution="handrail-upload",
)


@frozen
class ObjectSource:
    """A place whose objects are the files of a transfer.

    The `path` of a file is the address of its object. Its `sha256`, if it is set before the file is
    read, is what its content has to have; else its `version` is what the object has to be.

    Attributes:
        store: The place.
    """

    store: Store

    def path_of(self, key: str) -> str:
        """Return the path of the file that is the object under a key."""
        return f"{self.store.address}/{key}"

    def key_of(self, file: SourceFile) -> str:
        """Return the key of the object of a file."""
        return file.path[len(self.path_of("")) :]

    def compared(
        self, file: SourceFile, there: Listed, target: Store
    ) -> tuple[bool, str | None] | None:
        """Return whether a stored object has the content of a file, and its SHA-256 if known.

        Args:
            file: The file, which is not read.
            there: The object, of the same size.
            target: The place of the object.

        Returns:
            None if nothing that is recorded tells it.

        Raises:
            StorageError: A storage failed or refused.
        """
        sha256, etag, part_size = file.sha256, None, None
        reads = target.local and sha256 is None
        if reads and file.size <= BLOCK:  # To read it takes less time than to ask for the object.
            digest = _digest_of(there, target)
            if file.version == f"{digest.etag}-{file.size}":
                return True, digest.sha256
        if sha256 is None:
            found = self.store.stat(self.key_of(file))
            if found is None or _difference(file, found):
                return None
            sha256, etag, part_size = found.sha256, found.etag, found.part_size
        if sha256 is not None:
            known = there if isinstance(there, Stored) else target.stat(there.key)
            return known is not None and target.digest(known) == sha256, sha256
        if etag is None or etag == there.etag:
            return None if etag is None else (True, None)
        digest = _digest_of(there, target, part_size) if reads else Digest()
        return (True, digest.sha256) if digest.etag == etag else None

    def as_it_is_now(self, file: SourceFile) -> SourceFile | None:
        """Return a file as its object is now, whatever was recorded of it; None without one.

        Raises:
            StorageError: The storage failed or refused.
        """
        found = self.store.stat(self.key_of(file))
        if found is None or found.size < 0:
            return None
        return replace(
            file, size=found.size, mtime=found.modified, sha256=None, version=found.version
        )

    def reading(
        self, file: SourceFile, pace: Pace, digest: Digest, on_read: Callable[[int], None]
    ) -> ObjectReading:
        """Return a pass over an object; see `Reading`."""
        return ObjectReading(self, file, pace, digest, on_read)


class ObjectReading(Reading):
    """One pass over an object, whose content is compared with what is recorded of it."""

    def __init__(
        self,
        source: ObjectSource,
        file: SourceFile,
        pace: Pace,
        digest: Digest,
        on_read: Callable[[int], None],
    ) -> None:
        super().__init__(file, pace, digest, on_read)
        self._source = source
        self._sha256 = file.sha256

    def whole(self) -> bytes:
        """Return the content of an object that fits into memory.

        Raises:
            FileChangedError: The object was deleted, or has changed.
            StorageError: The storage failed or refused.
            StoppedError: The transfer was stopped.
        """
        with self.opened() as blocks:
            content = self._part(blocks, self.file.size + 1)
            self._check_whole()
        return content

    @contextmanager
    def opened(self) -> Generator[Any]:
        """Ask for the object, and yield its content.

        Raises:
            FileChangedError: The object was deleted, or has changed.
            StorageError: The storage failed or refused.
        """
        with self._source.store.opened(self._source.key_of(self.file)) as found:
            if found is None:
                raise changed(f"{self.file.path}: it is not there any more", VANISHED)
            there, blocks = found
            how = _difference(self.file, there)
            if how:
                raise changed(f"{self.file.path}: {how}", how)
            self._sha256 = self._sha256 or there.sha256
            yield _Content(blocks)

    def _check_whole(self) -> None:
        super()._check_whole()
        if self._sha256 is not None and self.digest.sha256 != self._sha256:
            why = "its content has not the SHA-256 that is recorded"
            raise changed(f"{self.file.path}: {why}", WRITTEN)

    def _block(self, fd: Any, count: int) -> bytes:
        block: bytes = fd.read(count)
        return block


class _Content:
    """Content that arrives in blocks, to be read in others."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._block = memoryview(b"")

    def read(self, count: int) -> bytes:
        """Return up to so many bytes; none at the end."""
        if not self._block:
            self._block = memoryview(next(self._blocks, b""))
        taken, self._block = self._block[:count], self._block[count:]
        return bytes(taken)


def _digest_of(stored: Listed, target: Store, part_size: int | None = None) -> Digest:
    digest = Digest(part_size)
    for block in target.blocks(stored.key):
        digest.update(block)
    return digest


def _difference(file: SourceFile, there: Stored) -> str:
    """Return how an object differs from what was found of it; empty if it does not."""
    is_known = file.sha256 is not None or file.version in (None, there.version)
    return resized(file, there.size) or ("" if is_known else WRITTEN)
