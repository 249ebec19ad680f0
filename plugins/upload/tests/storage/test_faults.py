"""What goes wrong at a real server is told in one line, with its words and a way out."""

from __future__ import annotations

import dataclasses
import socket

import pytest

from handrail_upload.errors import StorageError
from handrail_upload.storage import open_storage

MARK = "0198-run/upload_files"


@pytest.fixture
def as_user(monkeypatch):
    """Open a target with the credentials of a server."""

    def _as_user(server, target: str, *, retries: int = 2):
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        return open_storage(target, retries=retries)

    return _as_user


@pytest.fixture
def attempts(source, sending):
    """Return what a storage says to each kind of request."""

    def _attempts(storage) -> dict[str, StorageError | None]:
        calls = {
            "put": lambda: storage.put(source("a", b"1"), sending()),
            "put in parts": lambda: storage.put(source("a", bytes(6 << 20)), sending()),
            "probe": lambda: storage.probe(".handrail-probe", MARK),
            "delete": lambda: storage.delete(["a"]),
            "content": lambda: storage.content_sha256("a"),
            "list": lambda: storage.look_up([f"k{number}" for number in range(20)]),
            "set aside": lambda: storage.set_aside("a", "b"),
        }
        answers = {}
        for name, call in calls.items():
            try:
                call()
            except StorageError as error:
                answers[name] = error
            else:
                answers[name] = None
        return answers

    return _attempts


def test_server_that_is_down_is_told(moto, as_user, attempts, no_sleep):
    """It is tried again, and then told, by whatever asks first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = dataclasses.replace(moto, endpoint=f"http://127.0.0.1:{port}")
    storage = as_user(server, "s3://b/p")
    with pytest.raises(StorageError) as caught:
        storage.reach()
    assert caught.value.message == (
        f"s3://b/p: ConnectionFailed (from s3://b/p): 127.0.0.1:{port} cannot be reached: "
        "connection refused, tried 3 times"
    )
    assert caught.value.passing
    for retries, times in ((0, "once"), (1, "2 times")):
        with pytest.raises(StorageError, match=f"tried {times}"):
            as_user(server, "s3://b/p", retries=retries).reach()
    for error in attempts(as_user(server, "s3://b/p", retries=0)).values():
        assert error is not None
        assert f"(from s3://b/p): 127.0.0.1:{port} cannot be reached" in error.message
        assert error.passing


def test_wrong_secret_is_told(radosgw, as_user, attempts):
    """The server says that the signature does not fit."""
    thief = dataclasses.replace(radosgw, secret_key="guessed")
    storage = as_user(thief, f"s3://{radosgw.bucket()}/p")
    storage.reach()
    answers = attempts(storage)
    assert "PermissionDenied (403 from s3://" in answers["put"].message  # It has only looked yet.
    assert "check the credentials" in answers["put"].ways_out[0]
    for name in "probe", "list":
        assert "SignatureDoesNotMatch (403 from s3://" in answers[name].message
        assert "AWS_SECRET_ACCESS_KEY" in answers[name].ways_out[0]
    for name, error in answers.items():
        assert error is not None, name
        assert not error.passing, name
        assert "\n" not in error.message


@pytest.mark.parametrize("kind", ["moto", "radosgw"])
def test_missing_bucket_is_told(request, as_user, attempts, kind):
    """The server says that there is no such bucket; nothing is tried again."""
    answers = attempts(as_user(request.getfixturevalue(kind), "s3://acme-nowhere/p"))
    assert answers.pop("delete") is None
    for name in "put", "probe", "list":
        assert "NoSuchBucket (404 from s3://acme-nowhere/p)" in answers[name].message
        assert "make the bucket first" in answers[name].ways_out[0]
    for name, error in answers.items():
        assert error is not None, name
        assert not error.passing, name
