"""Trainings and exports whose journal is in PostgreSQL are killed, and go on in another process."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

ROWS = 400_000
ROW = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {rows}) {rest}"

# What is run, the line after which it is killed, and where its result is.
RUNS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "train": (("train", "digits", "--epochs", "25"), "epoch=3 ", "models"),
    "export": (("export", "rows.db", "out.csv", "--table", "rows"), "fetch_results", "out.csv"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with a table."""
    with closing(sqlite3.connect(tmp_path / "rows.db")) as database, database:
        database.execute("CREATE TABLE rows (id INTEGER, text TEXT)")
        database.execute(
            ROW.format(rows=ROWS, rest="INSERT INTO rows SELECT id, 'text ' || id FROM n")
        )
    return tmp_path


@pytest.mark.parametrize("name", RUNS if "HANDRAIL_FAULTS" in os.environ else ["export"])
def test_killed_and_finished_and_undone(folder: Path, postgres: Any, name: str) -> None:
    """The result is whole after a resume, and gone after a rollback; the source stays."""
    run, line, result = RUNS[name]
    command = [sys.executable, "-m", "handrail"]
    environment = {
        **{each: text for each, text in os.environ.items() if not each.startswith("HANDRAIL_")},
        "HANDRAIL_JOURNAL": postgres.database(),
        "PYTHONUNBUFFERED": "1",
    }

    def handrail(*words: str) -> str:
        done = subprocess.run(
            [*command, *words],
            check=False,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    before = {path.name for path in folder.iterdir()}
    killed = subprocess.Popen(
        [*command, "run", *run],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert killed.stdout is not None
    told = ""
    for told in killed.stdout:
        if line in told:
            killed.kill()
            break
    killed.stdout.close()
    assert killed.wait() < 0, told
    assert "interrupted" in handrail("runs")
    handrail("resume")
    assert "completed" in handrail("runs")
    if name == "export":
        assert len((folder / result).read_text().splitlines()) == ROWS + 1
        handrail("export", "verify")
    else:
        assert "digits@1" in handrail("models", "list")
    handrail("rollback", "1", "--yes")
    assert "rolled back" in handrail("runs")
    left = {path.name for path in folder.iterdir()} - {".handrail"}
    assert left == before
