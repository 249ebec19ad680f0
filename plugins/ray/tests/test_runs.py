"""A run on a cluster: killed workers and a killed run, resumed and undone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import connect
from ray_host import SECRET


class Project:
    """A folder with the workflow, and a journal."""

    def __init__(self, folder: Path, journal: str) -> None:
        self.folder = folder
        self._journal = journal
        shutil.copy(Path(__file__).with_name("copies.py"), folder)

    def handrail(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "handrail", *words, "--journal", self._journal]
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **variables, "HANDRAIL_EXECUTOR": "ray:2", "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=300,
            check=False,
        )

    def made(self) -> list[int]:
        return sorted(int(each.name) for each in (self.folder / "made").iterdir())


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_run_on_a_cluster_survives_kills_and_is_undone(tmp_path: Path, postgres_url: str) -> None:
    """Nothing is doubled, nothing is lost, and nothing is left after the undo.

    Workers are killed from inside chunks, and so is the run, whose worker goes on for a while.
    """
    project = Project(tmp_path, postgres_url)
    kills = {"KILL_WORKER_AT": "15 207", "KILL_RUN_AT": "300"}
    run = project.handrail("run", "copies.py:copies", **kills)
    assert run.returncode == -signal.SIGKILL, run.stdout
    assert (tmp_path / "worker-15").exists()
    assert 0 < len(project.made()) < 400
    resumed = project.handrail("resume", "1", **kills)
    assert resumed.returncode == 0, resumed.stdout
    assert project.made() == list(range(400))
    assert '"outcome": "completed"' in project.handrail("show", "1", "--json").stdout
    undone = project.handrail("rollback", "1", "--yes")
    assert undone.returncode == 0, undone.stdout
    assert project.made() == []


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_secrets_that_workers_have_are_not_in_the_journal(
    tmp_path: Path, postgres_url: str
) -> None:
    """Neither in what they write themselves, nor in results, errors and log lines."""
    project = Project(tmp_path, postgres_url)
    run = project.handrail("run", "copies.py:signed")
    assert run.returncode == 0, run.stdout
    kept = "\n".join(everything_in(postgres_url))
    assert SECRET not in kept
    assert kept.count('"by":["**********"],"key":"of-**********"') == 2
    assert "********** has expired" in kept
    assert '"with":"**********"' in kept


def everything_in(url: str) -> Iterator[str]:
    """Yield all rows of all tables of a database."""
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    with connect(url) as connection:
        for (table,) in connection.execute(tables).fetchall():
            rows = f"SELECT row_to_json(t)::text FROM {table} t".encode()
            for (row,) in connection.execute(rows):
                yield str(row).replace("\\", "")
