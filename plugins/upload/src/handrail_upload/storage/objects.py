"""An object storage as the target, through obstore.

Each object carries the mark of the run that made it as user metadata, `handrail-run`; undo deletes
an object only while that mark is on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, cast

from handrail_upload.digests import BLOCK, Digest
from handrail_upload.errors import StorageError
from handrail_upload.manifest import SourceFile
from handrail_upload.storage.putting import Put, part_size_for
from handrail_upload.storage.requests import MARK, Requests, bare
from handrail_upload.storage.sending import Sending
from handrail_upload.storage.storage import Owner, Storage
from handrail_upload.storage.stored import Capabilities, Listed, Stored
from handrail_upload.storage.target import Target
from handrail_upload.storage.unfinished import abort_unfinished

_LARGEST_COPY = 5 << 30  # Bytes that S3 copies in one request.
_LOOKS = 16  # Questions about single objects that are under way at a time.
_PROBE = b"handrail asks whether it may write here\n"


class ObjectStorage(Storage):
    """Objects below one prefix of a bucket."""

    lag = 1.0

    def __init__(self, target: Target, *, retries: int) -> None:
        self.url, self.address = target.shown, target.address
        self.capabilities = Capabilities(create_only=False, etag_is_md5=False, marks=True)
        self._target = target
        self._requests = Requests(target, retries)
        self._prefix = self._requests.prefix

    # Setting up

    def reach(self) -> None:
        """Ask for an object; a refusal is an answer too, and writing will tell more about it."""
        requests = self._requests
        try:
            requests.again(self.url, lambda: requests.ask(".handrail-reach"), retries=2)
        except StorageError as error:
            if error.passing:
                raise

    def prepare(self, record: Callable[[str], None]) -> None:
        """Nothing has to be made: there are no folders, and buckets are made by their owners."""

    def withdraw(self, made: Iterable[str]) -> None:
        """Nothing was made."""

    def probe(self, key: str, mark: str) -> Capabilities:
        """Put a small object twice, look at it, and delete it."""
        requests = self._requests
        attributes = requests.attributes_of(key, {MARK: mark})
        etag = requests.again(self.url, lambda: requests.put(key, _PROBE, attributes, "overwrite"))
        create_only = requests.again(self.url, lambda: self._refuses_to_replace(key, mark))
        found = self.stat(key)
        if found is None:
            raise StorageError(f"{key}: what was just written is not there (at {self.url})")
        self.delete([key])
        if found.mark != mark:
            raise StorageError(
                f"{self.url} does not keep user metadata, so what a run has made could not be told "
                "from what others have",
                ways_out=("give another target",),
            )
        digest = Digest()
        digest.update(_PROBE)
        self.capabilities = Capabilities(
            create_only=create_only, etag_is_md5=etag == digest.etag, marks=True
        )
        return self.capabilities

    def _refuses_to_replace(self, key: str, mark: str) -> bool:
        from obstore.exceptions import AlreadyExistsError, NotSupportedError  # noqa: PLC0415

        try:
            attributes = self._requests.attributes_of(key, {MARK: mark})
            self._requests.put(key, _PROBE, attributes, "create")
        except AlreadyExistsError:
            return True
        except NotSupportedError:
            pass
        return False

    def clear_probe(self, key: str, mark: str) -> None:
        """Delete the small object."""
        if self.owner(key, mark, None) == "ours":
            self.delete([key])

    # Looking

    def stat(self, key: str) -> Stored | None:
        """Ask for the metadata of one object."""
        return self._requests.again(key, lambda: self._requests.ask(key))

    def look_up(self, keys: Sequence[str]) -> dict[str, Listed]:
        """List the part of the bucket that holds the keys; single questions where it is crowded."""
        found, rest = self._from_listing(sorted(keys))
        with ThreadPoolExecutor(_LOOKS) as pool:
            for stored in pool.map(self.stat, rest):
                if stored is not None:
                    found[stored.key] = stored
        return found

    def _from_listing(self, keys: list[str]) -> tuple[dict[str, Listed], list[str]]:
        """Return what a listing shows of `keys`, which are sorted, and the keys it left out."""
        import obstore  # noqa: PLC0415 - a compiled client, loaded when it is used
        from obstore.exceptions import InvalidPathError  # noqa: PLC0415

        if len(keys) <= _LOOKS:
            return {}, keys
        wanted, found, seen, last = set(keys), dict[str, Listed](), 0, ""
        first, end = self._prefix + keys[0], self._prefix + keys[-1]
        # Others may have keys that this client does not take, such as `a//b`; there it gives up.
        with self._requests.told(f"listing {self.url}"), suppress(InvalidPathError):
            # The offset itself is left out of a listing, so it is cut short.
            batches = cast(
                "Any", obstore
            ).list(  # Its overloads name a type that is not there.
                self._requests.patient, prefix=self._prefix or None, offset=first[:-1] or None
            )
            for batch in batches:
                for meta in batch:
                    last = meta["path"]
                    key = last[len(self._prefix) :]
                    if key in wanted:
                        etag = bare(meta["e_tag"])
                        found[key] = Listed(key=key, size=meta["size"], etag=etag)
                seen += len(batch)
                if last >= end:
                    return found, []
                if seen > 1000 + 4 * len(keys):
                    break
            else:
                return found, []
        return found, [key for key in keys if self._prefix + key > last]

    def digest_for(self, size: int, part_size: int) -> Digest:
        """Return a digest that makes the ETag too, as if this upload had put the file."""
        return Digest(part_size_for(size, part_size))

    def equals(self, stored: Listed, digest: Digest, file: SourceFile) -> bool:
        """Compare ETags, else the SHA-256 that was noted, else the content itself."""
        if stored.size != digest.size:
            return False
        if stored.etag is not None and stored.etag == digest.etag:
            return True
        known = stored if isinstance(stored, Stored) else self.stat(stored.key)
        if known is None:
            return False
        if known.sha256 is not None:
            return known.sha256 == digest.sha256
        return self.content_sha256(stored.key) == digest.sha256

    def content_sha256(self, key: str) -> str:
        """Read an object and return the SHA-256 of its content, in hexadecimal digits."""
        import obstore  # noqa: PLC0415 - see above

        digest = Digest(etag=False)
        with self._requests.told(key):
            for block in obstore.get(self._requests.patient, self._prefix + key).stream(BLOCK):
                digest.update(memoryview(block))
        return digest.sha256

    # Putting

    def put(self, file: SourceFile, sending: Sending, replacing: Listed | None = None) -> Stored:
        """Put a small file at once, a large one in parts."""
        return Put(
            requests=self._requests,
            capabilities=self.capabilities,
            file=file,
            sending=sending,
            replacing=replacing,
        ).run()

    def in_parts(self, size: int, part_size: int) -> bool:
        """Return whether such a file is sent in parts."""
        return part_size_for(size, part_size) is not None

    def flush(self) -> None:
        """What an object storage has taken, it has taken."""

    def settle(self, keys: Iterable[str], run: str) -> None:
        """Nothing was made for the time being."""

    # Undoing

    def abort_unfinished(self, keys: Collection[str], run: str) -> None:
        """Abort uploads in parts of these keys that are not older than the run."""
        if self._target.scheme == "s3" and keys:
            abort_unfinished(self._target, {self._prefix + key for key in keys}, run)

    def owner(self, key: str, mark: str, known: tuple[int, ...] | None) -> Owner:
        """Tell by the mark."""
        found = self.stat(key)
        if found is None:
            return "absent"
        return "ours" if found.mark == mark else "foreign"

    def delete(self, keys: Sequence[str]) -> None:
        """Delete up to a thousand objects in each request."""
        import obstore  # noqa: PLC0415 - see above

        client = self._requests.patient
        for start in range(0, len(keys), 1000):
            some = keys[start : start + 1000]
            with self._requests.told(f"deleting {some[0]}"):
                try:
                    obstore.delete(client, [self._prefix + key for key in some])
                except FileNotFoundError:
                    # Some storages say so when an object is not there, and then stop.
                    for key in some:
                        with suppress(FileNotFoundError):
                            obstore.delete(client, self._prefix + key)

    def aside_name(self, key: str, run: str) -> str:
        """Return the key below `.handrail/<run>/`."""
        return self._target.aside_name(key, run)

    def set_aside(self, key: str, name: str) -> None:
        """Copy the object within the storage, with its metadata."""
        self._copy(key, name)

    def put_back(self, key: str, name: str) -> bool:
        """Copy the object back."""
        if self.stat(name) is None:
            return False
        self._copy(name, key)
        return True

    def discard(self, names: Sequence[str]) -> None:
        """Delete the copies."""
        self.delete(names)

    def _copy(self, key: str, other: str) -> None:
        import obstore  # noqa: PLC0415 - see above

        client = self._requests.patient
        source, target = self._prefix + key, self._prefix + other
        with self._requests.told(key):
            answer = obstore.get(client, source, options={"head": True})
            size, mark = answer.meta["size"], answer.attributes.get(self._requests.spelled(MARK))

            def arrived() -> bool:
                found = self.stat(other)
                return found is not None and (found.size, found.mark) == (size, mark)

            if size <= _LARGEST_COPY:
                obstore.copy(client, source, target)
                if arrived():  # There are servers that say yes, and copy nothing.
                    return
            asyncio.run(self._copy_through_here(source, target))
            if not arrived():
                raise StorageError(f"{key}: it cannot be copied (at {self.url})")

    async def _copy_through_here(self, source: str, target: str) -> None:
        """Copy what is too large for one request of the server; nothing of it is kept here."""
        import obstore  # noqa: PLC0415 - see above

        client = self._requests.patient
        content = await obstore.get_async(client, source)
        await obstore.put_async(
            client,
            target,
            content.stream(64 * BLOCK),
            attributes=content.attributes,
            chunk_size=64 * BLOCK,
            max_concurrency=1,
        )
