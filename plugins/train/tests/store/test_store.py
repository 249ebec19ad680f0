"""Every store keeps the same promises: create-only, marked, and each run deletes its own alone."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path
from typing import Any

import pytest

from handrail_storage import Store
from handrail_train.errors import StorageError
from handrail_train.store import create, open_store

OURS, THEIRS = "run-1/upload_model", "run-2/upload_model"


def _bucket(server: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    bucket = f"models-{uuid.uuid4().hex[:8]}"
    server.client().create_bucket(Bucket=bucket)
    return f"s3://{bucket}/kept/here"


@pytest.fixture(
    params=["folder", "memory", "moto", pytest.param("radosgw", marks=pytest.mark.slow)]
)
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place for models that is empty."""
    if request.param == "folder":
        return str(tmp_path / "models")
    if request.param == "memory":
        return f"memory://{uuid.uuid4().hex}/kept"
    return _bucket(request.getfixturevalue(request.param), monkeypatch)


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)


def keys(store: Store, prefix: str) -> list[str]:
    return sorted(each.key for each in store.listing(prefix))


def test_what_is_created_is_read_listed_and_deleted(store: Store) -> None:
    assert store.read("objects/a.txt") is None
    assert keys(store, "objects/") == []
    assert create(store, "objects/b.txt", b"two", OURS)
    assert create(store, "objects/a.txt", b"one", OURS)
    assert store.read("objects/a.txt") == b"one"
    assert keys(store, "objects/") == ["objects/a.txt", "objects/b.txt"]
    assert keys(store, "versions/") == []
    store.delete(["objects/a.txt", "objects/never.txt"])
    assert keys(store, "objects/") == ["objects/b.txt"]


def test_nothing_is_replaced(store: Store) -> None:
    assert create(store, "a", b"theirs", THEIRS)
    assert not create(store, "a", b"ours", OURS)
    assert store.read("a") == b"theirs"
    found = store.stat("a")
    assert found is not None
    assert found.mark == THEIRS


def test_what_was_created_by_the_same_run_before_counts(store: Store) -> None:
    assert create(store, "a", b"ours", OURS)
    assert create(store, "a", b"ours", OURS)
    assert not create(store, "a", b"something else", OURS)
    assert store.read("a") == b"ours"


def test_a_mark_outlives_the_process(store: Store, url: str) -> None:
    create(store, "x/a", b"ours", OURS)
    found = open_store(url).stat("x/a")
    assert found is not None
    assert found.mark == OURS


def test_a_folder_shows_only_what_was_stored_and_goes_when_it_is_empty(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "deep" / "models"))
    folders: list[str] = []
    store.prepare(folders.append)
    folders += store.missing_folders(["objects/a", "objects/b"])
    assert [Path(each).name for each in folders] == ["deep", "models", "objects"]
    create(store, "objects/a", b"1", OURS)
    assert keys(store, "objects/") == ["objects/a"]
    assert list(tmp_path.rglob("*tmp-*")) == []
    store.withdraw(folders)
    assert store.read("objects/a") == b"1"
    store.delete(["objects/a"])
    store.withdraw(folders)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(StorageError, match=r"objects/a: .*\(at "):
        create(open_store(str(tmp_path / "models")), "objects/a", b"1", OURS)


def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an undo would take what other versions need for what nobody needs."""
    store = open_store(str(tmp_path))
    create(store, "versions/a/1.json", b"1", OURS)
    scandir: Any = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "versions":
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(StorageError, match="Permission denied"):
        keys(store, "versions/")


def test_an_undo_asks_nothing_of_a_file_system_for_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that can only be read refuses to delete even that."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    store = open_store(str(tmp_path / "models"))
    monkeypatch.setattr(os, "unlink", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    store.delete(["objects/a"])
    store.abort_unfinished(["objects/a"], "run-1")


def test_a_bucket_that_is_not_there_is_told(moto: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _bucket(moto, monkeypatch)
    with pytest.raises(StorageError, match=r"(?s)NoSuchBucket.*make the bucket first"):
        create(open_store("s3://no-such-bucket/x", retries=0), "a", b"1", OURS)


def test_a_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    with pytest.raises(StorageError, match="cannot be reached") as error:
        open_store("s3://bucket/x", retries=0).read("a")
    assert error.value.passing


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("ftp://x/y", "no storage is known as ftp://"),
        ("s3:/bucket/x", "s3:/bucket/x is no URL"),
        ("s3://", "names no bucket"),
        ("az:///x", "names no container"),
        ("s3://id:secret@bucket/x", "a secret in the store"),
        ("  ", "the store is empty"),
    ],
)
def test_targets_that_make_no_sense_are_told(target: str, said: str) -> None:
    with pytest.raises(StorageError, match=said) as error:
        open_store(target)
    assert "secret@" not in str(error.value)
