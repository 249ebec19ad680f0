"""Looking at a million keys must not take a million requests, nor read a whole crowded bucket."""

from __future__ import annotations

import pytest

from handrail_upload.storage import open_storage

KEYS = [f"k{number:03}" for number in range(16)]


@pytest.fixture
def leave(moto, bucket):
    """Store small objects, as somebody else would."""
    client = moto.client()

    def _leave(*keys: str) -> None:
        for key in keys:
            client.put_object(Bucket=bucket, Key=f"deep/{key}", Body=b"1")

    return _leave


def test_few_keys_are_asked_for_one_by_one(storage, wire, leave):
    """A listing might show thousands of others in between."""
    leave(*KEYS[::2])
    assert sorted(storage.look_up(KEYS)) == KEYS[::2]
    assert sorted(each.name for each in wire.seen("HEAD")) == KEYS
    assert wire.seen("GET") == []


def test_many_keys_take_one_listing(storage, wire, leave):
    """All of a folder costs one request, which begins just before the first of them."""
    leave("a", *KEYS, "k015x", "k016", "z")
    assert sorted(storage.look_up([*KEYS, "k016"])) == [*KEYS, "k016"]
    [listing] = wire.requests
    assert listing.query["list-type"] == ["2"]
    assert listing.query["prefix"] == ["deep/"]
    assert listing.query["start-after"] == ["deep/k00"]


def test_crowded_prefix_is_not_read_to_its_end(storage, wire, answer, leave):
    """Where a million others lie in between, the listing is given up for single questions."""
    others = (f"k000-{number:07}" for number in range(1_000_000))

    def crowd(request, _forward):
        if request.method != "GET":
            return None
        keys = [next(others) for _ in range(1000)]
        if len(wire.seen("GET")) == 1:
            keys[0] = KEYS[0]
        found = "".join(
            f"<Contents><Key>deep/{key}</Key><Size>1</Size><ETag>&quot;1&quot;</ETag>"
            "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in keys
        )
        more = "<IsTruncated>true</IsTruncated><NextContinuationToken>1</NextContinuationToken>"
        return answer(200, {}, f"<ListBucketResult>{more}{found}</ListBucketResult>".encode())

    wire.rules.append(crowd)
    leave(*KEYS[9:])
    wanted = [*KEYS, "k016"]
    assert sorted(storage.look_up(wanted)) == [KEYS[0], *KEYS[9:]]
    assert len(wire.seen("GET")) <= 3
    assert sorted(each.name for each in wire.seen("HEAD")) == wanted[1:]


def test_top_of_a_bucket_is_listed_too(wire, bucket, moto):
    """A target without a path has no prefix to list."""
    client = moto.client()
    for key in KEYS:
        client.put_object(Bucket=bucket, Key=key, Body=b"1")
    storage = open_storage(f"s3://{bucket}", retries=2)
    assert sorted(storage.look_up([*KEYS, "k016"])) == KEYS
    [listing] = wire.requests
    assert "prefix" not in listing.query
    # An offset cut from a name of one letter is empty, and asks for everything.
    letters = "ABCDEFGHIJKLMNOPQ"
    client.put_object(Bucket=bucket, Key="B", Body=b"1")
    assert list(storage.look_up(list(letters))) == ["B"]
