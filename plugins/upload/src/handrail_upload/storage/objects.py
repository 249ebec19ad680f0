"""An object storage as the target: files are sent with a rate limit, and compared by ETag."""

from __future__ import annotations

from handrail_storage import Listed, Stored
from handrail_storage.backend import ObjectStore
from handrail_upload.digests import Digest
from handrail_upload.errors import StorageError
from handrail_upload.manifest import SourceFile
from handrail_upload.storage.putting import Put, part_size_for
from handrail_upload.storage.sending import Sending
from handrail_upload.storage.storage import Storage

_LONGEST = 1024  # Bytes of a key, by S3 and Google Cloud Storage.


class ObjectStorage(ObjectStore, Storage):
    """Objects below one prefix of a bucket."""

    # Setting up

    def reach(self) -> None:
        """Request an object; a refusal is an answer too, and a write gives a better error."""
        try:
            self.requests.reach(retries=2)
        except StorageError as error:
            if error.passing or error.no_place:
                raise

    # Looking

    def digest_for(self, size: int, part_size: int) -> Digest:
        """Return a digest that computes the ETag too, as if this upload had put the file."""
        return Digest(part_size_for(size, part_size))

    def equals(self, stored: Listed, digest: Digest, file: SourceFile) -> bool:
        """Compare the ETags, or the recorded SHA-256, or the content itself."""
        if stored.size != digest.size:
            return False
        if stored.etag is not None and stored.etag == digest.etag:
            return True
        known = stored if isinstance(stored, Stored) else self.stat(stored.key)
        if known is None:
            return False
        if known.sha256 is not None:
            return known.sha256 == digest.sha256
        if self._tells_apart(known, digest):
            return False
        return self.content_sha256(stored.key) == digest.sha256

    def _tells_apart(self, known: Stored, digest: Digest) -> bool:
        """Return whether another ETag means another content, so that it need not be read.

        That is so for what was sent in parts of the same size, as it was checked by its ETag then.
        A copy within the storage may have other parts.
        """
        sent = known.mark is not None and known.part_size is not None
        alike = known.part_size == digest.part_size and _parts(known.etag) == _parts(digest.etag)
        return self.capabilities.etag_is_md5 and sent and alike

    # Putting

    def put(self, file: SourceFile, sending: Sending, replacing: Listed | None = None) -> Stored:
        """Put a small file at once, a large one in parts."""
        return Put(
            requests=self.requests,
            capabilities=self.capabilities,
            file=file,
            sending=sending,
            replacing=replacing,
        ).run()

    def is_too_long(self, key: str) -> bool:
        """Measure it with what stands before it in the bucket."""
        return len(self.requests.path(key).encode()) > _LONGEST

    def may_leave_parts(self, size: int, part_size: int) -> bool:
        """Return whether such a file is sent in parts."""
        return part_size_for(size, part_size) is not None


def _parts(etag: str | None) -> str:
    """Return the number of parts that an ETag has at its end; empty for none."""
    return "" if etag is None else etag.partition("-")[2]
