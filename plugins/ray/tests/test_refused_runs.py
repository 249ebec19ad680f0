"""Runs that a Ray cluster cannot work for are refused before they begin, whoever names it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from durable_runs import Run, caller, runs

from handrail_ray import executor

FLOWS = """
from pathlib import Path
from pydantic import BaseModel
from handrail import action, step

class Params(BaseModel):
    name: str = "a"

@step
def make(context):
    Path("made").touch()

@make.rollback
def unmake(context, result):
    Path("made").unlink(missing_ok=True)

@step
def fail(context):
    if not Path("mended").exists():
        raise ValueError("not yet")

maker = action("maker", [make, fail], params=Params)
"""
CLIENT = "ray://head:10001"
DATABASE = "postgresql://ada@db.example.org/runs"  # Nobody connects to it.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "flows.py").write_text(FLOWS)
    return folder


@pytest.fixture
def handrail(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HANDRAIL_")}
    ours = {"NO_COLOR": "1", "COLUMNS": "200"}
    return caller(folder, tmp_path, {**kept, "RAY_ADDRESS": "", **ours}, monkeypatch, capfd)


@pytest.mark.parametrize("more", [(), ("--over", "name=a,b"), ("--dry-run",), ("--no-journal",)])
@pytest.mark.parametrize("how", ["option", "variable", "project"])
def test_a_journal_in_a_file_is_refused(
    handrail: Run, folder: Path, how: str, more: tuple[str, ...]
) -> None:
    """Also for sweeps and dry runs; nothing is made, not even the journal."""
    if how == "project":
        (folder / "handrail.toml").write_text('[executor]\nurl = "ray"\n')
    before = sorted(folder.iterdir())
    words = ("--executor", "ray:4") if how == "option" else ()
    variables = {"HANDRAIL_EXECUTOR": "ray"} if how == "variable" else {}
    if "--over" in more and how == "option":
        words = ("--executor", "ray", "--concurrency", "2")
    done = handrail("run", "flows.py:maker", *more, *words, **variables)
    assert done.returncode == 2, done.stderr
    assert "which only this machine reaches" in done.stderr
    assert "handrail-postgres" in done.stderr
    assert "--executor processes" in done.stderr
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (("--executor", CLIENT), {}),
        ((), {"HANDRAIL_EXECUTOR": CLIENT}),
        (("--executor", "ray"), {"RAY_ADDRESS": CLIENT}),
    ],
)
def test_the_ray_client_is_refused(
    handrail: Run, words: tuple[str, ...], variables: dict[str, str]
) -> None:
    """Before anybody connects to the journal."""
    done = handrail("run", "flows.py:maker", *words, "--journal", DATABASE, **variables)
    assert done.returncode == 2, done.stderr
    assert "is an address of the Ray client" in done.stderr
    assert "inside the cluster" in done.stderr


def test_a_recorded_run_stays_as_it_is(handrail: Run, folder: Path) -> None:
    """A resume and an undo with it are refused; without it they go on."""
    assert handrail("run", "flows.py:maker", "--on-failure", "keep").returncode == 6
    before = runs(handrail)
    (folder / "mended").touch()
    for command in (("resume", "1"), ("rollback", "1", "--yes"), ("rollback", "1", "--dry-run")):
        done = handrail(*command, "--executor", "ray")
        assert done.returncode == 2, done.stderr
        assert "which only this machine reaches" in done.stderr
    assert runs(handrail) == before
    assert (folder / "made").exists()
    assert handrail("resume", "1").returncode == 0


def test_an_undo_without_items_needs_no_executor(
    handrail: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither that of the run, which may be gone, nor that of the settings."""
    with monkeypatch.context() as patched:
        patched.setattr(executor.RayExecutor, "__init__", lambda self, url, host: None)
        begun = handrail("run", "flows.py:maker", "--executor", "ray", "--on-failure", "keep")
        assert begun.returncode == 6, begun.stderr
    assert handrail("resume", "1").returncode == 2
    done = handrail("rollback", "1", "--yes", HANDRAIL_EXECUTOR="ray")
    assert done.returncode == 0, done.stderr
    assert not (folder / "made").exists()


def test_ray_that_is_not_there_is_told(handrail: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a version of Python for which there is none yet."""
    monkeypatch.setattr(executor, "find_spec", lambda name: None)
    done = handrail("run", "flows.py:maker", "--executor", "ray", "--journal", DATABASE)
    assert done.returncode == 2
    assert "Ray is not installed here" in done.stderr
