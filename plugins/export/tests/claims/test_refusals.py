"""Exports with one target: what is in the way is named, and a run without a claim does nothing."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

import handrail
from handrail.sqlite import SqliteJournal
from handrail_export.manifest import Manifest
from handrail_storage.claims import Clock

OVER = {"if_exists": "overwrite"}


@pytest.mark.parametrize("shape", ["file", "folder"])
def test_an_export_in_the_way_is_named(run, target, rows, shape):
    """With its machine, its journal and the command that finishes it; exit code 3, no effects."""
    first, second = run(), run()
    path = target.url if shape == "folder" else f"{target.url}/out.csv"
    rows(1)
    first.go(path, stop="middle")
    before = target.files()
    rows(2)
    with pytest.raises(handrail.StepFailedError) as raised:
        second.go(path, **OVER)
    cause = raised.value.__cause__
    assert isinstance(cause, handrail.HandrailError)
    assert "run 1 on " in cause.message
    assert str(first.journal) in cause.message
    ways = "\n".join(cause.ways_out)
    assert f"handrail resume 1 --journal {first.journal}" in ways
    assert "--claim-wait 10m" in ways
    assert f"handrail claims {target.url}" in ways
    assert cause.exit_code == 3
    with closing(SqliteJournal(second.journal)) as journal:
        assert journal.read(1).outcome in ("failed", "rolled_back")
    second.undo()
    assert target.files() == before
    first.resume()
    first.undo()
    assert target.files() == {}


def test_an_export_waits_for_the_one_in_the_way(run, target, rows, seen):
    """With --claim-wait it goes on as soon as the other one is gone."""
    first, second = run(), run()
    rows(1)
    first.go(target.url, stop="middle")
    rows(2)
    usual = seen.log

    def log(event: str, *given: Any) -> None:
        usual(event, *given)
        if event == "waiting" and "undone" not in [each[0] for each in seen.logged]:
            first.undo()

    seen.log = log
    second.go(target.url, claim_wait="10m")
    assert "waiting" in [event for event, _, _ in seen.logged]
    assert set(target.data()) == {"data.csv", "manifest.json"}


def test_an_undo_does_not_go_on_where_another_export_works(run, target, rows, monkeypatch):
    """It names that run, and undoes nothing; once that is over, it does."""
    first, second = run(), run()
    file = f"{target.url}/out.csv"
    rows(3)
    first.go(file)
    second.go(file, stop="middle", **OVER)
    before = target.data()
    monkeypatch.setattr("handrail_export.claiming.CLOCK", Clock(undoing=0.0))
    with pytest.raises(handrail.HandrailError, match=r"run 1 on .* is working on the same keys"):
        first.undo()
    assert target.data() == before
    second.resume()
    first.undo()
    assert target.data() == before
    second.undo()
    assert target.files() == {}


def test_a_run_whose_claim_is_gone_deletes_nothing(run, target, rows):
    """Nothing says any more what is its own; and it says so."""
    first = run()
    rows(1)
    first.go(f"{target.url}/out.csv")
    target.forget_claims()
    before = target.files()
    assert "nothing there is deleted" in " ".join(first.preview())
    assert "has no claim at" in first.undo()
    assert target.files() == before


def test_a_resume_whose_claim_is_gone_stops(run, target, rows):
    """It ends with 3, and what is there stays."""
    first = run()
    rows(1)
    first.go(f"{target.url}/out.csv", stop="middle")
    target.forget_claims()
    before = target.data()
    with pytest.raises(handrail.HandrailError) as raised:
        first.resume()
    error: Any = raised.value.__cause__ or raised.value
    assert "the claim of this run" in error.message
    assert error.exit_code == 3
    assert target.data() == before


def test_what_is_replaced_on_the_way_to_holding_is_not_done_again(run, target, rows):
    """A run that was killed when all was saved does not write over what has replaced it since."""
    first, second = run(), run()
    rows(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("handrail_export.manifest.Manifest.keep", _keep_then_break())
        first.go(target.url, stop="after", **OVER)
    rows(2)
    second.go(target.url, **OVER)
    before = target.data()
    first.resume()
    assert target.data() == before


def _keep_then_break() -> Any:
    usual, calls = Manifest.keep, []

    def keep(self: Manifest) -> None:
        usual(self)
        calls.append(1)
        if len(calls) == 3:
            raise TimeoutError("not today")

    return keep


def test_an_export_that_was_refused_says_that_it_had_saved_nothing(run, target, rows):
    """What is in its way is not counted as something that it leaves alone."""
    first = run()
    rows(1)
    target.put("data.csv", b"mine")
    with pytest.raises(handrail.StepFailedError, match=r"data\.csv is already at"):
        first.go(target.url)
    assert first.undo() == "nothing had been saved"
    assert target.files() == {"data.csv": b"mine"}
