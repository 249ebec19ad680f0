"""Runs with items, and isolated steps, where this pack is switched off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FLOWS = """
from pathlib import Path
from handrail import action, step

def make(item, item_context):
    item_context.record_rollback("file", f"{item}.txt")
    Path(f"{item}.txt").touch()

def remove(item, item_context, data):
    for name in data.get("file", []):
        Path(name).unlink(missing_ok=True)

@step
def many(context):
    context.map_items(make, range(3), rollback=remove, executor="threads:1")

@step
def fail(context):
    raise ValueError("no")

@step(isolated=True)
def apart(context):
    pass

mapped = action("mapped", [many, fail])
alone = action("alone", [apart])
"""
OFF = ("--no-pack", "handrail-workers")
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def handrail(tmp_path: Path) -> Run:
    """Call a command in a folder with two workflows."""
    (tmp_path / "flows.py").write_text(FLOWS)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "handrail", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def made(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.txt"))


def test_a_run_with_items_is_neither_resumed_nor_undone(handrail: Run, tmp_path: Path) -> None:
    """Nothing is touched, and with the pack the undo is whole."""
    assert handrail("run", "flows.py:mapped", "--on-failure", "keep").returncode == 6
    settings = tmp_path / "handrail.toml"
    settings.write_text('[packs]\ndisable = ["handrail-workers"]\n')
    for words in (("resume", "1"), ("rollback", "1", "--yes")):
        done = handrail(*words)
        assert done.returncode == 4, done.stderr
        assert "map_items needs handrail-workers, which is off" in done.stderr
    assert made(tmp_path) == ["0.txt", "1.txt", "2.txt"]
    settings.unlink()
    assert handrail("rollback", "1", "--yes").returncode == 0
    assert made(tmp_path) == []


def test_a_plan_with_an_isolated_step_is_refused(handrail: Run) -> None:
    done = handrail("run", "flows.py:alone", *OFF)
    assert done.returncode == 3
    assert "step 'apart' is isolated, which needs handrail-workers, which is off" in done.stderr
