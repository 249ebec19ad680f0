"""Many objects are deleted in requests that have as many as pay."""

from __future__ import annotations

from typing import Any

import pytest

from handrail.frozen import replace
from handrail_storage import Store, open_store
from handrail_storage.backend import deleting

KEYS = [f"many/{number:04d}" for number in range(1100)]


@pytest.fixture
def wire(open_wire: Any) -> Any:
    """A wire before moto."""
    return open_wire("moto")


@pytest.fixture
def store(moto: Any, wire: Any) -> Store:
    """A storage that takes no conditions to delete."""
    store = open_store(f"s3://{moto.bucket()}/deep", retries=2)
    store.capabilities = replace(store.capabilities, delete_if=False)
    return store


@pytest.mark.parametrize(("quick", "requests"), [(float("inf"), range(60)), (0, [1100])])
def test_a_request_has_more_objects_where_answers_are_quick(
    store: Store, wire: Any, monkeypatch: pytest.MonkeyPatch, quick: float, requests: Any
) -> None:
    """Where they are not, each has one, so the progress is told after each."""
    monkeypatch.setattr(deleting, "_QUICK", quick)
    monkeypatch.setattr(deleting, "_PAYS", 0)
    told: list[int] = []
    deleting.delete_all(store.requests, KEYS, told.append)  # type: ignore[attr-defined]
    assert told[0] == 1
    assert sum(told) == len(KEYS)
    assert len(wire.seen("POST")) in requests
    assert len(told) == len(wire.seen("POST"))


def test_what_is_deleted_singly_is_told_as_well(
    moto: Any, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is deleted on the condition of its ETag."""
    store = open_store(f"s3://{moto.bucket()}/deep", retries=2)
    assert store.probe(".handrail-probe-run-1", "run-1/save").delete_if
    found = [store.create(key, b"content", "run-1/save") for key in KEYS[:50]]
    monkeypatch.setattr(deleting, "_SOON", 0)
    wire.requests.clear()
    told: list[int] = []
    assert store.delete_found(found, told.append) == set()
    assert sum(told) == 50
    assert len(told) > 1
    assert len(wire.seen("DELETE")) == 50
