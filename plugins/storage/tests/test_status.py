"""What requests wait for is told: retries of ours, and those inside the client."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import pytest

from handrail_storage import StorageError, open_store
from handrail_storage.backend.watching import Watch

Statuses = list[str | None]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that opens a bucket at an endpoint."""

    def _at(endpoint: str, statuses: Statuses, retries: int = 2) -> Any:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{endpoint}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
        monkeypatch.setattr("time.sleep", lambda _: None)
        return open_store("s3://bucket/x", retries=retries, on_status=statuses.append)

    return _at


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("127.0.0.1:9", "127.0.0.1:9 cannot be reached: connection refused"),
        ("nobody.invalid:9000", "nobody.invalid:9000 cannot be reached: unknown host"),
    ],
)
def test_each_retry_is_told(at: Callable[..., Any], endpoint: str, reason: str) -> None:
    """With its number, the endpoint, and whether nobody listens or nobody knows it."""
    statuses: Statuses = []
    with pytest.raises(StorageError, match=reason) as caught:
        at(endpoint, statuses).stat("a")
    assert caught.value.reason == reason
    assert statuses == [f"retrying 1/2: {reason}", f"retrying 2/2: {reason}"]


def test_nothing_is_told_of_a_request_that_is_answered(at: Callable[..., Any], moto: Any) -> None:
    statuses: Statuses = []
    store = at(moto.endpoint.removeprefix("http://"), statuses)
    with pytest.raises(StorageError):
        store.stat("a/../b")
    assert statuses == []


class Looks:
    """A storage that answers as it is told to, and waits for that."""

    def __init__(self) -> None:
        self.answers: queue.Queue[str | None] = queue.Queue()
        self.told: queue.Queue[str | None] = queue.Queue()
        self.count = 0

    def look(self) -> str | None:
        self.count += 1
        return self.answers.get()


def test_a_lost_connection_is_told_while_the_client_retries() -> None:
    """And that it is back, or that nobody waits for it any more."""
    looks = Looks()
    watch = Watch(looks.look, looks.told.put, every=0.0)
    with watch:
        looks.answers.put("h cannot be reached")
        assert looks.told.get() == "connection lost: h cannot be reached"
        looks.answers.put(None)
        assert looks.told.get() is None
        looks.answers.put("h cannot be reached")
        assert looks.told.get() == "connection lost: h cannot be reached"
    looks.answers.put("h cannot be reached")
    assert looks.told.get() is None
    assert looks.told.empty()


def test_requests_have_one_watch() -> None:
    """Those at once, and those that follow each other: a thread for each would cost more."""
    looks = Looks()
    watch = Watch(looks.look, looks.told.put, every=3600.0)
    before = set(threading.enumerate())
    for _ in range(10):
        with watch, watch, watch:
            assert len(set(threading.enumerate()) - before) == 1
    assert looks.told.empty()


def test_a_watch_ends_after_the_last_request() -> None:
    """And tells nothing of a look that has begun before."""
    looks = Looks()
    watch = Watch(looks.look, looks.told.put, every=0.0)
    before = set(threading.enumerate())
    with watch:
        pass
    looks.answers.put("down")
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert looks.count <= 1
    assert looks.told.empty()


def test_nobody_looks_while_requests_are_answered() -> None:
    """A storage that answers need not be asked whether it does."""
    looks = Looks()
    watch = Watch(looks.look, looks.told.put, every=0.0)
    with watch:
        looks.answers.put("down")
        assert looks.told.get() == "connection lost: down"
        with watch:
            pass
        looks.answers.put(None)
        assert looks.told.get() is None


@pytest.mark.parametrize("small", [True, False])
def test_a_server_that_accepts_and_gives_no_answer_is_told(
    at: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, small: bool
) -> None:
    """Of requests of both clients, and long before they give up."""
    told: queue.Queue[str | None] = queue.Queue()
    monkeypatch.setattr("handrail_storage.backend.requests._LOOK", 0.05)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        endpoint = f"127.0.0.1:{server.getsockname()[1]}"
        store = at(endpoint, [])
        store.requests._watch._on_status, store.requests._watch._every = told.put, 0.0
        call = (lambda: store.stat("a")) if small else (lambda: list(store.listing()))
        waiting = threading.Thread(target=lambda: _refused(call), daemon=True)
        waiting.start()
        assert told.get(timeout=60) == f"connection lost: {endpoint} did not answer in time"


def _refused(call: Callable[[], object]) -> None:
    with suppress(StorageError):
        call()
