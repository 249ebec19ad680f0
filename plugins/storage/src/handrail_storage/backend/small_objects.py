"""Small files of Handrail's own in a bucket, as objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from handrail_storage.backend.contents import Content, collected, content_of
from handrail_storage.backend.deleting import delete_all, delete_unchanged
from handrail_storage.backend.disk import FOLDER
from handrail_storage.backend.looking import listed_below
from handrail_storage.backend.putting import put_unless_taken
from handrail_storage.backend.requests import Requests, bare
from handrail_storage.backend.small import Small, SmallFiles
from handrail_storage.errors import TakenError
from handrail_storage.stored import Capabilities, Listed, Stored

if TYPE_CHECKING:
    from obstore import Attributes

_BLOCK = 1 << 16
_ATTRIBUTES: Attributes = {"Content-Type": "application/json"}


class SmallObjects(SmallFiles):
    """Small files as objects.

    Args:
        requests: The bucket.
        capabilities: Returns the capabilities of the storage, as far as they are known.
    """

    def __init__(self, requests: Requests, capabilities: Callable[[], Capabilities]) -> None:
        self._requests = requests
        self._capabilities = capabilities

    def get(self, name: str) -> Small | None:
        """Ask for the whole object."""
        return self._requests.again(name, lambda: self._get(name))

    def _get(self, name: str) -> Small | None:
        answer = self._requests.get(_key_of(name))
        if answer is None:
            return None
        return Small(content=bytes(answer.bytes()), version=bare(answer.meta["e_tag"]) or "")

    def content(self, name: str) -> Content | None:
        """Ask for the object, a block at a time."""

        def get() -> Content | None:
            answer = self._requests.get(_key_of(name))
            return None if answer is None else collected(map(memoryview, answer.stream(_BLOCK)))

        return self._requests.again(name, get)

    def put(self, name: str, content: bytes | Content, *, spare: bool = False) -> str:
        """Put it, whatever is there."""
        key, whole = _key_of(name), content_of(content).buffer()
        return self._requests.again(
            name, lambda: self._requests.put(key, whole, _ATTRIBUTES, "overwrite") or ""
        )

    def create(self, name: str, content: bytes) -> bool:
        """Put it in one request if the storage refuses to replace; else look before."""
        if self._put_unless_taken(name, content, None) is not None:
            return True
        found = self.get(name)
        return found is not None and found.content == content

    def swap(self, name: str, content: bytes, version: str) -> str | None:
        """Put it in one request if the storage takes the condition; else look before."""
        return self._put_unless_taken(name, content, version)

    def remove(self, name: str, version: str | None = None) -> bool:
        """Delete it in one request if the storage takes the condition; else look before."""
        if version is not None and self._capabilities().delete_if:
            expected = Listed(key=_key_of(name), size=-1, etag=version)
            return not delete_unchanged(self._requests, [expected], conditional=True)
        if version is not None:
            there = self.get(name)
            if there is None or there.version != version:
                return there is None
        self.remove_all([name])
        return True

    def remove_all(self, names: Sequence[str]) -> None:
        """Delete many in each request."""
        delete_all(self._requests, [*map(_key_of, names)])

    def names(self, prefix: str) -> Iterator[tuple[str, str | None]]:
        """List the objects, a thousand in each request."""
        for each in listed_below(self._requests, _key_of(prefix)):
            yield each.key.removeprefix(_key_of("")), each.etag

    def _put_unless_taken(self, name: str, content: bytes, version: str | None) -> str | None:
        """Put an object over that of a version, or where there is none; return its version.

        None if there is another one.
        """

        def is_free(there: Stored | None) -> bool:
            if there is not None:
                return version == (there.etag or "")
            if version is not None:
                self._requests.get(_key_of(name))  # It would tell that the whole bucket is gone.
            return version is None

        def is_ours(_there: Stored) -> bool:
            found = self._get(name)
            return found is not None and found.content == content

        try:
            etag = put_unless_taken(
                self._requests,
                self._capabilities(),
                _key_of(name),
                content,
                _ATTRIBUTES,
                replacing=version,
                free=is_free,
                ours=is_ours,
            )
        except TakenError:
            return None
        return etag or ""


def _key_of(name: str) -> str:
    return f"{FOLDER}/{name}"
