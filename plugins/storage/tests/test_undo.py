"""One object that cannot be taken back keeps none of the others."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from handrail_storage import ObjectsUndo, StorageError, Store, first_of, open_store, pages

OURS, THEIRS = "run-1/save", "run-2/save"


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store(str(tmp_path / "out"))
    return open_store(f"memory://{uuid.uuid4()}")


def objects(store: Store, known: Any = None) -> ObjectsUndo:
    return ObjectsUndo(store=store, mark=OURS, known=known or {})


def test_each_object_has_its_owner(store: Store) -> None:
    identity = store.create("ours", b"1", OURS).identity
    store.create("theirs", b"22", THEIRS)
    store.settle(["ours"], "run-1")
    store.settle(["theirs"], "run-2")
    undo = objects(store, {"ours": [None, (1, 2, 3, 4), identity]})
    assert undo.owner("ours") == "ours"
    found = [each for page in undo.owners(["ours", "theirs", "never"]) for each in page]
    assert found == [("ours", "ours"), ("theirs", "foreign"), ("never", "absent")]
    assert undo.delete(["ours"]) == ["ours"]
    assert undo.delete([]) == []
    assert [each.key for each in store.listing()] == ["theirs"]
    assert undo.failures == []


def test_what_is_refused_keeps_none_of_the_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in "abc":
        store.create(key, b"1", OURS)
    usual = store.delete

    def refuse(keys: Sequence[str]) -> None:
        if "b" in keys:
            raise StorageError("b: AccessDenied")
        usual(keys)

    monkeypatch.setattr(store, "delete", refuse)
    undo = objects(store)
    assert undo.delete(["a", "b", "c"]) == ["a", "c"]
    assert [str(each) for each in undo.failures] == ["b: AccessDenied"]


def test_a_storage_that_is_gone_is_not_asked_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fail(key: str, *_: Any) -> Any:
        asked.append(key)
        raise StorageError(f"{key}: the server cannot be reached", passing=True)

    monkeypatch.setattr(store, "owner", fail)
    undo = objects(store)
    keys = [f"{number:04}" for number in range(2000)]
    assert [each for page in undo.owners(keys) for each in page] == []
    assert len(asked) <= 16
    assert len(undo.failures) == len(asked)


def test_several_errors_are_one() -> None:
    one, two = StorageError("a", ways_out=("do it",)), StorageError("b")
    assert first_of([]) is None
    assert first_of([one]) is one
    found = first_of([one, two, two])
    assert (str(found), found and found.ways_out) == ("a, and 2 more", ("do it",))


def test_pages_have_the_size_that_is_asked_for() -> None:
    assert list(pages(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(pages([], 2)) == []
