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
from sweeping import calls, children, models

from handrail.cli import main, recover_all
from handrail.executors.protocol import ChunkCall
from handrail.journal.numbers import child_number
from handrail.journal.sqlite import SqliteJournal

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
    assert children(call)["1.2"] == "rolled back"
    shown = call("show", "1").out
    assert "failed, rolled back" in shown
    assert "✗ 1.2  StepFailedError: Step 'fit' failed: diverged in epoch 3" in shown
    assert "diverged in epoch 3" in call("show", "1.2", "--traceback").out


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
    states = children(call)
    assert (states["1.2"], states["1.2.2"]) == ("rolled back", "completed")
    assert calls(folder)[: len(done)] == done
    assert "fit 10 0.1" not in calls(folder)[len(done) :]
    assert call("show", "1.2", "--json").document["run"]["id"] == "1.2.2"
    assert call("show", "1.2.1", "--json").document["run"]["id"] == "1.2"
    assert call("resume", "1").out == "run 1 is completed; there is nothing to resume\n"


def test_a_run_that_was_kept_goes_on_where_it_was(call: Call, folder: Path) -> None:
    assert call(*TRAIN, *MIXED, "--on-failure", "keep", "--max-failed", "2").code == 0
    assert children(call)["1.2"] == "failed (kept)"
    (folder / "mended").touch()
    assert call("resume", "1.2").code == 0
    assert "1.2.2" not in children(call)
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
    assert children(call) == dict.fromkeys(("1.1", "1.2", "1.3"), "completed")
    [first, *_] = call("show", "1", "--json").document["sweep"]["runs"]
    assert first["metrics"] == {"accuracy": 0.01, "rows": 3}


def test_a_rollback_undoes_all_runs(call: Call, folder: Path) -> None:
    call(*TRAIN, *GOOD)
    preview = call("rollback", "1", "--dry-run").out
    assert "↶ runs  3 items, the last one first" in preview
    assert "         1.3  epochs=30  completed" in preview
    assert models(folder)
    assert call("rollback", "1", "--yes").code == 0
    assert models(folder) == []
    assert set(children(call).values()) == {"rolled back"}
    [sweep] = call("runs", "--json").document["runs"]
    assert (sweep["outcome"], sweep["sweep"]) == ("rolled_back", {"rolled_back": 3})


def test_one_run_is_rolled_back_and_the_sweep_later(call: Call, folder: Path) -> None:
    call(*TRAIN, *GOOD)
    assert call("rollback", "1.2", "--yes").code == 0
    assert models(folder) == ["10-0.1", "30-0.1"]
    assert call("rollback", "1.2", "--yes").out.endswith("nothing left to undo\n")
    assert call("rollback", "1", "--dry-run").out.count("completed") == 3  # The sweep is, too.
    assert call("rollback", "1", "--yes").code == 0
    assert call("rollback", "1", "--yes").code == 0
    assert models(folder) == []


def test_all_runs_but_some_are_rolled_back(call: Call, folder: Path) -> None:
    call(*TRAIN, *GOOD)
    for text in ("7", "2.1", "x"):
        assert call("rollback", "1", "--keep", text, "--yes").code == 2
    dry = call("rollback", "1", "--keep", "2", "--dry-run")
    assert [line.split()[1] for line in dry.lines if "↶" in line] == ["1.3", "1.1"]
    told = call("rollback", "1", "--keep", "2")  # Without a terminal.
    assert (told.code, "handrail rollback 1 --keep 2 --yes" in told.err) == (2, True)
    assert models(folder) == ["10-0.1", "20-0.1", "30-0.1"]
    kept = call("rollback", "1", "--keep", "1.2", "--yes")
    assert (kept.code, kept.lines[0]) == (
        0,
        "flows.py:TrainAction · 2 runs rolled back, 1.2 stays",
    )
    assert models(folder) == ["20-0.1"]
    assert call("runs", "--json").document["runs"][0]["outcome"] == "completed"
    call("rollback", "1", "--yes")
    assert models(folder) == []
    call(*TRAIN)
    assert "is no sweep" in call("rollback", "2", "--keep", "1", "--yes").err


def test_a_run_that_cannot_be_undone_is_named_and_the_others_are_undone(
    call: Call, folder: Path
) -> None:
    call(*TRAIN, *GOOD)
    (folder / "stuck").touch()
    undone = call("rollback", "1", "--yes")
    assert undone.code == 5
    assert set(children(call).values()) == {"rollback incomplete"}
    (folder / "stuck").unlink()
    again = call("rollback", "1", "--yes")
    assert again.code == 0, again.err
    assert models(folder) == []


def test_a_boot_script_finishes_dead_runs_of_sweeps_that_are_over(call: Call, folder: Path) -> None:
    """One whose sweep is dead, too, is left to that."""
    call(*TRAIN, *GOOD)
    call(*TRAIN, *GOOD)
    with closing(SqliteJournal(folder / ".handrail" / "runs.db")) as journal:
        for number in (child_number(1, 2), child_number(2, 2), 2):
            journal.claim(number).release()
    dead = _dead_numbers(call, folder)
    assert dead == ["2", "1.2"]


def _dead_numbers(call: Call, folder: Path) -> list[str]:
    """Return what a boot script would resume, without starting a process for each."""
    begun: list[str] = []

    def begin(words: Sequence[str]) -> tuple[int, bool]:
        begun.append(words[1])
        return 0, False

    with patch.object(recover_all, "_in_process", begin):
        assert call("resume", "--all-dead").code == 0
    return begun


def test_shells_complete_the_runs_of_a_sweep_behind_a_dot(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(*TRAIN, *GOOD)
    capsys.readouterr()
    for words, found in (("show ", ["1"]), ("show 1.", ["1.1", "1.2", "1.3"])):
        monkeypatch.setenv("_HANDRAIL_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", f"handrail {words}")
        monkeypatch.setenv("COMP_CWORD", "2")
        with pytest.raises(SystemExit):
            main([])
        assert [line.split(",")[1] for line in capsys.readouterr().out.split()] == found
        monkeypatch.delenv("_HANDRAIL_COMPLETE")


@pytest.mark.parametrize("words", [("resume",), ("show",), ("rollback", "--dry-run")])
def test_no_run_of_a_sweep_is_the_latest_run(call: Call, words: tuple[str, ...]) -> None:
    call(*TRAIN, *MIXED)
    told = call(*words)
    assert "run 1 · " in told.out + told.err
    assert "run 1.4 · " not in told.out + told.err


def test_runs_are_pruned_with_their_sweep(call: Call, folder: Path) -> None:
    call(*TRAIN, *GOOD)
    assert call("runs", "prune", "--older-than", "0s").out == "4 runs deleted\n"
    assert children(call) == {}


def test_the_doctor_looks_at_the_runs_of_sweeps(call: Call, folder: Path) -> None:
    call(*TRAIN, *GOOD)
    checked = call("doctor", "--journal")
    assert checked.code == 0
    assert "4 runs" in checked.out
    with sqlite3.connect(folder / ".handrail" / "runs.db") as damaged:
        damaged.execute("UPDATE attempt SET result = '{}' WHERE run < -1000003000 AND step = 'fit'")
    found = call("doctor", "--journal", "--json")
    assert found.code == 7
    assert "run 1.3 is damaged" in found.out


def test_failed_runs_of_a_completed_sweep_are_tried_again(call: Call, folder: Path) -> None:
    assert call(*TRAIN, *MIXED, "--max-failed", "2").code == 0
    assert call("resume", "1").out == "run 1 is completed; there is nothing to resume\n"
    (folder / "mended").touch()
    again = call("resume", "1", "--failed-only")
    assert (again.code, again.lines[0]) == (0, "4 of 4 runs completed"), again.err
    assert models(folder) == ["10-0.1", "10-2.0", "20-0.1", "20-2.0"]
    assert calls(folder).count("fit 10 0.1") == 1
    assert children(call)["1.4.2"] == "completed"
