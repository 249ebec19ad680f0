"""An object storage as a store, through obstore.

Each object carries the mark of the run that created it as user metadata, `handrail-run`; undo
deletes an object only while it has that mark.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import obstore

from handrail_storage.backend.deleting import delete_all, delete_unchanged
from handrail_storage.backend.disk import FOLDER, sha256_of
from handrail_storage.backend.looking import from_listing, listed_below
from handrail_storage.backend.probing import probed
from handrail_storage.backend.putting import (
    attempts_unless_taken,
    is_expected,
    must_be_free,
    put_unless_taken,
)
from handrail_storage.backend.requests import MARK, SHA256, Requests
from handrail_storage.backend.small import SmallFiles
from handrail_storage.backend.small_objects import SmallObjects
from handrail_storage.backend.unfinished import abort_unfinished
from handrail_storage.caller import ANYBODY, Caller
from handrail_storage.errors import TakenError
from handrail_storage.places import Place
from handrail_storage.store import Store
from handrail_storage.stored import Capabilities, Listed, Stored

if TYPE_CHECKING:
    from obstore import GetResult

MEMORY_LAG = 0.0  # Objects in this process are visible at once.

_MIB = 1 << 20
_BLOCK = 4 * _MIB
_PART = 8 * _MIB  # Files above this size are sent in parts of it; contents never are.
_AT_A_TIME = 4  # Parts of one object.
_LARGE_PART = 16 * _MIB  # Of an object that is copied through here; several are in memory.
_LARGEST_PART = 64 * _MIB
_MOST_PARTS = 10_000  # Of one object, by S3.
_LARGEST_COPY = 5 << 30  # Bytes that S3 copies in one request.


class ObjectStore(Store):
    """Objects below one prefix of a bucket.

    Args:
        place: The bucket and the prefix.
        caller: The pack, for the class and the words of errors.
        retries: Number of retries when the storage fails for a moment.
        on_status: Called with what requests wait for; see `open_store`.

    Attributes:
        requests: Sends requests to the bucket.
    """

    lag = 1.0

    def __init__(
        self,
        place: Place,
        caller: Caller = ANYBODY,
        *,
        retries: int = 8,
        on_status: Callable[[str | None], object] | None = None,
    ) -> None:
        super().__init__(place, caller)
        self.capabilities = Capabilities(create_only=False, etag_is_md5=False, marks=True)
        self.requests = Requests(place, retries, caller, on_status)
        if place.scheme == "memory":
            self.lag = MEMORY_LAG
            self.lasting = False

    @property
    def small_files(self) -> SmallFiles:
        """Objects below `.handrail-target/`."""
        return SmallObjects(self.requests, lambda: self.capabilities)

    # Setting up

    def reach(self) -> None:
        """Ask for an object."""
        self.requests.reach()

    def prepare(self, record: Callable[[str], None]) -> None:
        """Do nothing: there are no folders, and buckets are created by their owners."""

    def probe(self, key: str, mark: str) -> Capabilities:
        """Put a small object twice, look at it, and delete it."""
        self.capabilities = probed(self.requests, key, mark, self.caller)
        return self.capabilities

    def clear_probe(self, key: str, mark: str) -> None:
        """Delete the small object."""
        found = self.stat(key)
        if found is not None and found.mark == mark:
            self.delete([key])

    # Looking

    def stat(self, key: str) -> Stored | None:
        """Ask for the metadata of one object."""
        return self.requests.stat(key)

    def listing(self, prefix: str = "") -> Iterator[Listed]:
        """List the objects, a thousand in each request."""
        for each in listed_below(self.requests, prefix):
            if prefix or not each.key.startswith(f"{FOLDER}/"):
                yield each

    def look_up(self, keys: Sequence[str]) -> Mapping[str, Listed]:
        """List the part of the bucket with the keys; ask for single objects if it is crowded."""
        found, rest = from_listing(self.requests, sorted(keys))
        return {**found, **self.stats(rest)}

    @contextmanager
    def opened(self, key: str) -> Generator[tuple[Stored, Iterator[bytes]] | None]:
        """Ask for the object; what it is comes with the first of its content."""
        with self.requests.patiently(key):
            answer = self.requests.get(key, self.requests.patient)
        if answer is None:
            yield None
        else:
            yield self.requests.described(key, answer), self._arriving(key, answer)

    def _arriving(self, key: str, answer: GetResult) -> Iterator[bytes]:
        with self.requests.patiently(key):
            yield from map(bytes, answer.stream(_MIB))  # Many may be read at a time.

    def read(self, key: str) -> bytes | None:
        """Return the whole content, read at once."""

        def get() -> bytes | None:
            answer = self.requests.get(key)
            return None if answer is None else bytes(answer.bytes())

        return self.requests.again(key, get)

    # Storing

    def store(
        self,
        key: str,
        content: bytes | Path,
        mark: str,
        replacing: Listed | None,
        sha256: str | None,
    ) -> Stored:
        """Put a small object at once, a large file in parts.

        Where the storage takes no conditions, and for a file in parts, an object that others put
        there after the last look, a moment before, is replaced too.
        """
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        marks = {MARK: mark, SHA256: sha256 or sha256_of(content)}
        if isinstance(content, Path) and size > _PART:
            self._put_in_parts(key, content, size, marks, replacing)
        else:
            put_unless_taken(
                self.requests,
                self.capabilities,
                key,
                content if isinstance(content, bytes) else content.read_bytes(),
                self.requests.attributes_of(key, marks),
                replacing=_etag(replacing),
                free=lambda there: is_expected(there, replacing),
                ours=lambda there: (there.mark, there.sha256) == (mark, marks[SHA256]),
            )
        found = self.stat(key)
        if found is None or found.size != size:
            raise self.caller.error(f"{key}: what arrived at {self.url} is not what was sent")
        return found

    def _put_in_parts(
        self, key: str, path: Path, size: int, marks: dict[str, str], replacing: Listed | None
    ) -> None:
        requests = self.requests
        smallest = -(-size // _MOST_PARTS)
        part = max(_PART, -(-smallest // _BLOCK) * _BLOCK)

        def look() -> None:
            must_be_free(requests, key, lambda there: is_expected(there, replacing))

        def parts(file: BinaryIO) -> Iterator[bytes]:
            for start in range(0, size, part):
                if start + part >= size:  # No server refuses to complete parts over an object.
                    with ThreadPoolExecutor(1) as another:  # This one drives the client now.
                        another.submit(requests.again, key, look).result()
                yield file.read(part)

        requests.again(key, look)
        with path.open("rb") as file, requests.patiently(key):
            obstore.put(
                requests.patient,
                requests.path(key),
                parts(file),
                attributes=requests.attributes_of(key, marks),
                use_multipart=True,
                chunk_size=part,
                max_concurrency=_AT_A_TIME,
            )

    def set_aside(self, key: str, name: str) -> None:
        """Copy the object within the storage, with its metadata."""
        self._copy(self._found(key), name)

    def put_over(self, name: str, key: str, found: Listed | None) -> bool:
        """Put the content and the metadata again, in one request with a condition.

        A copy of more than 8 MiB is made within the storage instead, without a condition; there,
        and where the storage takes no conditions, an object that others put there after the last
        look, a moment before, is replaced too.
        """
        copy = self._found(name)
        try:
            if copy.size > _PART:
                self._copy(copy, key, lambda there: is_expected(there, found))
            else:
                self._put_again(copy, key, found)
        except TakenError:
            return False
        return True

    def _found(self, key: str) -> Stored:
        found = self.stat(key)
        if found is None:
            raise self.caller.error(f"{key}: it is not there (at {self.url})")
        return found

    def _put_again(self, copy: Stored, key: str, found: Listed | None) -> None:
        with self.requests.patiently(copy.key):
            answer = obstore.get(self.requests.patient, self.requests.path(copy.key))
            content, attributes = bytes(answer.bytes()), answer.attributes
        put_unless_taken(
            self.requests,
            self.capabilities,
            key,
            content,
            attributes,
            replacing=_etag(found),
            free=lambda there: is_expected(there, found),
            ours=lambda there: _is_copy(there, copy),
        )

    def _copy(
        self, copied: Stored, key: str, free: Callable[[Stored | None], bool] | None = None
    ) -> None:
        """Copy an object within the storage.

        Args:
            copied: The object.
            key: Where to.
            free: Whether what is there may be replaced; None if that need not be looked at.

        Raises:
            TakenError: What is there may not be replaced.
        """
        requests = self.requests
        source, target = requests.path(copied.key), requests.path(key)

        def arrived() -> bool:
            after = self.stat(key)
            return after is not None and _has_content(after, copied)

        def look() -> None:
            if free is not None:
                must_be_free(requests, key, free)

        def copy() -> None:
            look()
            obstore.copy(requests.client, source, target)

        if copied.size <= _LARGEST_COPY:
            attempts_unless_taken(
                requests, key, copy, ours=lambda there: _has_content(there, copied)
            )
            if arrived():  # There are servers that say yes, and copy nothing.
                return
        requests.again(key, look)
        with requests.patiently(key):
            asyncio.run(self._copy_through_here(source, target, copied))
        if not arrived():
            raise self.caller.error(f"{key}: it cannot be copied (at {self.url})")

    async def _copy_through_here(self, source: str, target: str, copied: Stored) -> None:
        """Copy an object that the server cannot copy in one request, streaming its content.

        It has the same parts as far as they are known, so that it has the same ETag.
        """
        client, size = self.requests.patient, copied.size
        part = copied.part_size or (_PART if size <= _PART else _LARGE_PART)
        part = max(part if part <= _LARGEST_PART else _LARGE_PART, -(-size // _MOST_PARTS))
        whole = copied.part_size is None and size <= part
        content = await obstore.get_async(client, source)
        await obstore.put_async(
            client,
            target,
            bytes(await content.bytes_async()) if whole else content.stream(part),
            attributes=content.attributes,
            use_multipart=not whole,
            chunk_size=part,
            max_concurrency=1,
        )

    # Undoing

    def delete(self, keys: Sequence[str]) -> None:
        """Delete many objects in each request."""
        delete_all(self.requests, keys)

    def delete_found(
        self, found: Sequence[Listed], progress: Callable[[int], None] | None = None
    ) -> set[str]:
        """Delete each with the condition of its ETag, if the storage takes that.

        Else list up to a thousand objects, and delete many in one request; an object that others
        put there after the look, a moment before, is deleted too.
        """
        conditional = self.capabilities.delete_if and all(each.etag for each in found)
        return delete_unchanged(self.requests, found, conditional=conditional, progress=progress)

    def abort_unfinished(self, keys: Iterable[str], run: str) -> None:
        """Abort uploads in parts that a killed process of the run had begun.

        Those under these keys, and of what it sets aside. Nothing is asked if there are no keys.
        """
        paths = map(self.requests.path, keys)
        first = next(paths, None) if self.place.scheme == "s3" else None
        if first is not None:
            abort_unfinished(self.place, chain([first], paths), run)


def _etag(replacing: Listed | None) -> str | None:
    return None if replacing is None else replacing.etag or ""


def _has_content(stored: Stored, original: Stored) -> bool:
    """Return whether an object has the size, the mark and the digest of another one."""
    mine = (stored.size, stored.mark, stored.sha256)
    return mine == (original.size, original.mark, original.sha256)


def _is_copy(stored: Stored, original: Stored) -> bool:
    return _has_content(stored, original) and stored.etag == original.etag
