"""Conditions hold in the moment of the request, and not only in that of the last look."""

from __future__ import annotations

import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from handrail_storage import Listed, StorageError, Store, TakenError, open_store
from handrail_storage.backend import ObjectStore, deleting, looking, putting
from handrail_storage.claims import Claimant, Claims, Held

OURS, THEIRS = "run-1/save", "run-2/save"
PROBE = ".handrail-probe-run-1"


@pytest.fixture(params=["memory", "moto"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    if request.param == "memory":
        store = open_store(f"memory://{uuid.uuid4()}/deep")
    else:
        server: Any = request.getfixturevalue("moto")
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        store = open_store(f"s3://{server.bucket()}/deep", retries=2)
    store.probe(PROBE, OURS)
    return store


def test_an_object_that_others_have_put_is_not_replaced(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage refuses it, so that there is no moment between a look and the request."""
    assert store.capabilities.replace_if
    found = store.create("a", b"first", OURS)
    store.replace("a", b"another", THEIRS, found)
    monkeypatch.setattr(putting, "must_be_free", lambda *_: pytest.fail("it was looked at"))
    with pytest.raises(TakenError):
        store.replace("a", b"second", OURS, found)
    with pytest.raises(TakenError):
        store.create("a", b"second", OURS)
    assert store.read("a") == b"another"


def test_a_copy_is_not_put_over_what_others_have_put(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = store.create("a", b"first", OURS)
    store.set_aside("a", "aside")
    store.replace("a", b"another", THEIRS, found)
    monkeypatch.setattr(putting, "must_be_free", lambda *_: pytest.fail("it was looked at"))
    assert not store.put_over("aside", "a", found)
    assert store.read("a") == b"another"


def test_an_object_that_others_put_after_the_look_is_not_deleted(
    moto: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    store = open_store(f"s3://{moto.bucket()}/deep", retries=2)
    assert store.probe(PROBE, OURS).delete_if
    names = ("a b", "umlaut ü", "per%cent", "plus+and&amp", "日本語")
    found = [store.create(name, b"first", OURS) for name in names]
    store.replace("a b", b"another", THEIRS, found[0])
    monkeypatch.setattr(deleting, "from_listing", lambda *_: pytest.fail("it was looked at"))
    assert store.delete_found([*found, found[1]]) == {"a b"}
    assert [each.key for each in store.listing()] == ["a b"]


def test_equal_bytes_of_others_do_not_keep_an_undo_from_its_end(
    moto: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their ETag is that of what the run had put, so only a close look tells them apart."""
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(looking, "_FEW", 0)  # As if there were many keys.
    bucket = moto.bucket()
    store = open_store(f"s3://{bucket}", retries=2)
    moto.client().put_object(Bucket=bucket, Key="a", Body=b"before")
    claims = Claims(store, Claimant(run="run-1"))
    claim = claims.ask({"a": None})
    found = store.stat("a")
    assert found is not None
    store.set_aside("a", claim.aside("a"))
    put = store.replace("a", b"ours", claim.mark("save"), found)
    held = Held(key="a", size=put.size, sha256=put.sha256, etag=put.etag)
    claim.hold([held])
    moto.client().put_object(Bucket=bucket, Key="a", Body=b"ours")
    undoing = claims.undo()
    assert undoing is not None
    done = undoing.run(made={"a": held})
    assert (done.deleted, done.restored, done.foreign) == (0, 0, 1)
    assert store.read("a") == b"ours"


# What servers answer to a request to delete


class Server(ThreadingHTTPServer):
    """Answers requests from a list of statuses; 0 closes the connection."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.statuses = list(statuses)
        self.conditions: list[str | None] = []


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_DELETE(self) -> None:
        server: Any = self.server
        server.conditions.append(self.headers["If-Match"])
        status = server.statuses.pop(0)
        if status == 0:
            self.close_connection = True
            return
        body = b"" if status == 204 else b"<Error><Code>Code%d</Code></Error>" % status
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        server: Any = self.server
        self.send_response(server.statuses.pop(0))
        for name, value in {
            "Content-Length": "1",
            "ETag": '"another"',
            "Last-Modified": "Fri, 27 Nov 2026 08:00:00 GMT",
        }.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def deleted(
    monkeypatch: pytest.MonkeyPatch, *statuses: int, retries: int = 2
) -> tuple[set[str], Server]:
    """Delete an object of a server that gives these answers."""
    server = Server(*statuses)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "acme",
        "AWS_SECRET_ACCESS_KEY": "acme",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
    }.items():
        monkeypatch.setenv(name, value)
    store = open_store("s3://acme/deep", retries=retries)
    assert isinstance(store, ObjectStore)
    monkeypatch.setattr("time.sleep", lambda _: None)
    found = [Listed(key="a", size=1, etag="abc")]
    try:
        return deleting.delete_unchanged(store.requests, found, conditional=True), server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("statuses", "changed"),
    [
        ((204,), set[str]()),
        ((404,), set[str]()),
        ((412, 200), {"a"}),
        ((412, 404), set[str]()),
        ((503, 204), set[str]()),
        ((0, 204), set[str]()),
        ((429, 0, 412, 200), {"a"}),
    ],
)
def test_a_server_that_fails_for_a_moment_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, statuses: tuple[int, ...], changed: set[str]
) -> None:
    """Each request has the condition; a refusal may also mean that the object is gone."""
    others, server = deleted(monkeypatch, *statuses)
    assert others == changed
    assert server.statuses == []
    assert set(server.conditions) == {'"abc"'}


@pytest.mark.parametrize(
    ("statuses", "message"),
    [((403,), "a: Code403"), ((503, 503, 503), "tried 3 times"), ((0, 0, 0), "connection broke")],
)
def test_a_server_that_goes_on_failing_is_an_error(
    monkeypatch: pytest.MonkeyPatch, statuses: tuple[int, ...], message: str
) -> None:
    with pytest.raises(StorageError, match=message):
        deleted(monkeypatch, *statuses)


def test_conditions_are_not_probed_behind_a_proxy(
    moto: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the client knows how to use one."""
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    store = open_store(f"s3://{moto.bucket()}/deep")
    monkeypatch.setattr(deleting, "_needs_proxy", lambda: True)
    assert not store.probe(PROBE, OURS).delete_if


@pytest.fixture
def unconditional() -> ObjectStore:
    """A storage that takes no conditions, so that it is looked before each change."""
    store = open_store(f"memory://{uuid.uuid4()}/deep")
    assert isinstance(store, ObjectStore)
    assert not store.capabilities.replace_if
    return store


@pytest.fixture
def contents(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths whose content was asked for."""
    import obstore

    usual, asked = obstore.get, list[str]()

    def get(store: Any, path: str, **given: Any) -> Any:
        if not (given.get("options") or {}).get("head"):
            asked.append(path)
        return usual(store, path, **given)

    monkeypatch.setattr(obstore, "get", get)
    return asked


def test_a_look_before_a_change_reads_no_content(
    unconditional: ObjectStore, contents: list[str]
) -> None:
    """Small objects are made and replaced by their versions alone."""
    files = unconditional.small_files
    assert files.create("a", b"first")
    found = files.get("a")
    assert found is not None
    del contents[:]
    version = files.swap("a", b"second", found.version)
    assert version is not None
    assert files.swap("a", b"third", found.version) is None
    assert contents == []
    assert not files.remove("a", found.version)
    assert files.remove("a", version)
    assert files.get("a") is None


def test_a_run_does_not_read_the_state_that_it_has_just_written(
    unconditional: ObjectStore, contents: list[str]
) -> None:
    Claims(unconditional, Claimant(run="run-1")).ask({"a": None})
    states = [path for path in contents if path.endswith("/state")]
    assert len(states) == 1  # Whether there is one from before.


def test_a_bucket_that_is_gone_is_no_claim_that_was_changed(
    moto: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    bucket = moto.bucket()
    files = open_store(f"s3://{bucket}/deep", retries=0).small_files
    version = files.put("a", b"first")
    files.remove("a")
    moto.client().delete_bucket(Bucket=bucket)
    with pytest.raises(StorageError, match="bucket"):
        files.swap("a", b"second", version)
    with pytest.raises(StorageError, match="bucket"):
        files.remove("a", version)
    with pytest.raises(StorageError, match="bucket"):
        files.create("a", b"first")
