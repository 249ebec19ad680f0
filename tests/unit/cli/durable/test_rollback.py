"""`handrail rollback`: what it shows, whom it asks, and which run it takes."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from durable_runs import Run, made, runs
from resealing import reseal

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

Killed = Callable[..., None]
Answer = Callable[..., tuple[int, str]]

PREVIEWED = """
from pathlib import Path
from handrail import BaseStep, StepResult, action, step

class Stores(BaseStep):
    name = "stores"
    progress_weight = 1.0
    def execute(self, context):
        context.record_rollback("files", "stored.txt")
        Path("stored.txt").touch()
        return StepResult()
    def rollback(self, context, result):
        for name in result.rollback_data.get("files", []):
            Path(name).unlink(missing_ok=True)
    def preview_rollback(self, context, result):
        yield f"{len(result.rollback_data['files'])} file deleted (0 B)"
        yield f"from {context.run_id[:2]}"

class Cannot(Stores):
    name = "cannot"
    def preview_rollback(self, context, result):
        raise OSError("the disk is away")

@step
def mail(context):
    Path("sent").touch()

previewed = action("previewed", [Stores(), Cannot(), mail])
"""


@pytest.fixture
def at_terminal(folder: Path, environment: dict[str, str]) -> Answer:
    """Call `handrail` at a terminal, and type `text`; return its exit code and what it showed."""

    def call(text: str, *words: str) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "handrail", *words],
            cwd=folder,
            env={**environment, "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as process:
            os.close(theirs)
            os.write(ours, text.encode())
            shown = b""
            while True:
                try:
                    shown += os.read(ours, 65536)
                except OSError:  # Its end is closed.
                    break
        os.close(ours)
        return process.returncode, shown.decode().replace("\r\n", "\n")

    return call


@pytest.fixture
def completed(handrail: Run, folder: Path) -> Path:
    """Complete run 1."""
    (folder / "open").touch()
    assert handrail("run", "durable.py:job", "a").returncode == 0
    return folder


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / ".handrail" / "runs.db")) as journal, journal:
        journal.execute(statement)
        reseal(journal)


# What it shows


def test_it_shows_what_each_step_will_undo_and_what_cannot_be_undone(
    handrail: Run, folder: Path
) -> None:
    """In the words of the step, else by what it recorded; the last step first."""
    (folder / "flows.py").write_text(PREVIEWED)
    assert handrail("run", "flows.py:previewed").returncode == 0
    shown = handrail("rollback", "1", "--dry-run")
    assert (shown.returncode, shown.stderr) == (0, "")
    head, *lines = shown.stdout.splitlines()
    assert head.startswith("run 1 · flows.py:previewed · completed 0.")
    assert lines[0] == " ↶ cannot  cannot be previewed: the disk is away"
    assert lines[1] == " ↶ stores  1 file deleted (0 B)"
    assert lines[2].startswith("           from ")
    assert lines[3] == "   not undone: mail (it has no way back)"
    assert (folder / "stored.txt").exists()
    assert runs(handrail) == {1: "completed"}


def test_a_dry_run_is_one_object_of_json(handrail: Run, completed: Path) -> None:
    """For programs, with what each step recorded."""
    (found,) = handrail("rollback", "1", "--dry-run", "--json").events
    assert (found["event"], found["run"], found["state"]) == ("RollbackPreview", 1, "completed")
    assert [each["step"] for each in found["undo"]] == ["second", "first"]
    assert found["undo"][0]["recorded"] == {"files": 1}
    assert (found["not_undone"], found["may_have_left"]) == (["mail"], [])
    assert found["project"] == str(completed)


def test_the_preview_says_which_runs_rely_on_it(handrail: Run, completed: Path) -> None:
    """For people and for programs."""
    assert handrail("run", "durable.py:job", "b").returncode == 0
    change(completed, "INSERT INTO reliance SELECT 2, uid FROM run WHERE id = 1")
    assert "relied on by run 2" in handrail("rollback", "1", "--dry-run").stdout
    (found,) = handrail("rollback", "1", "--dry-run", "--json").events
    assert found["relied_on_by"] == [2]


def test_a_dry_run_of_what_cannot_be_undone_ends_as_the_rollback_would(
    handrail: Run, completed: Path
) -> None:
    """It says why, and nothing is shown."""
    change(completed, "UPDATE run SET sealed = 'the originals are gone'")
    assert handrail("rollback", "1", "--dry-run").returncode == 5
    source = (completed / "durable.py").read_text()
    (completed / "durable.py").write_text(source.replace("[first, second, mail]", "[second]"))
    change(completed, "UPDATE run SET sealed = NULL")
    assert handrail("rollback", "1", "--dry-run").returncode == 3


def test_only_what_is_not_undone_yet_is_shown(handrail: Run, folder: Path, killed: Killed) -> None:
    """An undo that was stopped goes on with the rest."""
    killed()
    change(folder, "UPDATE run SET direction = 'undo'")
    change(folder, "UPDATE attempt SET state = 'undone' WHERE step = 'second'")
    shown = handrail("rollback", "1", "--dry-run").stdout
    assert "first" in shown
    assert "second" not in shown


# Whom it asks


def test_at_a_terminal_it_asks_and_no_touches_nothing(
    handrail: Run, completed: Path, at_terminal: Answer
) -> None:
    """No is what Return means; it ends with 130, and `yes` undoes."""
    for text in ("\n", "n\n"):
        code, shown = at_terminal(text, "rollback", "1")
        assert code == 130
        assert "Undo it? [y/N]" in shown
        assert "↶ second" in shown
        assert shown.rstrip().endswith("nothing was undone")
        assert runs(handrail) == {1: "completed"}
    code, shown = at_terminal("y\n", "rollback", "1")
    assert (code, runs(handrail)) == (0, {1: "rolled back"})
    assert made(completed) == {"seen.txt"}


def test_at_a_terminal_it_asks_about_an_interrupted_run_too(
    handrail: Run, killed: Killed, at_terminal: Answer
) -> None:
    killed()
    assert at_terminal("n\n", "rollback")[0] == 130
    assert runs(handrail) == {1: "interrupted"}


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_at_the_question_means_no(
    handrail: Run, folder: Path, environment: dict[str, str], completed: Path, name: str
) -> None:
    """It ends with 130 and touches nothing."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "handrail", "rollback", "1"],
        cwd=folder,
        env={**environment, "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(ours, 65536)
        process.send_signal(getattr(signal, name))
        with contextlib.suppress(OSError):  # Its end is closed.
            while True:
                if select.select([ours], [], [], 2.0)[0]:
                    shown += os.read(ours, 65536)
                else:  # It came just before the process waited for the answer.
                    process.send_signal(getattr(signal, name))
    os.close(ours)
    assert process.returncode == 130
    assert shown.decode().rstrip().endswith("nothing was undone")
    assert runs(handrail) == {1: "completed"}


def test_yes_asks_nothing_and_all_dead_neither(
    handrail: Run, completed: Path, killed: Killed, at_terminal: Answer
) -> None:
    code, shown = at_terminal("", "rollback", "1", "--yes")
    assert (code, "Undo it?" in shown) == (0, False)
    (completed / "open").unlink()
    killed()
    code, shown = at_terminal("", "rollback", "--all-dead")
    assert (code, "Undo it?" in shown) == (0, False)
    assert set(runs(handrail).values()) == {"rolled back"}


def test_without_a_terminal_what_was_done_or_kept_needs_yes(handrail: Run, completed: Path) -> None:
    """The commands to see and to do it are there to be copied."""
    (completed / "broken").touch()
    assert handrail("run", "durable.py:job", "b", "--on-failure", "keep").returncode == 6
    for number, state in ((1, "is completed"), (2, "was kept after a failure")):
        refused = handrail("rollback", str(number))
        assert refused.returncode == 2
        assert (
            f"run {number} {state}; without a terminal its rollback needs --yes" in refused.stderr
        )
        assert f"  do    handrail rollback {number} --yes" in refused.stderr
    bare = handrail("rollback", "--json").events
    assert bare[0]["error"]["code"] == "needs-yes"
    assert runs(handrail) == {2: "failed (kept)", 1: "completed"}


def test_without_a_terminal_an_interrupted_run_is_undone(
    handrail: Run, folder: Path, killed: Killed
) -> None:
    """Its undo gives up nothing that was finished."""
    killed()
    done = handrail("rollback")
    assert done.returncode == 0, done.stderr
    assert made(folder) == set()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--yes"], "--yes needs the number of the run"),
        (["--all-dead", "--dry-run"], "--all-dead takes no --dry-run"),
        (["--all-dead", "1"], "--all-dead takes no number"),
        (["--all-projects"], "--all-projects goes with --all-dead"),
        (["--all-dead", "--all-projects", "--project", "x"], "--all-projects takes no --project"),
        (["1", "--project", "x"], "a number names the run"),
    ],
)
def test_words_that_do_not_go_together_are_refused(
    handrail: Run, completed: Path, words: list[str], message: str
) -> None:
    refused = handrail("rollback", *words)
    assert (refused.returncode, runs(handrail)) == (2, {1: "completed"})
    assert message in refused.stderr


def test_what_another_process_did_between_question_and_answer_stops_the_undo(
    handrail: Run, completed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what was shown is undone."""

    def answer(*_words: object, **_more: object) -> bool:
        change(completed, "UPDATE run SET fence = fence + 1")
        return True

    monkeypatch.setattr("click.confirm", answer)
    monkeypatch.setattr("handrail.builtin.cli.commands.rollback._is_terminal", lambda: True)
    refused = handrail("rollback", "1")
    assert refused.returncode == 5
    assert "another process has worked on run 1 meanwhile; nothing was undone" in refused.stderr
    assert runs(handrail) == {1: "completed"}


# Which run it takes


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (
            "sealed = 'the originals are gone'",
            "the latest run of this project cannot be undone: run 2 cannot be rolled back any more",
        ),
        ("outcome = 'rolled_back'", "run 2 was rolled back"),
    ],
)
def test_without_a_number_an_older_run_is_never_undone(
    handrail: Run, completed: Path, statement: str, why: str
) -> None:
    """Where the latest one cannot be undone it says why, and stops."""
    assert handrail("run", "durable.py:job", "b").returncode == 0
    change(completed, f"UPDATE run SET {statement} WHERE id = 2")
    before = made(completed)
    refused = handrail("rollback")
    assert (refused.returncode, why in refused.stderr) == (5, True), refused.stderr
    assert runs(handrail)[1] == "completed"
    assert made(completed) == before


@pytest.fixture
def shared(completed: Path, handrail: Run, environment: dict[str, str]) -> tuple[Path, Path]:
    """Two projects with one journal: run 1 is of the first, run 2 of the second."""
    other = completed.parent / "other"
    other.mkdir()
    for name in ("durable.py", "open"):
        (other / name).write_bytes((completed / name).read_bytes())
    environment["HANDRAIL_JOURNAL"] = str(completed / ".handrail" / "runs.db")
    assert handrail("run", "durable.py:job", "b", cwd=other).returncode == 0
    return completed, other


def test_a_run_of_another_project_is_not_taken(handrail: Run, shared: tuple[Path, Path]) -> None:
    """It is named, and there is no command to copy."""
    ours, theirs = shared
    change(ours, "UPDATE run SET outcome = NULL, closed = NULL, lease_until = NULL")
    done = handrail("rollback", cwd=ours)
    assert done.returncode == 0, done.stderr
    assert runs(handrail) == {2: "interrupted", 1: "rolled back"}
    assert made(theirs) == {"first.txt", "b.txt", "seen.txt"}
    none = handrail("rollback", cwd=ours.parent)
    assert none.returncode == 2
    assert "there is no run of this project in " in none.stderr
    assert f"  the latest one is run 2, of {theirs}\n" in none.stderr
    none = handrail("resume", cwd=ours)
    assert none.returncode == 2
    assert f"  the latest one is run 2, of {theirs}\n" in none.stderr
    assert "handrail r" not in none.stderr
    none = handrail("rollback", "--project", "typo", cwd=ours)
    assert "there is no run of the project typo in " in none.stderr
    head, _, first, *_ = handrail("runs", cwd=ours).stdout.splitlines()
    assert "  PROJECT  " in head
    assert f"{ours.name}  " in first


def test_another_project_is_named_by_its_folder_or_its_name(
    handrail: Run, shared: tuple[Path, Path]
) -> None:
    """Also where that folder has gone."""
    ours, theirs = shared
    for named in (theirs, theirs.relative_to(ours.parent)):
        shown = handrail("rollback", "--dry-run", "--project", str(named), cwd=ours.parent)
        assert shown.stdout.startswith("run 2 · durable.py:job · completed"), shown.stderr
        assert shown.stdout.splitlines()[0].endswith(f" · of {theirs}")
    change(ours, "UPDATE run SET project = 'photos' WHERE id = 1")
    shown = handrail("rollback", "--dry-run", "--project", "photos", cwd=theirs)
    assert shown.stdout.startswith("run 1 · "), shown.stderr
    (theirs / "handrail.toml").write_text('[project]\nname = "photos"\n')
    assert handrail("rollback", "--dry-run", cwd=theirs).stdout.startswith("run 1 · ")


def test_the_dead_runs_of_other_projects_are_left_to_them(
    handrail: Run, shared: tuple[Path, Path]
) -> None:
    """A boot script says `--all-projects`, and elsewhere they are counted."""
    ours, _ = shared
    change(ours, "UPDATE run SET outcome = NULL, closed = NULL, lease_until = NULL")
    none = handrail("rollback", "--all-dead", cwd=ours.parent)
    assert none.returncode == 0
    assert none.stdout.endswith("; 2 runs of other projects: --all-projects\n")
    assert handrail("rollback", "--all-dead", cwd=ours).returncode == 0
    assert runs(handrail) == {2: "interrupted", 1: "rolled back"}
    done = handrail("rollback", "--all-dead", "--all-projects", cwd=ours)
    assert done.returncode == 0, done.stderr
    assert runs(handrail) == {2: "rolled back", 1: "rolled back"}


def test_a_name_keeps_runs_together_where_the_folder_moves(
    handrail: Run, folder: Path, killed: Killed
) -> None:
    (folder / "handrail.toml").write_text('[project]\nname = "photos"\n')
    killed()
    moved = folder.parent / "moved"
    folder.rename(moved)
    listed = json.loads(handrail("runs", "--json", cwd=moved).stdout)["runs"]
    assert [each["project"] for each in listed] == ["photos"]
    done = handrail("rollback", "--folder", ".", cwd=moved)
    assert done.returncode == 0, done.stderr
    assert made(moved) == set()


# What is said of it afterwards


def test_sealed_runs_are_marked(handrail: Run, completed: Path) -> None:
    """So that nobody counts on their undo."""
    change(completed, "UPDATE run SET sealed = 'the originals are gone'")
    assert "completed, sealed" in handrail("runs").stdout
    assert "completed, sealed" in handrail("show").stdout.splitlines()[0]
    (listed,) = json.loads(handrail("runs", "--json").stdout)["runs"]
    assert (listed["state"], listed["sealed"]) == ("completed", "the originals are gone")


def test_the_time_between_a_run_and_its_undo_is_nobodys(handrail: Run, completed: Path) -> None:
    """`runs` and `show` say what the run took, and what its undo took."""
    long_ago = "2026-01-01T00:00:0{}.000Z"
    change(
        completed,
        f"UPDATE run SET opened = '{long_ago.format(0)}', claimed = '{long_ago.format(0)}', "
        f"closed = '{long_ago.format(2)}'",
    )
    assert handrail("rollback", "1", "--yes").returncode == 0
    (listed,) = json.loads(handrail("runs", "--json").stdout)["runs"]
    assert 2.0 <= listed["took"] < 4.0
    assert 0.0 < listed["undo_took"] < 2.0
    assert ", undo 0." in handrail("runs").stdout.splitlines()[1]
    assert " · took 2." in handrail("show", "1").stdout


def test_resuming_an_undo_says_that_it_was_asked_for(
    handrail: Run, folder: Path, killed: Killed
) -> None:
    """No step is blamed, and nothing is proposed that cannot be had any more."""
    killed()
    change(folder, "UPDATE run SET direction = 'undo'")
    done = handrail("resume")
    assert done.returncode == 1
    assert "error: run 1 · job was rolled back, as was asked before; it was not resumed\n" in (
        done.stderr
    )
    assert "failed at" not in done.stderr
    assert "--on-failure" not in done.stderr
    assert " · undoes what was done\n" in done.stderr
    again = handrail("rollback", "1")
    assert (again.returncode, again.stderr) == (0, "")


def test_a_resume_that_fails_proposes_no_run_that_keeps(
    handrail: Run, folder: Path, killed: Killed
) -> None:
    killed()
    (folder / "open").touch()
    (folder / "broken").touch()
    done = handrail("resume")
    assert (done.returncode, "--on-failure" in done.stderr) == (1, False)
