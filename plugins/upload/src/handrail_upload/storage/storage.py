"""Storage: the operations of a storage for uploads, for every provider."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable

from handrail_storage import Listed, Store, Stored
from handrail_upload.digests import Digest
from handrail_upload.manifest import SourceFile
from handrail_upload.storage.sending import Sending


class Storage(Store):
    """A store for source files, with a rate limit and comparison of stored objects."""

    @abstractmethod
    def digest_for(self, size: int, part_size: int) -> Digest:
        """Return the digest that has to receive a file of this size for `equals`."""

    @abstractmethod
    def equals(self, stored: Listed, digest: Digest, file: SourceFile) -> bool:
        """Return whether the stored content is that of `file`, which `digest` has received.

        Raises:
            StorageError: The storage failed or refused.
            SourceError: The file had to be read again, and could not.
        """

    @abstractmethod
    def put(self, file: SourceFile, sending: Sending, replacing: Listed | None = None) -> Stored:
        """Store a file under its key, and check it against the report of the storage.

        Args:
            file: The file.
            sending: The settings of the transfer.
            replacing: The stored object that may be replaced; None for none.

        Raises:
            TakenError: Another object has the key.
            SourceError: The file has changed.
            StorageError: The storage failed or refused.
            StoppedError: The transfer was stopped.
        """

    @abstractmethod
    def is_too_long(self, key: str) -> bool:
        """Return whether a key is longer than names can be there."""

    def check(self, key: str) -> None:
        """Check that a key can be used, before anything is done with it.

        Raises:
            StorageError: It leads out of the target.
        """

    def flushing(self) -> Callable[[], None]:
        """Return a function that flushes what is stored by now, for a thread of its own.

        Raises:
            StorageError: By the function: the objects cannot be flushed.
        """
        return self.flush

    def adopt(self, key: str) -> None:
        """Let `flush` include an object that an earlier process has stored under `key`."""

    def may_leave_parts(self, size: int, part_size: int) -> bool:
        """Return whether a killed process may leave a file of this size incomplete."""
        return True

    def leave_folders(self, keys: Iterable[str], recorded: Iterable[str] = ()) -> None:
        """Remove empty folders of these keys that Handrail has made. Calling it twice is harmless.

        Args:
            keys: The keys.
            recorded: Folders that the run has recorded before it made them, as keys.
        """
