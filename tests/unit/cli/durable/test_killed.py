"""Runs that were killed: shown, finished and undone by other processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from durable_runs import Run, made, runs, states

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.


def test_a_killed_run_is_shown(handrail: Run, killed: Callable[..., None]) -> None:
    """What was done, what was not, what is recorded, who had it, and both ways out."""
    killed()
    told = handrail("show").stdout
    head = " ".join(told.splitlines()[:2])
    assert head.startswith("run 1 · durable.py:job · interrupted   owner pid ")
    assert " is gone, heard of last at " in head
    [line] = [line for line in told.splitlines() if line.startswith("second")]
    assert line.split() == ["second", "interrupted", "-", "files:", "1"]
    assert "+ 1 not started: mail" in told
    assert "finish  handrail resume 1      undoes what second recorded, and runs it again" in told
    assert "undo    handrail rollback 1    undoes second, first" in told
    assert states(handrail, 1) == {
        "first": "done",
        "second": "interrupted",
        "mail": "not started",
    }
    listed = handrail("runs").stdout.splitlines()[1]
    assert listed.startswith("1    interrupted  durable.py:job")
    assert listed.endswith("handrail resume 1")


def test_a_killed_run_is_finished(handrail: Run, folder: Path, killed: Callable[..., None]) -> None:
    """Elsewhere: the interrupted step once more, what was done not, the context as it was."""
    killed()
    (folder / "open").touch()
    done = handrail("resume")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("run 1 · durable.py:job · interrupted, started ")
    assert "✓ first" not in done.stderr
    assert (folder / "über.txt").read_text() == "made\n"
    assert (folder / "seen.txt").read_text() == "first second"
    assert runs(handrail) == {1: "completed"}
    again = handrail("resume", "1")
    assert (again.returncode, again.stdout) == (
        0,
        "run 1 is completed; there is nothing to resume\n",
    )


def test_a_killed_run_is_undone(handrail: Run, folder: Path, killed: Callable[..., None]) -> None:
    killed()
    assert made(folder) == {"first.txt", "über.txt"}
    done = handrail("rollback", "1", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("job rolled back in ")
    assert made(folder) == set()
    assert runs(handrail) == {1: "rolled back"}
    assert handrail("rollback", "1", "--yes").returncode == 0
    assert handrail("resume", "1").returncode == 2


def test_a_completed_run_is_undone(handrail: Run, folder: Path) -> None:
    """Also later, and what has no rollback is named."""
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a")
    assert "not undone: mail (it has no way back)" in handrail("show").stdout
    done = handrail("rollback", "1", "--yes")
    assert done.returncode == 0, done.stderr
    assert made(folder) == {"seen.txt"}


def test_an_undo_that_was_asked_for_tells_of_no_error(handrail: Run, folder: Path) -> None:
    """A program that reads the events learns that nothing went wrong."""
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a")
    finished = handrail("rollback", "1", "--yes", "--json").events[-2]
    assert (finished["event"], finished["outcome"]) == ("RunFinished", "rolled_back")
    assert finished["error"] is None


def test_a_failure_is_kept_where_that_is_asked(handrail: Run, folder: Path) -> None:
    """It ends with 6 and both ways out; resume runs the failed step again, and goes on."""
    (folder / "open").touch()
    (folder / "broken").touch()
    done = handrail("run", "durable.py:job", "a", "--on-failure", "keep")
    assert done.returncode == 6
    assert "what was done is kept" in done.stderr
    assert "  finish  handrail resume 1\n  undo    handrail rollback 1\n" in done.stderr
    assert made(folder) == {"first.txt", "a.txt"}
    assert runs(handrail) == {1: "failed (kept)"}
    again = handrail("resume", "1", "--on-failure", "keep")
    assert again.returncode == 6
    (folder / "broken").unlink()
    assert handrail("resume", "1").returncode == 0
    assert (folder / "a.txt").read_text() == "made\n"


def test_from_another_folder(
    handrail: Run, folder: Path, tmp_path: Path, killed: Callable[..., None]
) -> None:
    """A run goes on in its own working folder, wherever one stands."""
    killed()
    (folder / "open").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    journal = str(folder / ".handrail" / "runs.db")
    done = handrail("resume", "1", "--journal", journal, cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert (folder / "seen.txt").exists()
    assert list(elsewhere.iterdir()) == []
    assert handrail("show", "1", cwd=elsewhere, HANDRAIL_JOURNAL=journal).returncode == 0
    missing = handrail("show", "1", cwd=elsewhere)
    assert missing.returncode == 2
    assert "there is not a journal at" in missing.stderr


def test_a_program_is_found_again(handrail: Run, folder: Path, killed: Callable) -> None:
    """`name.main()` keeps its runs as `handrail run` does, and `handrail resume` finds it."""
    killed("durable.py", "a")
    (folder / "open").touch()
    done = handrail("resume")
    assert done.returncode == 0, done.stderr
    assert made(folder) == {"first.txt", "a.txt", "seen.txt"}


def test_the_part_of_the_plan_is_the_same(handrail: Run, folder: Path, killed: Callable) -> None:
    """What --skip left out of a run is left out when it goes on."""
    killed("-m", "handrail", "run", "durable.py:job", "a", "--skip", "mail", "--skip", "first")
    (folder / "open").touch()
    done = handrail("resume", "1")
    assert done.returncode == 0, done.stderr
    assert made(folder) == {"a.txt"}


def test_secrets_are_read_again(handrail: Run, folder: Path, killed: Callable[..., None]) -> None:
    """A secret is not in the journal; where its variable is not set, nothing is touched."""
    killed(*("-m", "handrail", "run", "durable.py:job", "a"), HANDRAIL_JOB_TOKEN="hunter2-and-more")
    files = list((folder / ".handrail").glob("runs.db*"))
    assert not any(b"hunter2" in file.read_bytes() for file in files)
    (folder / "open").touch()
    refused = handrail("resume", "1")
    assert refused.returncode == 2
    assert "HANDRAIL_JOB_TOKEN" in refused.stderr
    assert runs(handrail) == {1: "interrupted"}
    assert handrail("resume", "1", HANDRAIL_JOB_TOKEN="x").returncode == 0


def test_secrets_from_other_variables(handrail: Run, folder: Path, killed: Callable) -> None:
    """A variable that was named for a secret is read again, a list of secrets as JSON."""
    given = {"OTHER": "hunter2", "HANDRAIL_JOB_TOKENS": '["one-secret", "another"]'}
    killed("-m", "handrail", "run", "durable.py:job", "a", "--token-env", "OTHER", **given)
    (folder / "open").touch()
    refused = handrail("resume", "1", OTHER="hunter2", HANDRAIL_JOB_TOKENS="[")
    assert refused.returncode == 2
    assert "HANDRAIL_JOB_TOKENS, which has to hold JSON" in refused.stderr
    done = handrail("resume", "1", **given)
    assert done.returncode == 0, done.stderr


def test_steps_that_changed_stop_it(handrail: Run, folder: Path, killed: Callable) -> None:
    """Where a step that had begun is gone, it needs --accept-drift; the rest may change."""
    killed()
    source = (folder / "durable.py").read_text()
    changed = source.replace("[first, second, mail]", "[second, mail]")
    (folder / "durable.py").write_text(changed)
    refused = handrail("rollback", "1", "--yes")
    assert refused.returncode == 3
    assert "first is not in the plan any more" in refused.stderr
    assert "--accept-drift" in refused.stderr
    (folder / "durable.py").write_text(source.replace("second, mail]", "second]"))
    done = handrail("rollback", "1", "--yes")
    assert done.returncode == 0, done.stderr
    assert "since run 1 began: mail is gone" in done.stderr
