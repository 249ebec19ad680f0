"""Puts one file into an object storage: a small one at once, a large one in parts."""

from __future__ import annotations

from handrail.frozen import frozen
from handrail_storage import Capabilities, Listed, Stored
from handrail_storage.backend import (
    MARK,
    PART_SIZE,
    SHA256,
    Requests,
    bare,
    must_be_free,
    put_unless_taken,
)
from handrail_upload.digests import BLOCK, Digest
from handrail_upload.errors import StorageError
from handrail_upload.manifest import SourceFile
from handrail_upload.pace import StoppedError
from handrail_upload.storage.sending import Sending

_MOST_PARTS = 10_000  # Of one object, by S3.


def part_size_for(size: int, wanted: int) -> int | None:
    """Return the bytes of each part of a file of `size` bytes; None if it is put at once."""
    if size <= wanted:
        return None
    smallest = -(-size // _MOST_PARTS)
    return max(wanted, -(-smallest // BLOCK) * BLOCK)


@frozen
class Put:
    """The upload of one file.

    Attributes:
        requests: The storage.
        capabilities: The capabilities of the storage.
        file: The file.
        sending: The settings of the transfer.
        replacing: The stored object that may be replaced; None for none.
    """

    requests: Requests
    capabilities: Capabilities
    file: SourceFile
    sending: Sending
    replacing: Listed | None

    def run(self) -> Stored:
        """Put the file, and check it; for exceptions, see `Storage.put`."""
        part_size = part_size_for(self.file.size, self.sending.part_size)
        if part_size is None:
            with self.sending.budget.of(self.file.size):
                return self._whole()
        with self.sending.budget.of(part_size * (self.sending.part_concurrency + 2)):
            return self._in_parts(part_size)

    def _whole(self) -> Stored:
        key, mark = self.file.key, self.sending.mark
        content, digest = self.sending.whole(self.file), Digest()
        digest.update(content)
        etag = put_unless_taken(
            self.requests,
            self.capabilities,
            key,
            content,
            self.requests.attributes_of(key, {MARK: mark, SHA256: digest.sha256}),
            replacing=None if self.replacing is None else self.replacing.etag or "",
            free=self._is_free,
            ours=lambda there: (there.mark, there.sha256) == (mark, digest.sha256),
            pause=self.sending.pause,
        )
        return self._checked(digest, etag, None)

    def _in_parts(self, part_size: int) -> Stored:
        import obstore  # noqa: PLC0415 - a compiled client, loaded when it is used

        self._look()
        reading = self.sending.reading(self.file, Digest(part_size))
        marks = {MARK: self.sending.mark, PART_SIZE: str(part_size)}

        def before_last() -> None:
            # No server refuses to complete parts over an existing object, so check at the last
            # moment; the remaining gap is a matter of milliseconds.
            self._look()
            if self.sending.stop.is_set():
                raise StoppedError

        with self.requests.patiently(self.file.key):
            answer = obstore.put(
                self.requests.patient,
                self.requests.path(self.file.key),
                reading.parts(part_size, before_last),
                attributes=self.requests.attributes_of(self.file.key, marks),
                use_multipart=True,
                chunk_size=part_size,
                max_concurrency=self.sending.part_concurrency,
            )
        return self._checked(reading.digest, bare(answer["e_tag"]), part_size)

    def _is_free(self, there: Stored | None) -> bool:
        """Return whether the key is free, or has the object that may be replaced."""
        if there is None or self.replacing is None:
            return there is self.replacing
        return there.etag == self.replacing.etag

    def _look(self) -> None:
        key = self.file.key
        self.requests.again(key, lambda: must_be_free(self.requests, key, self._is_free))

    def _checked(self, digest: Digest, etag: str | None, part_size: int | None) -> Stored:
        """Compare the answer of the storage with the content that was read."""
        key, requests = self.file.key, self.requests
        if self.capabilities.etag_is_md5:
            arrived = etag == digest.etag
        else:
            found = requests.stat(key)
            arrived = found is not None and found.size == digest.size
        if not arrived:
            raise StorageError(
                f"{key}: what arrived at {requests.url} is not what was sent",
                ways_out=("look for trouble between here and there, and upload it again",),
            )
        return Stored(
            key=key,
            size=digest.size,
            etag=etag,
            mark=self.sending.mark,
            sha256=digest.sha256,
            part_size=part_size,
        )
