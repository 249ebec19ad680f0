"""Runs in PostgreSQL from the command line: killed, shown, finished, undone and deleted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from durable_runs import DURABLE, Run, caller, made, runs

Kill = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a workflow that waits to be killed."""
    (tmp_path / "durable.py").write_text(DURABLE)
    return tmp_path


@pytest.fixture
def environment(tmp_path: Path, place: str) -> dict[str, str]:
    """Variables with the journal among them, and nothing else of Handrail's."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HANDRAIL_")}
    return {**kept, "HANDRAIL_JOURNAL": place, "NO_COLOR": "1"}


@pytest.fixture
def handrail(
    folder: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    """Call `handrail` in this process."""
    return caller(folder, folder, environment, monkeypatch, capfd)


@contextmanager
def at_work(
    folder: Path, variables: Mapping[str, str], *words: str
) -> Iterator[subprocess.Popen[str]]:
    """A process of Python whose run is in the middle of the second step."""
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


@pytest.fixture
def killed(folder: Path, environment: dict[str, str]) -> Kill:
    """Run the job in a process of its own, and kill that in the middle of the second step."""

    def run_and_kill(*more: str, **variables: str) -> None:
        words = ["-m", "handrail", "run", "durable.py:job", "a", *more]
        with at_work(folder, {**environment, **variables}, *words) as process:
            process.kill()

    return run_and_kill


# It takes no Ctrl-C, like a process of another machine.
ELSEWHERE = """
import signal, sys
from handrail.cli import main
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.exit(main(["run", "durable.py:job", "a"]))
"""


def test_a_run_is_asked_to_stop(handrail: Run, folder: Path, environment: dict[str, str]) -> None:
    """Its owner reads that when it renews its lease, and undoes what it has done."""
    with at_work(folder, environment, "-c", ELSEWHERE) as process:
        assert "which reads that within seconds" in handrail("stop", "1").stdout
        assert process.wait(timeout=60) == 130
    assert runs(handrail) == {1: "rolled back"}
    assert made(folder) == set()


def test_a_killed_run_is_shown_finished_undone_and_deleted(
    handrail: Run, folder: Path, place: str, killed: Kill
) -> None:
    """With the variable; and nothing of it is in the project."""
    killed()
    assert handrail("show").stdout.startswith("run 1 · durable.py:job · interrupted\n  owner pid ")
    assert f"1 run in {place}" in handrail("runs").stdout
    assert "1 run can be finished or undone:  handrail runs" in handrail("doctor").stdout
    (folder / "open").touch()
    done = handrail("resume")
    assert done.returncode == 0, done.stderr
    assert f" · journal {place}" in done.stderr
    assert (folder / "seen.txt").read_text() == "first second"
    undone = handrail("rollback", "1", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert made(folder) == {"seen.txt"}
    assert runs(handrail) == {1: "rolled back"}
    assert handrail("runs", "prune", "--older-than", "0s").stdout == "1 run deleted\n"
    assert runs(handrail) == {}
    assert not (folder / ".handrail" / "runs.db").exists()


def test_the_option_and_the_project_name_a_database_too(
    handrail: Run, folder: Path, place: str, killed: Kill
) -> None:
    """The option goes before the variable; the project's setting is for who says nothing."""
    killed("--journal", place, HANDRAIL_JOURNAL="elsewhere.db")
    elsewhere = {"HANDRAIL_JOURNAL": "elsewhere.db"}
    assert runs(lambda *words: handrail(*words, **elsewhere), "--journal", place) == {
        1: "interrupted"
    }
    (folder / "handrail.toml").write_text(f'[journal]\nurl = "{place}"\n')
    unset = {"HANDRAIL_JOURNAL": ""}
    done = handrail("rollback", "--all-dead", **unset)
    assert done.returncode == 0
    assert made(folder) == set()
    assert runs(lambda *words: handrail(*words, **unset)) == {1: "rolled back"}


def test_a_server_that_is_down_is_told_and_nothing_is_run(handrail: Run, folder: Path) -> None:
    """One message, with the ways out; the one of `run` has another."""
    (folder / "open").touch()
    down = {"HANDRAIL_JOURNAL": "postgresql://postgres@127.0.0.1:1/acme"}
    run = handrail("run", "durable.py:job", "a", **down)
    assert run.returncode == 7
    assert "nothing was run" in run.stderr
    assert "--no-journal" in run.stderr
    assert made(folder) == set()
    for words in (["runs"], ["show", "1"], ["resume"], ["rollback", "1"], ["resume", "--all-dead"]):
        refused = handrail(*words, **down)
        assert refused.returncode == 7, words
        assert refused.stderr.count("error: ") == 1
        assert "127.0.0.1" in refused.stderr
    assert handrail("doctor", **down).returncode == 7


@pytest.mark.parametrize(
    ("url", "code", "message"),
    [
        ("{place}x", 7, "does not exist"),
        ("{place}?colour=red", 2, "colour"),
        ("postgresql://ada:hunter2@127.0.0.1/acme", 2, "has a password in it"),
        ("postgresql://[/acme", 2, "is not the URL of a database"),
    ],
)
def test_a_wrong_url_is_told(handrail: Run, place: str, url: str, code: int, message: str) -> None:
    """And its password is not."""
    told = handrail("runs", "--journal", url.format(place=place))
    assert told.returncode == code, told.stderr
    assert message in told.stderr
    assert "hunter2" not in told.stderr


def test_without_the_pack_it_is_named(handrail: Run) -> None:
    """Also where it is installed, and left out of this call."""
    told = handrail("runs", "--no-pack", "handrail-postgres")
    assert told.returncode == 2
    assert "error: no installed pack provides journals in 'postgresql:'" in told.stderr
    assert "is off: --no-pack" in told.stderr
