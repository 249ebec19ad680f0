"""Checksums are the same however the content comes in."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from handrail_upload.digests import Digest

blocks = st.lists(st.binary(max_size=40), max_size=12)
part_sizes = st.none() | st.integers(min_value=1, max_value=50)


def etag_by_the_book(content: bytes, part_size: int | None) -> str:
    """Return the ETag as S3 makes it: of the whole, or of the checksums of its parts."""
    if part_size is None:
        return hashlib.md5(content).hexdigest()
    starts = range(0, max(len(content), 1), part_size)
    parts = [hashlib.md5(content[start : start + part_size]).digest() for start in starts]
    return f"{hashlib.md5(b''.join(parts)).hexdigest()}-{len(parts)}"


@given(blocks, part_sizes)
def test_blocks_do_not_matter(fed, part_size):
    """Any split of a content gives the checksums of the content."""
    digest, content = Digest(part_size), b"".join(fed)
    for block in fed:
        digest.update(block)
    assert digest.sha256 == hashlib.sha256(content).hexdigest()
    assert digest.etag == etag_by_the_book(content, part_size)
    assert digest.size == len(content)


@given(blocks, part_sizes)
def test_looking_changes_nothing(fed, part_size):
    """Checksums may be asked for at any time, as often as anybody likes."""
    digest, sofar = Digest(part_size), b""
    for block in fed:
        sofar += block
        digest.update(block)
        assert digest.etag == digest.etag == etag_by_the_book(sofar, part_size)
        assert digest.sha256 == digest.sha256 == hashlib.sha256(sofar).hexdigest()


@given(st.binary(min_size=1, max_size=100), part_sizes)
def test_any_kind_of_bytes_will_do(content, part_size):
    """What is read into a buffer need not be copied."""
    etags = set()
    for kind in bytes, bytearray, memoryview:
        digest = Digest(part_size)
        digest.update(kind(content))
        etags.add(digest.etag)
        assert digest.size == len(content)
    assert len(etags) == 1


def test_etag_may_be_left_out():
    """It takes longer than the checksum proper, and a folder has no use for it."""
    digest = Digest(5, etag=False)
    digest.update(b"more than five")
    assert digest.etag is None
    assert digest.sha256 == hashlib.sha256(b"more than five").hexdigest()


def test_etags_are_those_of_the_documentation():
    """Two values worked out by other tools."""
    digest = Digest()
    digest.update(b"hello world")
    assert digest.etag == "5eb63bbbe01eeed093cb22bb8f5acdc3"
    digest = Digest(5)
    digest.update(b"hello world")
    assert digest.etag == etag_by_the_book(b"hello world", 5)
    assert digest.etag.endswith("-3")
