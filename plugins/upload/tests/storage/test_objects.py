"""What is in the buckets afterwards, seen by another client."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import obstore
import pytest

from handrail_upload.errors import SourceError
from handrail_upload.pace import StoppedError
from handrail_upload.storage import TakenError

MIB = 1 << 20
MARK = "0198-run/upload_files"


@pytest.fixture(params=["moto", "radosgw"])
def bucket(request, open_place):
    """An empty place in each S3 server."""
    return open_place(request.param)


@pytest.fixture
def head(bucket):
    """Return what the server tells of an object."""

    def _head(key: str) -> dict:
        return bucket.client.head_object(Bucket=bucket.bucket, Key=bucket.prefix + key)

    return _head


def test_small_object_carries_the_run_and_its_checksum(bucket, head, source, sending):
    """Whoever looks at it learns who made it, and can check it."""
    bucket.storage.put(source("a", b"hello"), sending())
    assert head("a")["Metadata"] == {
        "handrail-run": MARK,
        "handrail-sha256": hashlib.sha256(b"hello").hexdigest(),
    }


def test_large_object_carries_the_run_and_its_part_size(bucket, head, source, sending, content_of):
    """Its checksum is not known when it is begun; the size of its parts explains its ETag."""
    stored = bucket.storage.put(source("a", content_of(6 * MIB)), sending())
    assert head("a")["Metadata"] == {
        "handrail-run": MARK,
        "handrail-part-size": str(5 * MIB),
    }
    assert head("a")["ETag"] == f'"{stored.etag}"'
    assert stored.etag.endswith("-2")


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, 5 * MIB + 1, 10 * MIB, 12 * MIB + 345])
def test_etag_is_what_the_server_makes_of_it(
    bucket, head, source, sending, content_of, size, digest
):
    """The ETag that is worked out here is the one that the server reports."""
    content = content_of(size)
    bucket.storage.put(source("a", content), sending())
    assert head("a")["ETag"] == f'"{digest(bucket.storage, content).etag}"'


@pytest.mark.parametrize("size", [11, 6 * MIB], ids=["small", "large"])
@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("a.png", "image/png"),
        ("a.JSON", "application/json"),
        ("a.txt", "text/plain"),
        ("a.tar.gz", "application/gzip"),
        ("a.svgz", "application/gzip"),
        ("a.csv.bz2", "application/bzip2"),
        ("a", "application/octet-stream"),
        ("a.d/b", "application/octet-stream"),
    ],
)
def test_object_has_the_content_type_of_its_name(
    open_place, source, sending, content_of, size, key, kind
):
    """A browser knows what it is; what is packed is not taken for what is packed in it."""
    place = open_place("moto")
    place.storage.put(source(key, content_of(size)), sending())
    told = place.client.head_object(Bucket=place.bucket, Key=place.prefix + key)
    assert told["ContentType"] == kind
    assert "ContentEncoding" not in told


# Nothing is left of what failed


@pytest.fixture
def moto_place(open_place):
    return open_place("moto")


@pytest.fixture
def nothing_left(moto_place):
    """Check that neither objects nor uploads in progress are left."""

    def _check(*keys: str) -> None:
        client = moto_place.client
        assert "Uploads" not in client.list_multipart_uploads(Bucket=moto_place.bucket)
        assert moto_place.keys() == list(keys)

    return _check


def test_nothing_is_left_where_somebody_was_first(
    moto_place, nothing_left, source, sending, content_of
):
    """An upload in parts that is refused before its last part is taken back."""
    seen = []

    def leave(count: int) -> None:
        seen.append(count)
        if sum(seen) == 11 * MIB:
            moto_place.leave("a", b"theirs")

    with pytest.raises(TakenError):
        moto_place.storage.put(source("a", content_of(11 * MIB)), sending(on_bytes=leave))
    nothing_left("a")


@pytest.mark.parametrize("change", ["grows", "is rewritten", "shrinks"])
def test_nothing_is_left_of_a_file_that_changes(
    moto_place, nothing_left, source, sending, content_of, change
):
    """A source that is not as it was found is not stored at all, not even in part."""
    file = source("a", content_of(12 * MIB))
    path = Path(file.path)
    seen = []

    def spoil(count: int) -> None:
        seen.append(count)
        if sum(seen) != 6 * MIB:
            return
        if change == "grows":
            with path.open("ab") as out:
                out.write(b"!")
        elif change == "shrinks":
            os.truncate(path, 8 * MIB)
        else:
            with path.open("r+b") as out:
                out.write(b"!")
            os.utime(path, ns=(file.mtime + 1, file.mtime + 1))

    with pytest.raises(SourceError, match="changed during the upload"):
        moto_place.storage.put(file, sending(on_bytes=spoil))
    nothing_left()


def test_nothing_is_left_of_what_was_stopped(moto_place, nothing_left, source, sending, content_of):
    """A stop in the middle of a file takes it back."""
    how = sending(on_bytes=lambda count: how.stop.set())
    with pytest.raises(StoppedError):
        moto_place.storage.put(source("a", content_of(12 * MIB)), how)
    nothing_left()


def test_a_new_small_object_takes_one_request(bucket, source, sending, monkeypatch):
    """It is put; only where the server puts it over any other is its key looked at before."""
    calls: list[str] = []

    def counting(name, usual):
        def counted(*given, **options):
            calls.append(name)
            return usual(*given, **options)

        return counted

    for name in ("put", "get", "head", "list", "delete"):
        monkeypatch.setattr(obstore, name, counting(name, getattr(obstore, name)))
    bucket.storage.put(source("a", b"hello"), sending())
    capabilities = bucket.storage.capabilities
    looks = ["get"] * (not capabilities.create_only)
    checks = ["get"] * (not capabilities.etag_is_md5)
    assert calls == [*looks, "put", *checks]
