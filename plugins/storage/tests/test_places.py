"""What people write for a place."""

from __future__ import annotations

import os

import pytest

from handrail_storage import Place, StorageError, open_store, parse_place
from handrail_storage.backend import LocalStore, make_client


@pytest.mark.parametrize(
    ("written", "scheme", "bucket", "path", "shown"),
    [
        ("s3://b", "s3", "b", "", "s3://b"),
        ("s3://b/", "s3", "b", "", "s3://b"),
        ("s3://b//p/", "s3", "b", "p", "s3://b/p"),
        ("s3://b/p//q", "s3", "b", "p/q", "s3://b/p/q"),
        ("S3://B/P", "s3", "B", "P", "s3://B/P"),
        ("s3://b/a b#c?d=e%20", "s3", "b", "a b#c?d=e%20", "s3://b/a b#c?d=e%20"),
        ("gs://b/p", "gs", "b", "p", "gs://b/p"),
        ("az://c/p", "az", "c", "p", "az://c/p"),
        ("memory://", "memory", "", "", "memory://"),
        ("memory://m", "memory", "m", "", "memory://m"),
        ("memory:///p", "memory", "", "p", "memory:///p"),
        ("memory://m/p/", "memory", "m", "p", "memory://m/p"),
    ],
)
def test_url_is_taken_apart(written, scheme, bucket, path, shown):
    """Slashes that say nothing are left out, and nothing else is changed."""
    assert parse_place(written) == Place(scheme=scheme, bucket=bucket, path=path, shown=shown)


@pytest.mark.parametrize("written", ["s3://b//p/", "memory://", "memory:///p", "az://c", "S3://b"])
def test_what_is_shown_is_the_same_target(written):
    """What is recorded and shown leads back to the same place."""
    target = parse_place(written)
    assert parse_place(target.shown) == target


@pytest.mark.parametrize(
    ("written", "path", "shown"),
    [
        ("data", "{here}/data", "data"),
        ("data/", "{here}/data", "data"),
        ("./data/../more", "{here}/more", "./data/../more"),
        ("..", "{above}", ".."),
        ("/", "/", "/"),
        ("/srv/data//", "/srv/data", "/srv/data"),
        ("~", "{home}", "~"),
        ("~/data", "{home}/data", "~/data"),
        ("data:/x", "{here}/data:/x", "data:/x"),
        ("a b#c?d%20", "{here}/a b#c?d%20", "a b#c?d%20"),
        ("file:///srv/data/", "/srv/data", "/srv/data"),
        ("file://localhost/srv/data", "/srv/data", "/srv/data"),
        ("FILE:///srv/a%20b%25", "/srv/a b%", "/srv/a b%"),
        ("file:///srv/~/a", "/srv/~/a", "/srv/~/a"),
    ],
)
def test_folder_is_made_absolute(tmp_path, monkeypatch, home, written, path, shown):
    """It is the same folder from wherever it is opened later, and shown as it was written."""
    monkeypatch.chdir(tmp_path)
    here = {"here": tmp_path, "above": tmp_path.parent, "home": home}
    expected = Place(scheme="file", bucket="", path=path.format(**here), shown=shown)
    assert parse_place(written) == expected


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("s3:///x", "s3:///x names no bucket"),
        ("s3://", "s3:// names no bucket"),
        ("az://", "az:// names no container"),
        ("s3://b/../x", "'.' and '..' have no meaning in an object storage"),
        ("s3://b/x/./y", "'.' and '..' have no meaning in an object storage"),
        ("ftp://h/x", "no storage is known as ftp://"),
        ("s3a://b/x", "no storage is known as s3a://"),
        ("s3:/b/p", "s3:/b/p is no URL, since it has no two slashes\n  write s3://b/p"),
        ("GS:b", "write GS://b\n  a folder of that name is ./GS:b"),
        ("file:/srv", "write file:///srv"),
        ("", "the target is empty"),
        ("file://", "the target is empty"),
    ],
)
def test_what_makes_no_sense_is_refused(written, told):
    """The message says what is wrong with it."""
    with pytest.raises(StorageError) as caught:
        parse_place(written)
    assert told in "\n  ".join((caught.value.message, *caught.value.ways_out))


def test_missing_bucket_is_told_with_a_way_out():
    """What to write is shown."""
    with pytest.raises(StorageError) as caught:
        parse_place("az://")
    assert caught.value.ways_out == ("write az://CONTAINER/PATH",)


def test_file_of_another_machine_is_refused():
    """What stands between the slashes is a machine, not a folder."""
    with pytest.raises(StorageError, match="machine"):
        parse_place("file://server/share")


def test_folder_is_opened_without_the_client_of_clouds(tmp_path):
    """A local target does not load it, which takes a while."""
    storage = open_store(str(tmp_path))
    assert isinstance(storage, LocalStore)
    assert storage.address == str(tmp_path)


def test_relative_folder_is_recorded_absolute(tmp_path, monkeypatch):
    """An undo from another folder finds it."""
    monkeypatch.chdir(tmp_path)
    storage = open_store("data")
    assert (storage.url, storage.address) == ("data", os.path.join(tmp_path, "data"))


@pytest.mark.parametrize("target", ["memory://", "memory://m/p"])
def test_memory_is_the_same_for_all_who_open_it(target):
    """Within one process, what one puts another one finds; by the recorded address too."""
    import obstore

    storage = open_store(target)
    client = make_client(parse_place(target), retries=0)
    prefix = "p/" if target.endswith("p") else ""
    obstore.put(client, f"{prefix}shared", b"123")
    assert storage.stat("shared").size == 3
    assert open_store(storage.address).stat("shared").size == 3
    storage.delete(["shared"])
