"""What a storage does for an upload, whatever is behind it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from handrail_storage import Listed, Store, Stored
from handrail_upload.digests import Digest
from handrail_upload.manifest import SourceFile
from handrail_upload.storage.sending import Sending
from handrail_upload.storage.target import aside_name


class Storage(Store):
    """A store that takes source files: it keeps to a pace, and compares what is there."""

    @property
    def threads(self) -> bool:
        """Whether several workers at a time make it faster."""
        # For small files they cost more than they bring; large ones have their own.
        return not self.local

    @abstractmethod
    def look_up(self, keys: Sequence[str]) -> dict[str, Listed]:
        """Return what is stored under those of `keys` under which something is.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def digest_for(self, size: int, part_size: int) -> Digest:
        """Return the digest that a file of this size has to be fed to for `equals`."""

    @abstractmethod
    def equals(self, stored: Listed, digest: Digest, file: SourceFile) -> bool:
        """Return whether what is stored has the content of `file`, which `digest` was fed.

        Raises:
            StorageError: The storage failed or refused.
            SourceError: The file had to be read again, and could not.
        """

    @abstractmethod
    def content_sha256(self, key: str) -> str:
        """Read an object and return the SHA-256 of its content, in hexadecimal digits.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def put(self, file: SourceFile, sending: Sending, replacing: Listed | None = None) -> Stored:
        """Store a file under its key, and check it against what the storage reports.

        Args:
            file: The file.
            sending: How.
            replacing: What is there now and may be replaced; None when nothing may.

        Raises:
            TakenError: Something else is there.
            SourceError: The file is not as it was found.
            StorageError: The storage failed or refused.
            StoppedError: The transfer was told to stop.
        """

    def adopt(self, key: str) -> None:
        """Let `flush` see to what a process before this one has put under `key`, too."""

    def in_parts(self, size: int, part_size: int) -> bool:
        """Return whether what was sent of a file of this size may stay when a process is killed."""
        return False

    def sweep(self, keys: Sequence[str], run: str) -> None:
        """Drop whatever a run has made for the time being; harmless to do again."""
        self.settle(keys, run)

    def aside_name(self, key: str, run: str) -> str:
        """Return the name under which `set_aside` keeps what is stored under `key`."""
        return aside_name(self.place, key, run)

    def discard(self, names: Sequence[str]) -> None:
        """Delete what was set aside; harmless for what is not there.

        Raises:
            StorageError: The storage failed or refused.
        """
        self.delete(names)

    def describe(self) -> Mapping[str, Any]:
        """Return what `initialize` tells about the storage."""
        return {"target": self.url, **self.capabilities.to_dict()}
