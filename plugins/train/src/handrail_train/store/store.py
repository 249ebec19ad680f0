"""What a store of models has to do, whatever is behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Literal

Owner = Literal["ours", "absent", "foreign"]


class Store(ABC):
    """A place for objects under keys, which are texts with `/` between their parts.

    An object is made once and never replaced. Each carries the mark of the run that has made it.

    Attributes:
        url: The store, as people write it, without a slash at its end.
        address: The store, as it is opened from any working folder.
        lag: Seconds for which a request of a process that was killed may still be on its way.
    """

    url: str
    address: str
    lag: float = 0.0

    @abstractmethod
    def create(self, key: str, content: bytes, mark: str) -> bool:
        """Store an object, and return whether that was done: False where something is there.

        What was stored by the same run before, with the same content, counts as done.

        Raises:
            StorageError: The store failed or refused.
        """

    @abstractmethod
    def read(self, key: str) -> bytes | None:
        """Return the content of an object; None where there is none.

        Raises:
            StorageError: The store failed or refused.
        """

    @abstractmethod
    def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin with `prefix`, which ends with a slash, sorted.

        Raises:
            StorageError: The store failed or refused.
        """

    @abstractmethod
    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; harmless for what is not there.

        Raises:
            StorageError: The store failed or refused.
        """

    @abstractmethod
    def owner(self, key: str, mark: str, known: tuple[int, ...] | None = None) -> Owner:
        """Return whose object is stored under `key`.

        Args:
            key: The key.
            mark: What the run marks its objects with: `<run>/<step>`.
            known: Identity of the object that the run has made, where it was recorded.

        Raises:
            StorageError: The store failed or refused.
        """

    def missing_folders(self, keys: Iterable[str]) -> list[str]:
        """Return the folders that `create` will have to make for these keys, the outer first."""
        return []

    def withdraw(self, folders: Iterable[str]) -> None:  # noqa: B027 - most have nothing to do
        """Remove folders in which nothing is; harmless for those that are not there.

        Raises:
            StorageError: One lies behind a link that leads out of the store.
        """

    def identities(self, keys: Iterable[str]) -> list[list[object]]:
        """Make sure that objects survive a loss of power, and return what tells each from others.

        Returns:
            Lists of a key and of what identifies the object; none where marks do that.

        Raises:
            StorageError: It cannot be made sure.
        """
        return []

    def settle(self, keys: Iterable[str], mark: str) -> None:  # noqa: B027 - see above
        """Drop what was only needed until `identities` were recorded; harmless to call again."""
