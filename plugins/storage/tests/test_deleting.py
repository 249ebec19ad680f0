"""Many objects are deleted in a few requests."""

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


def test_the_first_requests_have_few_objects_and_the_later_ones_many(
    store: Store, wire: Any
) -> None:
    """So the progress is told at once, also where a server takes long for each object."""
    told: list[int] = []
    deleting.delete_all(store.requests, KEYS, told.append)  # type: ignore[attr-defined]
    assert told[:8] == [1] * 8
    assert max(told) == 25
    assert sum(told) == len(KEYS)
    assert len(told) == len(wire.seen("POST")) < 80


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
