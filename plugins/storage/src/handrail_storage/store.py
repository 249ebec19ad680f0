"""A store: objects under keys, made by runs that may have to take them back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from handrail_storage.caller import Caller
from handrail_storage.places import Place
from handrail_storage.stored import Capabilities, Identity, Listed, Owner, Stored


class Store(ABC):
    """A folder for objects under keys, which are texts with `/` between their parts.

    Each object carries the mark of the run that made it, `<run>/<step>`. A storage that keeps no
    marks tells an object by its identity, which a step records; see `owner`.

    Nothing outside of the place is ever read or written: a key that leads out of it, as through a
    folder that is a link, is a StorageError.

    Args:
        place: Where the objects are.
        caller: Whose errors are raised, and what they call the place.

    Attributes:
        url: The place, as people write it, without a slash at its end.
        address: The place, as it is opened from any working folder.
        capabilities: What a probe has shown; careful guesses before.
        local: Whether a staged file becomes the very object, so that it has to lie in the place.
        batch: How many objects are best recorded and stored at a time.
        lag: Seconds for which a request of a process that was killed may still be on its way.
    """

    capabilities: Capabilities
    local: bool = False
    batch: int = 64
    lag: float = 0.0

    def __init__(self, place: Place, caller: Caller) -> None:
        self.place = place
        self.caller = caller
        self.url = place.shown
        self.address = place.address

    # Setting up

    @abstractmethod
    def reach(self) -> None:
        """Check that the storage answers, before anything is made.

        Raises:
            StorageError: It does not answer, or refuses.
        """

    @abstractmethod
    def prepare(self, record: Callable[[str], None]) -> None:
        """Make what has to be there before anything is stored.

        Args:
            record: Called with a name before each thing is made; `withdraw` takes them all.

        Raises:
            StorageError: The place cannot be written.
        """

    @abstractmethod
    def probe(self, key: str, mark: str) -> Capabilities:
        """Write a small object, twice, and delete it; keep and return what that shows.

        Raises:
            StorageError: The place cannot be written or read, or keeps no marks where it should.
        """

    @abstractmethod
    def clear_probe(self, key: str, mark: str) -> None:
        """Delete what `probe` may have left, where it is ours; harmless to call again."""

    def withdraw(self, folders: Iterable[str]) -> None:  # noqa: B027 - most have no folders
        """Remove folders by their absolute paths, where nothing is in them.

        These are folders that `prepare` and `create` have made; those that are gone do no harm.

        Raises:
            StorageError: One lies behind a link that leads out of the place.
        """

    def missing_folders(self, keys: Iterable[str]) -> list[str]:
        """Return the paths of folders in the place that these keys still need, the outer first."""
        return []

    def remove_folders(self, keys: Iterable[str]) -> None:  # noqa: B027 - most have no folders
        """Remove folders by their keys; see `withdraw`."""

    def prune(self, keys: Iterable[str]) -> None:  # noqa: B027 - most have no folders
        """Remove the folders that contained these keys, where nothing is in them any more."""

    # Looking

    @abstractmethod
    def stat(self, key: str) -> Stored | None:
        """Return what is stored under a key, or None.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def listing(self, prefix: str = "") -> Iterator[Listed]:
        """Yield the objects whose keys begin with a prefix, in no particular order.

        Args:
            prefix: Empty, or ends with a slash.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def blocks(self, key: str) -> Iterator[bytes]:
        """Yield the content of an object, a few MiB at a time.

        Raises:
            StorageError: It is not there, or cannot be read.
        """

    @abstractmethod
    def read(self, key: str) -> bytes | None:
        """Return the content of an object; None where there is none.

        Raises:
            StorageError: The storage failed or refused.
        """

    # Storing

    @abstractmethod
    def create(self, key: str, content: bytes | Path, mark: str) -> Stored:
        """Store a new object, whole or not at all.

        Args:
            key: The key.
            content: The content, or a file that is whole and safe on its disk.
            mark: What the run marks its objects with.

        Raises:
            TakenError: Something is there already, whoever made it.
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def replace(self, key: str, content: bytes | Path, mark: str, found: Listed) -> Stored:
        """Store an object in place of another one, whole or not at all.

        Args:
            key: The key.
            content: The content, or a file that is whole and safe on its disk.
            mark: What the run marks its objects with.
            found: The object that is there, and may be replaced.

        Raises:
            TakenError: It is gone, or another one has taken its place.
            StorageError: The storage failed or refused.
        """

    def identity(self, staged: Path) -> Identity | None:
        """Return what will identify an object that is made of this file; None with marks."""
        return None

    @abstractmethod
    def set_aside(self, key: str, name: str) -> None:
        """Keep what is stored under a key under another key as well, with its mark.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def put_back(self, key: str, name: str) -> bool:
        """Store what was set aside under its key again; return False when it is not there.

        Raises:
            StorageError: The storage failed or refused.
        """

    def flush(self, keys: Iterable[str] = ()) -> None:  # noqa: B027 - most have nothing to do
        """Make sure that these objects survive a loss of power.

        Raises:
            StorageError: It cannot be made sure.
        """

    def settle(self, keys: Iterable[str], run: str) -> None:  # noqa: B027 - see `flush`
        """Drop what was only needed until the identities were recorded; harmless to repeat."""

    # Undoing

    def abort_unfinished(  # noqa: B027 - most have nothing to do
        self, keys: Collection[str], run: str
    ) -> None:
        """Drop what a process of `run` that was killed had sent of `keys` in parts, if possible."""

    @abstractmethod
    def owner(self, key: str, mark: str, known: Sequence[int] | None = None) -> Owner:
        """Return whose object is stored under a key.

        Args:
            key: The key.
            mark: What the run marks its objects with.
            known: Identity of the object that the run has put there, where it was recorded.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; harmless for those that are not there.

        Raises:
            StorageError: The storage failed or refused.
        """

    def delete_if(self, found: Stored) -> bool:
        """Delete an object only while it is still the one that was found.

        No storage does that in one request through this library yet: it looks, then deletes, so
        what others put there in between goes.

        Returns:
            Whether it was deleted; False where it is gone, or is another one.

        Raises:
            StorageError: The storage failed or refused.
        """
        now = self.stat(found.key)
        if now is None or not now.is_same(found):
            return False
        self.delete([found.key])
        return True
