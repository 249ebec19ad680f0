"""Checksums of content in one pass: SHA-256, and the ETag of S3."""

from __future__ import annotations

import hashlib
from functools import partial

BLOCK = 1 << 20  # Bytes that are read at a time.

Block = bytes | bytearray | memoryview

# Not for security, but because S3 uses it; systems in FIPS mode require the flag.
_md5 = partial(hashlib.md5, usedforsecurity=False)


class Digest:
    """Computes the SHA-256 of its input, and the ETag of S3 for it.

    For an object that is put at once the ETag is the MD5 of its content; for one in parts it is the
    MD5 of the MD5s of the parts, a dash and their number. AWS documents only the former, and
    neither applies with keys of KMS, so a storage is probed before an ETag is trusted.

    Args:
        part_size: Bytes of each part, or None for an object that is put at once.
        etag: False leaves the ETag out, which is the slower half.

    Attributes:
        part_size: As it was given.
    """

    def __init__(self, part_size: int | None = None, *, etag: bool = True) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._etag = etag
        self.part_size = part_size
        if etag:
            self._md5 = _md5()
        self._parts: list[bytes] = []
        self._in_part = 0

    def update(self, block: Block) -> None:
        """Take the next bytes of the content."""
        self._sha256.update(block)
        self.size += len(block)
        if not self._etag:
            return
        if self.part_size is None:
            self._md5.update(block)
            return
        view = memoryview(block)
        while view:
            if self._in_part == self.part_size:
                self._end_part()
            taken = view[: self.part_size - self._in_part]
            self._md5.update(taken)
            self._in_part += len(taken)
            view = view[len(taken) :]

    def _end_part(self) -> None:
        self._parts.append(self._md5.digest())
        self._md5, self._in_part = _md5(), 0

    @property
    def sha256(self) -> str:
        """The SHA-256 so far, in hexadecimal digits."""
        return self._sha256.hexdigest()

    @property
    def etag(self) -> str | None:
        """The ETag so far, without quotes; None if it was left out."""
        if not self._etag:
            return None
        if self.part_size is None:
            return self._md5.hexdigest()
        parts = [*self._parts, self._md5.digest()]
        return f"{_md5(b''.join(parts)).hexdigest()}-{len(parts)}"
