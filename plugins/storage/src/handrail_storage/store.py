"""Store: objects under keys, created by runs that may have to be undone."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from handrail_storage.caller import Caller
from handrail_storage.places import Place
from handrail_storage.stored import Capabilities, Listed, Stored

if TYPE_CHECKING:
    from handrail_storage.backend.small import SmallFiles

_AT_A_TIME = 32  # Requests for single objects.


class Store(ABC):
    """A folder for objects under keys, which are texts with `/` between their parts.

    Each object carries the mark of the run that created it, and the SHA-256 of its content.

    Nothing outside of the place is ever read or written: a key that leads out of it, such as
    through a folder that is a link, is a StorageError.

    Args:
        place: The place of the objects.
        caller: The pack, for the class and the words of errors.

    Attributes:
        url: The place, as people write it, without a slash at its end.
        address: The place, independent of the working folder.
        capabilities: The result of a probe; conservative defaults before.
        local: Whether a staged file becomes the object itself, so that it has to be in the place.
        batch: The best number of objects to record and store at a time.
        lag: Seconds for which a request of a killed process may still be in flight.
        lasting: Whether objects, and their versions, outlive the process.
    """

    capabilities: Capabilities
    local: bool = False
    batch: int = 64
    lag: float = 0.0
    lasting: bool = True

    def __init__(self, place: Place, caller: Caller) -> None:
        self.place = place
        self.caller = caller
        self.url = place.shown
        self.address = place.address

    @property
    @abstractmethod
    def small_files(self) -> SmallFiles:
        """Small files of Handrail itself in the place, such as the claims of runs."""

    # Setting up

    @abstractmethod
    def reach(self) -> None:
        """Check that the storage answers, before anything is created.

        Raises:
            StorageError: The storage does not answer, or refuses.
        """

    @abstractmethod
    def prepare(self, record: Callable[[str], None]) -> None:
        """Create everything that is needed before objects can be stored.

        Args:
            record: Called with a name before each creation; `withdraw` accepts them all.

        Raises:
            StorageError: The place cannot be written.
        """

    @abstractmethod
    def probe(self, key: str, mark: str) -> Capabilities:
        """Write a small object, twice, and delete it; store and return the observed capabilities.

        Raises:
            StorageError: The place cannot be written or read, or lacks the required marks.
        """

    @abstractmethod
    def clear_probe(self, key: str, mark: str) -> None:
        """Delete our remains of a `probe`. Calling it twice is harmless."""

    def withdraw(self, folders: Iterable[str]) -> None:  # noqa: B027 - most have no folders
        """Remove folders by their absolute paths, if they are empty.

        These are folders that `prepare` and `create` have created; missing ones are ignored.

        Raises:
            StorageError: A folder is behind a link that leads out of the place.
        """

    def missing_folders(self, keys: Iterable[str]) -> list[str]:
        """Return the paths of folders in the place that these keys still need, the outer first."""
        return []

    def prune(self, keys: Iterable[str]) -> None:  # noqa: B027 - most have no folders
        """Remove the folders of these keys that are now empty."""

    # Looking

    @abstractmethod
    def stat(self, key: str) -> Stored | None:
        """Return the object under a key, or None.

        Raises:
            StorageError: The storage failed or refused.
        """

    def stats(self, keys: Sequence[str]) -> dict[str, Stored]:
        """Return the objects under these keys, asked for singly; missing ones are left out.

        Raises:
            StorageError: The storage failed or refused.
        """
        with ThreadPoolExecutor(1 if self.local else _AT_A_TIME) as pool:
            found = pool.map(self.stat, keys)
            return {each.key: each for each in found if each is not None}

    def look_up(self, keys: Sequence[str]) -> Mapping[str, Listed]:
        """Return the objects under these keys, by key; missing ones are left out.

        Raises:
            StorageError: The storage failed or refused.
        """
        return self.stats(keys)

    def glance(self, keys: Sequence[str]) -> Mapping[str, Listed]:
        """Return the objects under these keys, by key, as cheaply as `Listed.version` allows.

        Raises:
            StorageError: The storage failed or refused.
        """
        return self.look_up(keys)

    @abstractmethod
    def listing(self, prefix: str = "") -> Iterator[Listed]:
        """Yield the objects whose keys begin with a prefix, in no particular order.

        Left out is what runs keep in the place for themselves.

        Args:
            prefix: Empty, or ends with a slash.

        Raises:
            StorageError: The storage failed or refused.
        """

    def blocks(self, key: str) -> Iterator[bytes]:
        """Yield the content of an object, a few MiB at a time.

        Raises:
            StorageError: The object does not exist, or cannot be read.
        """
        with self.opened(key) as found:
            if found is None:
                raise self.caller.error(f"{key}: it is not there (at {self.url})")
            yield from found[1]

    @abstractmethod
    def opened(self, key: str) -> AbstractContextManager[tuple[Stored, Iterator[bytes]] | None]:
        """Open an object to read it once: what it is, and its content, a few MiB at a time.

        It yields None if the object does not exist.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def read(self, key: str) -> bytes | None:
        """Return the content of an object; None if it does not exist.

        Raises:
            StorageError: The storage failed or refused.
        """

    def digest(self, found: Stored) -> str:
        """Return the SHA-256 of an object, in hexadecimal digits: the recorded one, else read.

        What is read may have taken the place of the object meanwhile; so what is done because of
        the digest has to depend on `found`.

        Raises:
            StorageError: The object is gone, or cannot be read.
        """
        return self.content_sha256(found.key) if found.sha256 is None else found.sha256

    def content_sha256(self, key: str) -> str:
        """Read an object and return the SHA-256 of its content, in hexadecimal digits.

        Raises:
            StorageError: The object does not exist, or cannot be read.
        """
        digest = hashlib.sha256()
        for block in self.blocks(key):
            digest.update(block)
        return digest.hexdigest()

    # Storing

    def create(
        self, key: str, content: bytes | Path, mark: str, sha256: str | None = None
    ) -> Stored:
        """Store a new object with its mark and digest, completely or not at all.

        Args:
            key: The key.
            content: The content, or a complete file that is flushed to its disk.
            mark: The mark of the run's objects.
            sha256: SHA-256 of the content, if known; else it is computed.

        Raises:
            TakenError: The key is taken, by any run.
            StorageError: The storage failed or refused.
        """
        return self.store(key, content, mark, None, sha256)

    def replace(
        self,
        key: str,
        content: bytes | Path,
        mark: str,
        found: Listed,
        sha256: str | None = None,
    ) -> Stored:
        """Replace an object with its mark and digest, completely or not at all.

        Args:
            key: The key.
            content: The content, or a complete file that is flushed to its disk.
            mark: The mark of the run's objects.
            found: The existing object, which may be replaced.
            sha256: SHA-256 of the content, if known; else it is computed.

        Raises:
            TakenError: The object was deleted, or another one has taken its place.
            StorageError: The storage failed or refused.
        """
        return self.store(key, content, mark, found, sha256)

    @abstractmethod
    def store(
        self,
        key: str,
        content: bytes | Path,
        mark: str,
        replacing: Listed | None,
        sha256: str | None,
    ) -> Stored:
        """Store an object, for `create`, where `replacing` is None, and for `replace`."""

    @abstractmethod
    def set_aside(self, key: str, name: str) -> None:
        """Keep the object under a key under another key as well, with its mark and digest.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def put_over(self, name: str, key: str, found: Listed | None) -> bool:
        """Put a copy of an object over a key, with its mark and digest; it stays as well.

        Args:
            name: The key of the object, such as that of `set_aside`.
            key: The key to put it over.
            found: What is there and may be replaced; None for nothing.

        Returns:
            Whether it is there now; False if what was there has changed, and was left alone.

        Raises:
            StorageError: There is no object under `name`, or the storage failed or refused.
        """

    def flush(self, keys: Iterable[str] = ()) -> None:  # noqa: B027 - most have nothing to do
        """Flush these objects, so that they survive a loss of power.

        Raises:
            StorageError: The objects cannot be flushed.
        """

    # Undoing

    def abort_unfinished(  # noqa: B027 - most have nothing to do
        self, keys: Iterable[str], run: str
    ) -> None:
        """Remove what a killed process of `run` had written of `keys`, but not stored, if possible.

        Calling it twice is harmless.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; missing ones are ignored.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def delete_found(
        self, found: Sequence[Listed], progress: Callable[[int], None] | None = None
    ) -> set[str]:
        """Delete objects that are still the ones that were found; missing ones are ignored.

        Args:
            found: The objects.
            progress: Called with the number of objects that were dealt with since the last call.

        Returns:
            The keys under which there is another object now, which was left alone.

        Raises:
            StorageError: The storage failed or refused.
        """
