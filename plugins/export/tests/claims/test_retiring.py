"""Files of an older export that a new one lacks: they go, and come back if it is undone."""

from __future__ import annotations

import json
from typing import Any

import pytest

import handrail
from handrail_export import claiming

OVER = {"if_exists": "overwrite", "keep_replaced": False}
PARTS = {"partition_by": ["kind"]}


def test_files_that_an_export_lacks_go_and_come_back(run, target, rows):
    """Those of the older export that it replaces, to the byte, and in either order of undos."""
    first, second = run(), run()
    rows(3)
    first.go(target.url, **PARTS)
    before = target.data()
    rows(2)
    second.go(target.url, stop="after", **PARTS, **OVER)
    second.undo()
    assert target.data() == before
    first.undo()
    assert target.files() == {}


def test_both_are_undone_and_no_file_of_either_is_left(run, target, rows):
    """Also of those that only the first one had."""
    first, second = run(), run()
    rows(3)
    first.go(target.url, **PARTS)
    rows(2)
    second.go(target.url, stop="after", **PARTS, **OVER)
    first.undo()
    second.undo()
    assert target.files() == {}


def test_files_that_a_completed_export_lacks_are_gone(run, target, rows):
    first, second = run(), run()
    rows(3)
    first.go(target.url, **PARTS)
    rows(2)
    second.go(target.url, **PARTS, **OVER)
    assert set(target.data()) == {"kind=a/data_0.csv", "kind=b/data_0.csv", "manifest.json"}
    assert not [key for key in target.files() if "/aside/" in key]


def test_another_run_may_want_a_file_that_is_to_go(run, target, rows):
    """While the run that retires it can be undone: both are, and what was there before is back."""
    first, second = run(), run()
    older = {"files": [{"path": "old.csv", "size": 4, "sha256": ""}]}
    target.put("old.csv", b"mine")
    target.put("manifest.json", json.dumps(older).encode())
    before = target.data()
    rows(1)
    first.go(target.url, stop="after", **OVER)
    second.go(f"{target.url}/old.csv", stop="after", **OVER)
    first.undo()
    assert target.data()["old.csv"].startswith(b"id,")
    assert {**target.data(), "old.csv": b"mine"} == before
    second.undo()
    assert target.files() == before


def test_a_manifest_that_names_the_claims_of_others_retires_nothing(run, target, rows):
    first, second = run(), run()
    rows(1)
    first.go(f"{target.url}/other.csv")
    state = next(key for key in target.files() if key.endswith("/state"))
    older = {"files": [{"path": state, "size": 4, "sha256": ""}]}
    target.put("manifest.json", json.dumps(older).encode())
    second.go(target.url, **OVER)
    assert state in target.files()
    first.undo()
    assert set(target.data()) == {"data.csv", "manifest.json"}


def test_an_export_that_is_completed_just_before_the_claim_is_not_half_replaced(
    run, target, rows, monkeypatch
):
    """Its files were not known when the claim was asked for, so the run stops."""
    first, second = run(), run()
    rows(2)
    usual = claiming._list_retired

    def list_then_export(context: Any) -> None:
        monkeypatch.setattr("handrail_export.claiming._list_retired", usual)
        usual(context)
        rows(3)
        first.go(target.url, **PARTS)

    monkeypatch.setattr("handrail_export.claiming._list_retired", list_then_export)
    with pytest.raises(handrail.StepFailedError, match="another export was completed"):
        second.go(target.url, **OVER)
    second.undo()
    assert "kind=c/data_0.csv" in target.data()
    first.undo()
    assert target.files() == {}
