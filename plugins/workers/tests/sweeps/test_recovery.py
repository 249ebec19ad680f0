"""Sweeps that failed, were interrupted, or are undone: as a whole, one run, or all but some."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest
from inline_executor import Log
from recorded_runs import Call
from sweeping import calls, children, models, numbers

from handrail.builtin.cli import recovery
from handrail.derived import opened_parts
from handrail.errors import LeaseLostError
from handrail.journal.records import RunChange
from handrail.sqlite import SqliteJournal
from handrail_workers.executors.protocol import ChunkCall

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

TRAIN = ("run", "flows.py:TrainAction")
MIXED = ("--over", "epochs=10,20", "--over", "hyper.rate=0.1,2")  # The second and the last fail.
GOOD = ("--over", "epochs=10,20,30")


def test_a_run_that_fails_is_undone_and_the_others_stay(call: Call, folder: Path) -> None:
    ran = call(*TRAIN, *MIXED)
    assert ran.code == 6
    assert "of 4 runs failed, and no more were begun" in ran.err
    assert models(folder)[0] == "10-0.1"
    assert not any(name.endswith("-2.0") for name in models(folder))
    assert children(call)[1] == "rolled back"
    shown = call("show", "1").out
    assert "failed, rolled back" in shown
    assert "✗ run 3: StepFailedError: Step 'fit' failed: diverged in epoch 3" in shown
    assert "run 3: Step 'fit' failed" in ran.err
    assert "diverged in epoch 3" in call("show", "3", "--traceback").out


def test_some_runs_may_fail(call: Call) -> None:
    for share in ("2", "50%"):
        ran = call(*TRAIN, *MIXED, "--max-failed", share)
        assert (ran.code, ran.lines[0]) == (0, "2 of 4 runs completed, 2 failed")


def test_a_resume_tries_again_what_failed_and_runs_what_is_missing(
    call: Call, folder: Path
) -> None:
    assert call(*TRAIN, *MIXED).code == 6
    done = calls(folder)
    (folder / "mended").touch()
    assert call("resume", "1").code == 0
    assert models(folder) == ["10-0.1", "10-2.0", "20-0.1", "20-2.0"]
    assert children(call)[1:3] == ["rolled back", "completed"]
    assert calls(folder)[: len(done)] == done
    assert "fit 10 0.1" not in calls(folder)[len(done) :]
    assert call("resume", "1").out == "run 1 is completed; there is nothing to resume\n"


def test_a_run_that_was_kept_goes_on_where_it_was(call: Call, folder: Path) -> None:
    assert call(*TRAIN, *MIXED, "--on-failure", "keep", "--max-failed", "2").code == 0
    assert children(call)[1] == "failed (kept)"
    (folder / "mended").touch()
    assert call("resume", numbers(call)[1]).code == 0
    assert len(children(call)) == 4
    assert calls(folder).count("load 10 2.0") == 1
    assert calls(folder).count("fit 10 2.0") == 2


def test_a_worker_that_is_lost_loses_no_run(call: Call, folder: Path, log: Log) -> None:
    """What it had completed is not run again, and has its metrics nevertheless."""
    lost: list[ChunkCall] = []

    def once(given: ChunkCall) -> str | None:
        if lost:
            return None
        lost.append(given)
        return "after"

    log.fault = once
    assert call(*TRAIN, *GOOD).code == 0
    assert calls(folder).count("fit 10 0.1") == 1
    assert children(call) == ["completed"] * 3
    [first, *_] = call("show", "1", "--json").document["sweep"]["runs"]
    assert first["metrics"] == {"accuracy": 0.01, "rows": 3}


def test_a_rollback_undoes_all_runs(call: Call, folder: Path) -> None:
    call(*TRAIN, *GOOD)
    preview = call("rollback", "1", "--dry-run").out
    assert "↶ runs  3 items, the last one first" in preview
    assert "         4  epochs=30  completed" in preview
    assert models(folder)
    assert call("rollback", "1", "--yes").code == 0
    assert models(folder) == []
    assert set(children(call)) == {"rolled back"}
    [sweep] = call("runs", "--json").document["runs"]
    assert (sweep["outcome"], sweep["parts"]) == ("rolled_back", {"rolled_back": 3})


def test_one_run_is_rolled_back_and_the_sweep_later(call: Call, folder: Path) -> None:
    call(*TRAIN, *GOOD)
    assert call("rollback", "3", "--yes").code == 0
    assert models(folder) == ["10-0.1", "30-0.1"]
    assert call("rollback", "3", "--yes").out.endswith("nothing left to undo\n")
    assert call("rollback", "1", "--dry-run").out.count("completed") == 3  # The sweep is, too.
    assert call("rollback", "1", "--yes").code == 0
    assert call("rollback", "1", "--yes").code == 0
    assert models(folder) == []


def test_a_run_that_is_sealed_keeps_the_others_from_being_undone(call: Call, folder: Path) -> None:
    call(*TRAIN, *GOOD)
    with closing(SqliteJournal(folder / ".handrail" / "runs.db")) as journal:
        owned = journal.claim(3)
        owned.write([RunChange(sealed="the old files are gone", outcome="completed")])
        owned.release()
    for words in (("--yes",), ("--dry-run",)):
        undone = call("rollback", "1", *words)
        assert (undone.code, "run 3 cannot be rolled back any more" in undone.err) == (5, True)
    assert models(folder) == ["10-0.1", "20-0.1", "30-0.1"]
    assert call("rollback", "1", "--keep", "3", "--yes").code == 0
    assert models(folder) == ["20-0.1"]


def test_no_run_is_undone_while_its_sweep_lives(call: Call, folder: Path) -> None:
    call(*TRAIN, *GOOD)
    with closing(SqliteJournal(folder / ".handrail" / "runs.db")) as journal:
        journal.claim(1)
        assert call("rollback", "3", "--yes").code == 3
    assert models(folder) == ["10-0.1", "20-0.1", "30-0.1"]


def test_no_run_is_begun_for_a_sweep_that_another_process_goes_on_with(
    call: Call, folder: Path
) -> None:
    """A worker may outlive the process of its sweep."""
    call(*TRAIN, *GOOD)
    call("rollback", "3", "--yes")
    with closing(SqliteJournal(folder / ".handrail" / "runs.db")) as journal:
        row = journal.read(1)
        shared = {"journal": journal.address, "run": 1, "fence": row.fence, "packs": row.packs}
        shared["folder"] = str(folder)
        journal.claim(1)
        with opened_parts(shared) as parts, pytest.raises(LeaseLostError):
            parts.begin("runs", 2, 2, {"epochs": 20})
        assert len(journal.parts(1)) == 3
    assert models(folder) == ["10-0.1", "30-0.1"]


def test_all_runs_but_some_are_rolled_back(call: Call, folder: Path) -> None:
    call(*TRAIN, *GOOD)
    for text in ("7", "1", "x"):
        assert call("rollback", "1", "--keep", text, "--yes").code == 2
    dry = call("rollback", "1", "--keep", "3", "--dry-run")
    assert [line.split()[1] for line in dry.lines if "↶" in line] == ["4", "2"]
    told = call("rollback", "1", "--keep", "3")  # Without a terminal.
    assert (told.code, "handrail rollback 1 --keep 3 --yes" in told.err) == (2, True)
    assert models(folder) == ["10-0.1", "20-0.1", "30-0.1"]
    kept = call("rollback", "1", "--keep", "3", "--yes")
    assert (kept.code, kept.lines[0]) == (
        0,
        "flows.py:TrainAction · 2 runs rolled back, 3 stays",
    )
    assert models(folder) == ["20-0.1"]
    assert call("runs", "--json").document["runs"][0]["outcome"] == "completed"
    call("rollback", "1", "--yes")
    assert models(folder) == []
    call(*TRAIN)
    assert "is no sweep" in call("rollback", "5", "--keep", "1", "--yes").err


def test_a_run_that_cannot_be_undone_is_named_and_the_others_are_undone(
    call: Call, folder: Path
) -> None:
    call(*TRAIN, *GOOD)
    (folder / "stuck").touch()
    undone = call("rollback", "1", "--yes")
    assert undone.code == 5
    assert set(children(call)) == {"rollback incomplete"}
    (folder / "stuck").unlink()
    again = call("rollback", "1", "--yes")
    assert again.code == 0, again.err
    assert models(folder) == []


def test_a_boot_script_takes_sweeps_as_a_whole(call: Call, folder: Path) -> None:
    call(*TRAIN, *GOOD)
    call(*TRAIN, *GOOD)
    with closing(SqliteJournal(folder / ".handrail" / "runs.db")) as journal:
        for number in (3, 5, 7):  # A run of the first, the second itself, and a run of it.
            journal.claim(number).release()
    assert _dead_numbers(call, folder) == ["5"]


def _dead_numbers(call: Call, folder: Path) -> list[str]:
    """Return what a boot script would resume, without starting a process for each."""
    begun: list[str] = []

    def begin(words: Sequence[str]) -> tuple[int, bool]:
        begun.append(words[1])
        return 0, False

    with patch.object(recovery, "_in_process", begin):
        assert call("resume", "--all-dead").code == 0
    return begun


@pytest.mark.parametrize("words", [("resume",), ("show",), ("rollback", "--dry-run")])
def test_no_run_of_a_sweep_is_the_latest_run(call: Call, words: tuple[str, ...]) -> None:
    call(*TRAIN, *MIXED)
    told = call(*words)
    assert "run 1 · " in told.out + told.err


def test_runs_are_pruned_with_their_sweep(call: Call, folder: Path) -> None:
    call(*TRAIN, *GOOD)
    assert call("runs", "prune", "--older-than", "0s").out == "1 run deleted\n"
    assert call("runs", "--all", "--json").document["runs"] == []


def test_the_doctor_looks_at_the_runs_of_sweeps(call: Call, folder: Path) -> None:
    call(*TRAIN, *GOOD)
    checked = call("doctor", "--journal")
    assert checked.code == 0
    assert "4 runs" in checked.out
    with sqlite3.connect(folder / ".handrail" / "runs.db") as damaged:
        damaged.execute("UPDATE attempt SET result = '{}' WHERE run = 4 AND step = 'fit'")
    found = call("doctor", "--journal", "--json")
    assert found.code == 7
    assert "run 4 is damaged" in found.out


def test_failed_runs_of_a_completed_sweep_are_tried_again(call: Call, folder: Path) -> None:
    assert call(*TRAIN, *MIXED, "--max-failed", "2").code == 0
    assert call("resume", "1").out == "run 1 is completed; there is nothing to resume\n"
    (folder / "mended").touch()
    again = call("resume", "1", "--failed-only")
    assert (again.code, again.lines[0]) == (0, "4 of 4 runs completed"), again.err
    assert models(folder) == ["10-0.1", "10-2.0", "20-0.1", "20-2.0"]
    assert calls(folder).count("fit 10 0.1") == 1
    assert children(call) == [
        *("completed", "rolled back", "completed", "completed", "rolled back", "completed")
    ]
