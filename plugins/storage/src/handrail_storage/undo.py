"""Undoes the objects of a run, as long as they are still its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from handrail.errors import HandrailError
from handrail_storage.errors import StorageError
from handrail_storage.store import Store
from handrail_storage.stored import Owner

PAGE = 500  # Keys per request.
_WORKERS = 16

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Undone:
    """The result of an undo.

    Attributes:
        deleted: Objects of the run that were deleted.
        restored: Objects that the run had replaced, and that were restored.
        foreign: Objects of others under keys of the run, which were left alone.
    """

    deleted: int = 0
    restored: int = 0
    foreign: int = 0


@dataclass(slots=True, kw_only=True)
class ObjectsUndo:
    """Undoes objects one page at a time; safe to repeat, and for objects that were never stored.

    An object that cannot be undone does not affect the others: its error is kept instead.

    Attributes:
        store: The store.
        mark: The mark of the run's objects.
        known: The recorded identities of each, by key; see `Store.owner`.
        failures: The errors.
    """

    store: Store
    mark: str
    known: Mapping[str, Iterable[Sequence[int] | None]]
    failures: list[StorageError] = field(default_factory=list[StorageError])

    def owner(self, key: str) -> Owner:
        """Return the owner of the object under a key.

        Raises:
            StorageError: The storage failed or refused.
        """
        found: Owner = "absent"
        for known in self.known.get(key) or (None,):
            found = self.store.owner(key, self.mark, known)
            if found != "foreign":
                return found
        return found

    def owners(self, keys: Iterable[str]) -> Iterator[list[tuple[str, Owner]]]:
        """Yield pages of keys with the owner of each; keys that fail are left out.

        Once the storage has failed for a moment, no more requests are sent: with all keys they
        would take forever.
        """
        with ThreadPoolExecutor(1 if self.store.local else _WORKERS) as pool:
            for page in pages(keys, PAGE):
                owners = pool.map(self._owner, page)
                yield [
                    (key, owner)
                    for key, owner in zip(page, owners, strict=True)
                    if owner is not None
                ]

    def _owner(self, key: str) -> Owner | None:
        if any(each.passing for each in self.failures):
            return None
        return self.trying(lambda: self.owner(key))

    def delete(self, keys: list[str]) -> list[str]:
        """Delete these keys, one by one if that fails at once; return the deleted ones."""
        try:
            if keys:
                self.store.delete(keys)
        except StorageError as error:
            if error.passing or len(keys) == 1:
                self.failures.append(error)
                return []
        else:
            return keys
        return [key for key in keys if self.delete([key])]

    def trying(self, call: Callable[[], T]) -> T | None:
        """Return the result of a call; store a StorageError as a failure, and return None."""
        try:
            return call()
        except StorageError as error:
            self.failures.append(error)
            return None


def first_of(errors: Sequence[HandrailError]) -> HandrailError | None:
    """Return the first of several errors, with the number of the others in its message."""
    if len(errors) < 2:
        return errors[0] if errors else None
    first = errors[0]
    text = f"{first.message}, and {len(errors) - 1:,} more"
    return type(first)(text, ways_out=first.ways_out)


def pages(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield items in lists of up to `size`."""
    iterator = iter(items)
    while page := list(islice(iterator, size)):
        yield page
