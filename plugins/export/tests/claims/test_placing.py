"""One key at a time: what is equal stays, and what others have is kept before it is replaced."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import pytest

from handrail_export.errors import ConflictError
from handrail_export.manifest import ExportedFile
from handrail_export.placing import Placing
from handrail_export.target import open_target
from handrail_storage.claims import Claimant, Claims


@dataclass
class Place:
    """One key of a target that a run has claimed."""

    store: Any
    claim: Any
    overwrite: bool = True

    def put(self, content: bytes, there: Any = None) -> ExportedFile:
        digest = hashlib.sha256(content).hexdigest()
        file = ExportedFile(path="a", size=len(content), sha256=digest)
        mark = self.claim.mark("save_files")
        placing = Placing(
            target=self.store,
            claim=self.claim,
            mark=mark,
            overwrite=self.overwrite,
            resumed=False,
        )
        return placing.place(file, content, there)

    def copies(self) -> list[str]:
        return [name for name, _ in self.store.small_files.names("aside/")]


@pytest.fixture(params=["folder", "memory"])
def place(request, here):
    target = str(here / "target") if request.param == "folder" else f"memory://{here.name}"
    store = open_target(target)
    store.prepare(lambda _: None)
    claim = Claims(store, Claimant(run="one")).ask({"a": None})
    return Place(store, claim)


def test_an_own_object_is_replaced_without_a_copy(place):
    """Of what the run itself has made, nobody needs a copy."""
    assert place.put(b"first").made
    assert place.put(b"second", place.store.stat("a")).made
    assert place.store.read("a") == b"second"
    assert place.copies() == []


def test_an_own_object_is_replaced_also_where_others_are_not(place):
    place.overwrite = False
    place.put(b"first")
    place.put(b"second", place.store.stat("a"))
    assert place.store.read("a") == b"second"


def test_an_object_of_others_is_copied_before_it_is_replaced(place):
    place.store.create("a", b"mine", "")
    assert place.put(b"ours", place.store.stat("a")).made
    assert len(place.copies()) == 1
    assert place.store.read(place.claim.aside("a")) == b"mine"


def test_an_equal_object_of_others_is_left(place):
    place.store.create("a", b"same", "somebody")
    assert not place.put(b"same", place.store.stat("a")).made
    assert place.store.stat("a").mark == "somebody"
    assert place.copies() == []


@pytest.mark.parametrize("overwrite", [True, False])
def test_an_object_that_appears_at_the_last_moment_is_looked_at(place, overwrite):
    """It is not there when it is looked for, and is when the file is put."""
    place.overwrite = overwrite
    place.store.create("a", b"mine", "")
    if overwrite:
        assert place.put(b"ours").made
        assert place.store.read(place.claim.aside("a")) == b"mine"
    else:
        with pytest.raises(ConflictError, match="a is already at"):
            place.put(b"ours")
        assert place.store.read("a") == b"mine"
        assert place.copies() == []


def test_a_copy_of_what_somebody_has_deleted_meanwhile_is_dropped(place, monkeypatch):
    """Else an undo would bring back what they have deleted."""
    place.store.create("a", b"mine", "")
    there = place.store.stat("a")
    usual = place.store.replace

    def delete_then_replace(*given):
        monkeypatch.setattr(place.store, "replace", usual)
        place.store.delete(["a"])
        return usual(*given)

    monkeypatch.setattr(place.store, "replace", delete_then_replace)
    assert place.put(b"ours", there).made
    assert place.store.read("a") == b"ours"
    assert place.copies() == []


def test_a_key_to_which_others_write_all_the_time_is_given_up(place, monkeypatch):
    """Each time it is looked at, there is something else."""
    place.store.create("a", b"0", "")
    usual, numbers = place.store.replace, iter(range(1, 99))

    def write_then_replace(key, content, mark, found, sha256):
        place.store.delete([key])
        place.store.create(key, str(next(numbers)).encode(), "")
        return usual(key, content, mark, found, sha256)

    monkeypatch.setattr(place.store, "replace", write_then_replace)
    with pytest.raises(ConflictError, match="somebody else wrote there meanwhile"):
        place.put(b"ours", place.store.stat("a"))
