"""What was stored is compared with what was sent, by all that a server reports."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from handrail_upload.errors import StorageError
from handrail_upload.storage import open_storage

MIB = 1 << 20
MARK = "0198-run/upload_files"


def spoil_etag(answer):
    """Report the ETag of something else, in the header or in the body."""
    wrong = hashlib.md5(b"something else").hexdigest()
    if "ETag" in answer.headers:
        answer.headers["ETag"] = f'"{wrong}"'
    begin, tag, rest = answer.body.partition(b"<ETag>")
    if tag:
        answer.body = begin + tag + f'"{wrong}-2"'.encode() + rest[rest.index(b"</ETag>") :]


def test_other_etag_is_noticed(storage, wire, source, sending):
    """Where ETags tell the content, another one means that something else has arrived."""
    wire.change("PUT", spoil_etag)
    with pytest.raises(StorageError, match=r"a/b: what arrived at s3://.* is not what was sent"):
        storage.put(source("a/b", b"hello"), sending())
    assert len(wire.seen("PUT")) == 1


def test_other_etag_of_parts_is_noticed(storage, wire, source, sending, content_of):
    """That holds for what is sent in parts as well."""
    wire.change("POST", spoil_etag)
    with pytest.raises(StorageError, match=r"a/b: what arrived at s3://.* is not what was sent"):
        storage.put(source("a/b", content_of(6 * MIB)), sending())


def test_etag_that_is_no_md5_is_not_believed(wire, bucket, source, sending):
    """A storage whose ETags are something else, as under KMS, is noticed and gets on."""
    wire.change("PUT", spoil_etag)
    storage = open_storage(f"s3://{bucket}/deep", retries=2)
    assert not storage.probe(".handrail-probe", MARK).etag_is_md5
    wire.requests.clear()
    stored = storage.put(source("a/b", b"hello"), sending())
    assert stored.etag == hashlib.md5(b"something else").hexdigest()
    assert [each.method for each in wire.requests] == ["PUT", "HEAD"]


@pytest.mark.parametrize("size", [11, 6 * MIB], ids=["small", "large"])
def test_other_size_is_noticed(wire, bucket, source, sending, content_of, size):
    """Where ETags tell nothing, the size is compared at least."""
    wire.change("PUT", spoil_etag)
    storage = open_storage(f"s3://{bucket}/deep", retries=2)
    storage.probe(".handrail-probe", MARK)
    wire.rules.clear()

    def shorten(answer):
        if answer.status == 200:
            answer.headers["Content-Length"] = "3"

    wire.change("HEAD", shorten)
    with pytest.raises(StorageError, match="is not what was sent"):
        storage.put(source("a/b", content_of(size)), sending())


def test_object_that_vanishes_is_noticed(wire, bucket, source, sending, answer):
    """A server that says yes and keeps nothing is found out."""
    wire.change("PUT", spoil_etag)
    storage = open_storage(f"s3://{bucket}/deep", retries=2)
    storage.probe(".handrail-probe", MARK)
    wire.rules.insert(0, lambda request, _: answer(404) if request.method == "HEAD" else None)
    with pytest.raises(StorageError, match="is not what was sent"):
        storage.put(source("a/b", b"hello"), sending())


# The probe


def test_storage_without_metadata_is_refused(wire, bucket):
    """Without its mark no object could be told from those of others, so nothing is begun."""

    def forget(answer):
        for name in list(answer.headers):
            if name.lower().startswith("x-amz-meta-"):
                del answer.headers[name]

    wire.change("HEAD", forget)
    storage = open_storage(f"s3://{bucket}/deep", retries=2)
    with pytest.raises(StorageError, match="does not keep user metadata") as caught:
        storage.probe(".handrail-probe", MARK)
    assert caught.value.ways_out == ("give another target",)


def test_storage_that_keeps_nothing_is_refused(wire, bucket, answer):
    """What was just written has to be there."""
    wire.rules.append(lambda request, _: answer(404) if request.method == "HEAD" else None)
    storage = open_storage(f"s3://{bucket}/deep", retries=2)
    with pytest.raises(StorageError, match="what was just written is not there"):
        storage.probe(".handrail-probe", MARK)


def test_probe_that_died_is_cleared(storage, wire, bucket, moto):
    """What a probe has left is deleted by its mark."""
    wire.refuse("DELETE", 403, "AccessDenied")
    wire.refuse("POST", 403, "AccessDenied")
    with pytest.raises(StorageError, match="AccessDenied"):
        storage.probe(".handrail-probe", MARK)
    wire.rules.clear()
    storage.clear_probe(".handrail-probe", "0199-run/upload_files")
    assert moto.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    storage.clear_probe(".handrail-probe", MARK)
    assert moto.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 0


# Comparing


@pytest.fixture
def equals(storage, digest):
    """Compare what is stored with a content, by what a listing shows of it."""

    def _equals(file, content: bytes, part_size: int = 5 * MIB) -> bool:
        listed = storage.look_up([file.key])[file.key]
        return storage.equals(listed, digest(storage, content, part_size), file)

    return _equals


def test_content_with_the_same_etag_is_not_read(storage, wire, source, sending, content_of, equals):
    """It was looked up already, and costs no further request."""
    file = source("a", content_of(6 * MIB))
    storage.put(file, sending())
    wire.requests.clear()
    assert equals(file, content_of(6 * MIB))
    assert [each.method for each in wire.requests] == ["HEAD"]


def test_other_size_costs_no_request(storage, wire, source, sending, equals):
    """What is longer cannot be equal."""
    file = source("a", b"hello")
    storage.put(file, sending())
    wire.requests.clear()
    assert not equals(file, b"hello!")
    assert [each.method for each in wire.requests] == ["HEAD"]


def test_noted_checksum_is_believed(storage, wire, source, sending, content_of, equals):
    """Where the ETags cannot be compared, the checksum that the object carries tells."""
    content = content_of(6 * MIB)
    file = source("a", content)
    storage.put(file, dataclasses.replace(sending(), part_size=8 * MIB))
    for part_size in 5 * MIB, 6 * MIB - 1:
        assert equals(file, content, part_size)
        assert not equals(file, content[:-1] + b"!", part_size)
    assert wire.seen("GET") == []


def test_other_content_in_the_same_parts_is_not_read(
    storage, wire, bucket, source, sending, content_of, equals
):
    """Another ETag means another content, where it was sent from here in such parts."""
    content = content_of(11 * MIB)
    file = source("a", content)
    storage.put(file, sending())
    wire.requests.clear()
    assert not equals(file, content[:-1] + b"!")
    assert wire.seen("GET") == []


@pytest.mark.parametrize(("largest", "reads"), [(64 * MIB, 0), (MIB, 2)])
def test_a_copy_is_compared_by_its_parts(
    storage, wire, source, sending, content_of, equals, monkeypatch, largest, reads
):
    """What came back by a copy has the same parts, or it is read."""
    content = content_of(11 * MIB)
    file = source("a", content)
    storage.put(file, sending())
    # There are servers that say yes, and copy nothing.
    monkeypatch.setattr("obstore.copy", lambda *_: None)
    monkeypatch.setattr("handrail_storage.backend.objects._LARGEST_PART", largest)
    storage.set_aside("a", "aside/a")
    storage.delete(["a"])
    assert storage.put_over("aside/a", "a", None)
    wire.requests.clear()
    assert equals(file, content)
    assert not equals(file, content[:-1] + b"!")
    assert len(wire.seen("GET")) == reads


def test_content_of_others_is_read(storage, wire, source, bucket, moto, content_of, equals):
    """An object in parts of another size, without a checksum, is read back once."""
    content, client = content_of(7 * MIB), moto.client()
    where = {"Bucket": bucket, "Key": "deep/a"}
    upload = {**where, "UploadId": client.create_multipart_upload(**where)["UploadId"]}
    parts = []
    for number, part in enumerate((content[: 6 * MIB], content[6 * MIB :]), 1):
        sent = client.upload_part(**upload, PartNumber=number, Body=part)
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})

    file = source("a", content)
    assert equals(file, content)
    assert len(wire.seen("GET")) == 1
    assert not equals(file, content[:-1] + b"!")
    assert len(wire.seen("GET")) == 2
    assert equals(file, content, 6 * MIB)
    assert len(wire.seen("GET")) == 2
