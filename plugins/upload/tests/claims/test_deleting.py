"""Uploads that delete at a target, which they share: what others rely on stays, or comes back."""

from __future__ import annotations

from typing import Any

import pytest

from handrail import StepFailedError
from handrail.builtin.cli.dry_run import preview_plan
from handrail_storage.claims import Claims, claims_at
from handrail_upload.storage import open_storage

GONE = {"delete_missing": True, "max_delete": "100%"}


@pytest.fixture
def common(shared: Any) -> dict[str, str]:
    """The params of uploads that keep one collection up to date together."""
    return {"catalogue": str(shared.top / "common.db"), "collection": "common"}


def test_what_an_earlier_upload_relies_on_comes_back_with_the_undo(
    shared: Any, two: Any, common: dict[str, str]
) -> None:
    """The one that had stored it still relies on it."""
    ann, ben = two
    before = shared.everything()
    ann.upload(**common)
    files = shared.files()
    for number in (3, 4):
        (ben.source / f"{number}.txt").unlink()
    ben.write({"9.txt": "another"})
    assert ben.upload(**GONE, **common)["deleted_files"] == 2
    assert shared.files() == files - {"3.txt", "4.txt"} | {"9.txt"}
    assert "2 put back" in ben.rollback()
    assert shared.files() == files
    ann.rollback()
    assert shared.everything() == before


def test_nothing_is_left_in_whatever_order_uploads_are_undone(
    shared: Any, two: Any, common: dict[str, str]
) -> None:
    ann, ben = two
    before = shared.everything()
    ann.upload(**common)
    (ben.source / "3.txt").unlink()
    ben.upload(**GONE, **common)
    ann.rollback()
    assert "3.txt" not in shared.files()
    ben.rollback()
    assert shared.everything() == before


def test_somebody_with_a_catalogue_of_their_own_loses_nothing(shared: Any, two: Any) -> None:
    ann, ben = two
    ann.upload()
    ben.upload()
    files = shared.files()
    (ben.source / "3.txt").unlink()
    assert ben.upload(**GONE)["deleted_files"] == 0
    assert any("1 stays: run 1 on" in line for line in ben.tape.said("stays"))
    assert shared.files() == files


def test_what_was_pruned_is_deleted_by_its_group_only_and_comes_back(
    shared: Any, two: Any, common: dict[str, str]
) -> None:
    ann, ben = two
    ann.upload(**common)
    store = open_storage(shared.place.url)
    (claim,) = claims_at(store)[0]
    store.probe(".handrail-probe", "somebody")
    Claims(store, claim.claimant).prune()
    (ben.source / "3.txt").unlink()
    assert ben.upload(**GONE, **common)["deleted_files"] == 1
    assert "3.txt" not in shared.files()
    ben.rollback()
    assert "3.txt" in shared.files()


def test_a_dry_run_says_who_is_in_the_way_of_a_deletion(
    shared: Any, two: Any, common: dict[str, str], hooked: Any
) -> None:
    ann, ben = two
    ben.upload(**common)
    (ben.source / "3.txt").unlink()
    ann.source = ann.folder / "other"
    ann.write({"3.txt": "photo 3", "more.txt": "more"})
    told: list[str] = []

    def look(_key: str, _number: int) -> None:
        made = ben.make(**GONE, **common, exclude=["*"], allow_nothing=True)
        with pytest.raises(StepFailedError) as refused:
            made.run_plan(preview_plan(made.plan()))
        told.append(str(refused.value))

    ann.edit = hooked(after=look)
    ann.upload()
    assert "run 1 on" in told[0]
    assert "is working on the same keys" in told[0]
