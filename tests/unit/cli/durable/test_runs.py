"""A run from the command line: its number, its journal, its traceback, and what is listed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from durable_runs import Run, made, runs

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.


def test_a_run_has_a_number_and_says_what_can_be_done(handrail: Run, folder: Path) -> None:
    (folder / "open").touch()
    done = handrail("run", "durable.py:job", "a")
    assert done.returncode == 0
    head = done.stderr.splitlines()[0]
    assert head.startswith("run 1 · job · plan ")
    assert head.endswith(" · journal .handrail/runs.db")
    assert done.stdout.splitlines()[-1] == "  see  handrail show 1     undo  handrail rollback 1"
    assert handrail("run", "durable.py:job", "a").stderr.startswith("run 2 · ")
    assert (folder / ".handrail").stat().st_mode & 0o777 == 0o700
    assert (folder / ".handrail" / "runs.db").stat().st_mode & 0o777 == 0o600


def test_the_traceback_of_a_failure_is_kept(handrail: Run, folder: Path) -> None:
    (folder / "open").touch()
    (folder / "broken").touch()
    done = handrail("run", "durable.py:job", "a")
    assert done.returncode == 1
    assert "  full    handrail show 1 --traceback\n" in done.stderr
    assert "Traceback" not in done.stderr
    told = handrail("show", "1", "--traceback").stdout
    assert told.startswith("run 1 · second · failed: it is broken")
    assert "Traceback (most recent call last):" in told
    assert 'raise ValueError("it is broken")' in told


def test_keeping_is_offered_where_something_was_done(handrail: Run, folder: Path) -> None:
    """A run that failed at its first step has nothing that could have been kept."""
    (folder / "open").touch()
    (folder / "broken").touch()
    assert "--on-failure keep" in handrail("run", "durable.py:job", "a").stderr
    first = handrail("run", "durable.py:undoing")
    assert "full    handrail show 2" in first.stderr
    assert "--on-failure keep" not in first.stderr


def test_without_a_journal(handrail: Run, folder: Path) -> None:
    """Nothing is written for it, but the plan that is compared with the next one."""
    (folder / "open").touch()
    done = handrail("run", "durable.py:job", "a", "--no-journal")
    assert done.returncode == 0
    assert done.stderr.startswith("job · 3 steps · plan ")
    assert not (folder / ".handrail" / "runs.db").exists()
    assert "show" not in done.stdout
    assert handrail("runs").stdout == "no runs yet; handrail run ACTION makes one\n"
    dry = handrail("run", "durable.py:job", "a", "--dry-run")
    assert dry.returncode == 0
    assert not (folder / ".handrail" / "runs.db").exists()
    both = handrail("run", "durable.py:job", "a", "--no-journal", "--on-failure", "keep")
    assert both.returncode == 2


def test_a_context_that_cannot_be_kept(handrail: Run, folder: Path) -> None:
    """One error before the first step, with the ways out."""
    done = handrail("run", "durable.py:odd")
    assert done.returncode == 2
    assert "Odd." in done.stderr
    assert "--no-journal" in done.stderr
    assert made(folder) == set()
    assert runs(handrail) == {}


def test_lists_import_neither_pydantic_nor_code_of_runs(handrail: Run, folder: Path) -> None:
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a")
    (folder / "durable.py").write_text("raise SystemExit('imported')")
    for words in (["runs"], ["show"], ["show", "1", "--traceback"]):
        code = (
            "import sys; from handrail.cli import main; main(sys.argv[1:]);"
            "print(sorted({'pydantic', 'pluggy', 'durable'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == "[]"
