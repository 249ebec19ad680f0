"""Where an export goes, whatever is behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Owner = Literal["ours", "absent", "foreign"]
Identity = tuple[int, ...]


class TakenError(Exception):
    """Something else is stored under the key, or has taken the place of what was to be replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is stored under a key.

    Attributes:
        size: Bytes; -1 for what is no file.
        mark: Which run made it, and which of its steps: `<run>/<step>`, where the storage keeps
            such a thing.
        version: What tells this very content from another one under the same key.
    """

    size: int
    mark: str | None = None
    version: str | Identity | None = None


class Target(ABC):
    """A folder for keys, which are texts with `/` between their parts.

    Nothing outside of it is ever read or written: a key that leads out of it, as through a folder
    that is a link, is a StorageError.

    Attributes:
        url: The target, as people write it.
        address: The target, as it is opened from any working folder.
        keeps_staged: Whether what is staged becomes the very file, so that it has to lie there.
        page: How many files are recorded and stored at a time.
    """

    url: str
    address: str
    keeps_staged: bool
    page: int = 64

    @abstractmethod
    def prepare(self, record: Callable[[str], None]) -> None:
        """Make what has to be there before anything is stored.

        Args:
            record: Called with a name before each thing is made; `withdraw` gets them all.

        Raises:
            StorageError: The target cannot be written.
        """

    @abstractmethod
    def probe(self, key: str, mark: str) -> None:
        """Prove that the target can be written and deleted from; nothing is left.

        Raises:
            StorageError: It cannot.
        """

    @abstractmethod
    def withdraw(self, made: Iterable[str]) -> None:
        """Undo `prepare`; harmless for what was never made or has come into use."""

    def remove_folders(self, keys: Iterable[str]) -> None:  # noqa: B027 - see `prune`
        """Remove folders in which nothing is; harmless for those that are not there.

        Raises:
            StorageError: One lies behind a link that leads out of the target.
        """

    def prune(self, keys: Iterable[str]) -> None:  # noqa: B027 - most have nothing to do
        """Remove the folders that held these keys, where nothing is in them any more."""

    @abstractmethod
    def stat(self, key: str) -> Stored | None:
        """Return what is stored under a key, or None.

        Raises:
            StorageError: The storage failed or refused.
        """

    def missing_folders(self, keys: Iterable[str]) -> list[str]:
        """Return the paths of folders that `put` will make for these keys, the outer ones first."""
        return []

    def identity(self, staged: Path) -> Identity | None:
        """Return what will tell that the file of a key is this one, where there are no marks."""
        return None

    @abstractmethod
    def put(self, key: str, staged: Path, mark: str, replacing: Stored | None = None) -> None:
        """Store a file, at once or not at all.

        Args:
            key: The key.
            staged: The file, whole and safe on its disk.
            mark: What the run marks its objects with.
            replacing: What is there now and may be replaced; None when nothing may.

        Raises:
            TakenError: Something else is there.
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def owner(self, key: str, mark: str, known: Sequence[int] | None) -> Owner:
        """Return whose object is stored under a key.

        Args:
            key: The key.
            mark: What the run marks its objects with.
            known: The `identity` that was recorded, if any.

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
        """Return the name under which `set_aside` keeps what is stored under a key."""

    @abstractmethod
    def set_aside(self, key: str, name: str) -> None:
        """Keep what is stored under a key under this name as well.

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
    def blocks(self, key: str) -> Iterator[bytes]:
        """Yield the content of an object, a few MiB at a time.

        Raises:
            StorageError: It is not there, or cannot be read.
        """

    def flush(self, keys: Iterable[str]) -> None:  # noqa: B027 - most have nothing to do
        """Make sure that the names of what was stored survive a loss of power."""
