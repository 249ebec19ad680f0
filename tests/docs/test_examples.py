"""The first workflow of examples/ does what its description says."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
FIRST = EXAMPLES / "first_workflow"

Session = Callable[..., str]


def rows(store: Path) -> int:
    with closing(sqlite3.connect(store / "catalogue.db")) as db:
        count: int = db.execute("SELECT count(*) FROM readings").fetchone()[0]
        return count


def files(store: Path) -> list[str]:
    return sorted(
        path.relative_to(store).as_posix()
        for path in store.rglob("*")
        if path.is_file() and path.name != "catalogue.db"
    )


@pytest.fixture
def collect(shell_session: Session, tmp_path: Path) -> Callable[..., str]:
    def run(source: str, *more: str) -> str:
        words = ["handrail", "run", f"{FIRST}/flows.py:collect", str(FIRST / source)]
        line = shlex.join([*words, "--store", "store", *more])
        return shell_session(f"$ {line}\n$ echo exit $?\n", tmp_path)

    return run


def test_readings_are_collected_once(collect: Callable[..., str], tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert "exit 0" in collect("readings")
    assert rows(store) == 40
    first = files(store)
    assert len([name for name in first if name.startswith("files/")]) == 5
    assert len([name for name in first if name.endswith("manifest.json")]) == 1
    assert "exit 0" in collect("readings")
    assert files(store) == first
    assert rows(store) == 40


def test_a_failure_leaves_nothing_of_its_own(collect: Callable[..., str], tmp_path: Path) -> None:
    output = collect("broken_readings")
    assert "exit 1" in output
    assert "↶ store_files" in output
    assert files(tmp_path / "store") == []
    assert rows(tmp_path / "store") == 0


def test_a_failure_leaves_what_was_there(collect: Callable[..., str], tmp_path: Path) -> None:
    collect("readings")
    before = files(tmp_path / "store")
    assert "exit 1" in collect("broken_readings")
    assert files(tmp_path / "store") == before
    assert rows(tmp_path / "store") == 40


def test_a_malformed_file_stops_it_before_anything_is_touched(
    shell_session: Session, tmp_path: Path
) -> None:
    shutil.copytree(FIRST / "readings", tmp_path / "readings")
    (tmp_path / "readings" / "attic.csv").write_text("sensor,time,celsius\nattic,noon,warm\n")
    output = shell_session(
        f"$ handrail run '{FIRST}/flows.py:collect' readings --store store\n", tmp_path
    )
    assert "attic.csv, line 2" in output
    assert not (tmp_path / "store").exists()


def test_a_dry_run_touches_nothing(collect: Callable[..., str], tmp_path: Path) -> None:
    output = collect("readings", "--dry-run")
    assert "exit 0" in output
    assert "attic.csv -> files/" in output
    assert not (tmp_path / "store").exists()


def test_it_is_a_program_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, FIRST / "flows.py", FIRST / "readings", "--store", "s", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["event"] == "Result"


@pytest.mark.parametrize("pack", ["acme-audit", "acme-greet", "acme-policy", "acme-scan"])
def test_the_tests_of_the_sample_packs_pass(pack: str, tmp_path: Path) -> None:
    folder = EXAMPLES / pack
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    options = ["-c", "/dev/null", f"--rootdir={folder}"]
    done = subprocess.run(
        [*command, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
