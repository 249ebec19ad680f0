"""What a storage does for an upload, whatever is behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

from handrail_upload.digests import Digest
from handrail_upload.manifest import SourceFile
from handrail_upload.storage.sending import Sending
from handrail_upload.storage.stored import Capabilities, Listed, Stored

Owner = Literal["ours", "absent", "foreign"]


class TakenError(Exception):
    """Something else is stored under the key, or has taken the place of what was to be replaced."""


class Storage(ABC):
    """A place for objects under keys, which are texts with `/` between their parts.

    Attributes:
        url: The target, as people write it, without a slash at its end.
        address: The target, as it is opened from any working folder.
        capabilities: What a probe has shown; careful guesses before.
        threads: Whether several workers at a time make it faster.
        batch: How many files are sent between two records of what was made.
        lag: Seconds for which a request of a process that was killed may still be on its way.
    """

    url: str
    address: str
    capabilities: Capabilities
    threads: bool = True
    batch: int = 64
    lag: float = 0.0

    @abstractmethod
    def reach(self) -> None:
        """Find out whether the storage answers, before anything is made.

        Raises:
            StorageError: It does not.
        """

    @abstractmethod
    def prepare(self, record: Callable[[str], None]) -> None:
        """Make what has to be there before anything is put.

        Args:
            record: Called with a name before each thing is made; `withdraw` gets them all.

        Raises:
            StorageError: The target cannot be written.
        """

    @abstractmethod
    def probe(self, key: str, mark: str) -> Capabilities:
        """Write a small object, twice, and delete it; keep and return what that shows.

        Raises:
            StorageError: The target cannot be written or read.
        """

    @abstractmethod
    def clear_probe(self, key: str, mark: str) -> None:
        """Delete what `probe` may have left, where it is ours; harmless to call again."""

    @abstractmethod
    def withdraw(self, made: Iterable[str]) -> None:
        """Undo `prepare`; harmless for what was never made or has come into use."""

    @abstractmethod
    def stat(self, key: str) -> Stored | None:
        """Return what is stored under `key`, or None.

        Raises:
            StorageError: The storage failed or refused.
        """

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

    def missing_folders(self, keys: Iterable[str]) -> list[str]:
        """Return the folders that `put` will have to make for these keys, the outer ones first."""
        return []

    def remove_folders(  # noqa: B027 - most have none
        self, folders: Iterable[str]
    ) -> None:
        """Remove folders that `put` has made, named from the target, where nothing is in them."""

    @abstractmethod
    def flush(self) -> None:
        """Make sure that all that was put survives a loss of power.

        Raises:
            StorageError: It cannot be made sure.
        """

    def adopt(self, key: str) -> None:  # noqa: B027 - most have nothing to do
        """Let `flush` see to what a process before this one has put under `key`, too."""

    def in_parts(self, size: int, part_size: int) -> bool:
        """Return whether what was sent of a file of this size may stay when a process is killed."""
        return False

    def abort_unfinished(  # noqa: B027 - most have nothing to do
        self, keys: Collection[str], run: str
    ) -> None:
        """Drop what a process of `run` that was killed had sent of `keys` in parts, if possible."""

    @abstractmethod
    def settle(self, keys: Iterable[str], run: str) -> None:
        """Drop what was only needed until it was recorded that these were made."""

    def sweep(self, keys: Sequence[str], run: str) -> None:
        """Drop whatever a run has made for the time being; harmless to do again."""
        self.settle(keys, run)

    @abstractmethod
    def owner(self, key: str, mark: str, known: tuple[int, ...] | None) -> Owner:
        """Return whose object is stored under `key`.

        Args:
            key: The key.
            mark: What the run marks its objects with.
            known: Identity of the object that the run has put there, where it was recorded.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def delete(self, keys: Sequence[str]) -> None:
        """Delete what is stored under these keys; harmless for what is not there.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def aside_name(self, key: str, run: str) -> str:
        """Return the name under which `set_aside` keeps what is stored under `key`."""

    @abstractmethod
    def set_aside(self, key: str, name: str) -> None:
        """Keep what is stored under `key` under this name as well.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def put_back(self, key: str, name: str) -> bool:
        """Store what was set aside under its key again; return False when it is not there.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def discard(self, names: Sequence[str]) -> None:
        """Delete what was set aside; harmless for what is not there.

        Raises:
            StorageError: The storage failed or refused.
        """

    def describe(self) -> Mapping[str, Any]:
        """Return what `initialize` tells about the storage."""
        return {"target": self.url, **self.capabilities.to_dict()}
