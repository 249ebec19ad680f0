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


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(StorageError, match=r"objects/a: .*\(at "):
        create(open_store(str(tmp_path / "models")), "objects/a", b"1", OURS)


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
        ("s3://id:secret@bucket/x", "a secret in the store"),
        ("  ", "the store is empty"),
    ],
)
def test_targets_that_make_no_sense_are_told(target: str, said: str) -> None:
    with pytest.raises(StorageError, match=said) as error:
        open_store(target)
    assert "secret@" not in str(error.value)
