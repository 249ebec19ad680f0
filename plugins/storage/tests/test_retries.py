"""A request that was obeyed, but not answered, is sent again without harm to others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers.wire import LOST, Answer, Forward, Request, Wire

from handrail_storage import Store, TakenError, open_store
from handrail_storage.backend import objects

OURS, THEIRS = "run-1/save", "run-2/save"
ERROR = b"<?xml version='1.0'?><Error><Code>InternalError</Code></Error>"
FAILED = Answer(500, {"Content-Type": "application/xml"}, ERROR)
CONDITIONS = {"if-match", "if-none-match"}

Change = Callable[[], bool]


def drop_conditions(request: Request, _forward: Forward) -> None:
    for name in [name for name in request.headers if name.lower() in CONDITIONS]:
        del request.headers[name]


@pytest.fixture(params=["conditions", "no conditions"])
def store(
    open_wire: Callable[[str], Wire], moto: Any, request: pytest.FixtureRequest
) -> tuple[Store, Wire]:
    """A bucket behind a wire, of a server that takes conditions, or ignores them."""
    wire = open_wire("moto")
    if request.param == "no conditions":
        wire.rules.append(drop_conditions)
    store = open_store(f"s3://{moto.bucket()}", retries=2)
    found = store.probe(".handrail-probe-run-1", OURS)
    assert found.create_only == found.replace_if == (request.param == "conditions")
    return store, wire


def creating(store: Store) -> Change:
    return lambda: store.create("a", b"ours", OURS).mark == OURS


def replacing(store: Store) -> Change:
    found = store.create("a", b"before", THEIRS)
    return lambda: store.replace("a", b"ours", OURS, found).mark == OURS


def putting_over(store: Store) -> Change:
    store.create("copy", b"ours", OURS)
    return lambda: store.put_over("copy", "a", None)


def creating_small(store: Store) -> Change:
    return lambda: store.small_files.create("a", b"ours")


def swapping_small(store: Store) -> Change:
    version = store.small_files.put("a", b"before")
    return lambda: store.small_files.swap("a", b"ours", version) is not None


AT_ONCE = (creating, replacing, putting_over, creating_small, swapping_small)


def stores(change: Change) -> bool:
    try:
        return change()
    except TakenError:
        return False


@pytest.mark.parametrize(("way", "answer"), [*((way, FAILED) for way in AT_ONCE), (creating, LOST)])
def test_what_others_store_before_the_next_attempt_is_kept(
    store: tuple[Store, Wire], moto: Any, way: Callable[[Store], Change], answer: Answer
) -> None:
    opened, wire = store
    change = way(opened)
    theirs: list[str] = []

    def be_second(request: Request, forward: Forward) -> Answer | None:
        if request.method == "PUT" and request.name == "a" and not theirs:
            forward()
            bucket, _, key = request.target.lstrip("/").partition("/")
            theirs.append(key)
            moto.client().put_object(Bucket=bucket, Key=key, Body=b"theirs")
            return answer
        return None

    wire.rules.append(be_second)
    assert not stores(change)
    assert opened.read(theirs[0]) == b"theirs"


@pytest.mark.parametrize("way", AT_ONCE)
def test_what_an_attempt_without_an_answer_has_stored_is_found(
    store: tuple[Store, Wire], way: Callable[[Store], Change]
) -> None:
    opened, wire = store
    change = way(opened)
    wire.lose_answers("PUT", times=1)
    assert stores(change)
    put = wire.seen("PUT", "a")[-1].target
    assert opened.read(put.lstrip("/").partition("/")[2]) == b"ours"


def test_a_copy_that_is_made_again_spares_what_others_have_stored(
    store: tuple[Store, Wire], moto: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers copy without conditions, so the key is looked at before each attempt."""
    monkeypatch.setattr(objects, "_PART", 1)
    test_what_others_store_before_the_next_attempt_is_kept(store, moto, putting_over, FAILED)


def test_parts_are_not_completed_over_what_others_have_stored(
    store: tuple[Store, Wire], moto: Any, tmp_path: Path
) -> None:
    opened, wire = store
    path = tmp_path / "big"
    path.write_bytes(bytes(9 << 20))

    def be_first(request: Request, _forward: Forward) -> None:
        if request.method == "POST" and "uploads" in request.query:
            bucket, _, key = request.target.partition("?")[0].lstrip("/").partition("/")
            moto.client().put_object(Bucket=bucket, Key=key, Body=b"theirs")

    wire.rules.append(be_first)
    assert not stores(lambda: opened.create("a", path, OURS).mark == OURS)
    assert opened.read("a") == b"theirs"


def test_to_set_aside_takes_no_look_at_where_it_goes(store: tuple[Store, Wire]) -> None:
    """What is there was set aside before, by a process that was killed."""
    opened, wire = store
    opened.create("a", b"theirs", THEIRS)
    del wire.requests[:]
    opened.set_aside("a", "aside")
    asked = [(each.method, each.name) for each in wire.requests]
    assert asked == [("HEAD", "a"), ("PUT", "aside"), ("HEAD", "aside")]
