"""The kernel and SQLite's journal are enough for a durable run, its resume and its rollback.

Everything else of core cannot be imported in the processes of these tests, nor can our other
distributions, nor third-party packages that only they need.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core/src/handrail"
SUPPORT = ROOT / "tests/support"

# The folders of the kernel. Modules that are in no folder are the kernel's, but for PAGES, which
# are of others.
ROOMS = ("engine", "journal", "orchestrator", "packs", "params", "plan", "recovery")
PAGES = ("cli", "inspection", "local", "records", "targets")
THIRD_PARTY = ("click", "rich", "jinja2", "packaging")

# What the kernel still imports of others, with the reason: nothing.
NOT_YET: dict[str, str] = {}


def blocked() -> list[str]:
    folders = [path.parent.name for path in CORE.glob("*/__init__.py")]
    others = [name for name in folders if name not in (*ROOMS, "builtin")]
    built_in = [path.parent.name for path in CORE.glob("builtin/*/__init__.py")]
    own = [*others, *PAGES, *(f"builtin.{name}" for name in built_in if name != "sqlite")]
    plugins = [path.name for path in ROOT.glob("plugins/*/src/*") if path.is_dir()]
    return [*(f"handrail.{name}" for name in own), *plugins, *THIRD_PARTY]


def start(folder: Path, do: str, number: int, **more: str) -> subprocess.CompletedProcess[str]:
    excused = [f"handrail.{name}" for name in NOT_YET]
    told = [json.dumps(blocked()), json.dumps(excused), SUPPORT / "alone.py", do, str(number)]
    return subprocess.run(
        [sys.executable, SUPPORT / "blocking.py", *told],
        check=False,
        cwd=folder,
        env={"PATH": "", "HOME": str(folder), **more},
        capture_output=True,
        text=True,
        timeout=120,
    )


def answer(ran: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert ran.returncode == 0, ran.stderr
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


def uploaded(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "target").iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "source" / name).write_text(name)
    return tmp_path


def test_it_runs(folder: Path) -> None:
    assert answer(start(folder, "run", 1))["outcome"] == "completed"
    assert uploaded(folder) == ["a.txt", "b.txt"]


def test_a_killed_run_is_resumed(folder: Path) -> None:
    assert start(folder, "run", 1, DIES="yes").returncode == -signal.SIGKILL
    assert uploaded(folder) == ["a.txt"]
    assert answer(start(folder, "resume", 1))["outcome"] == "completed"
    assert uploaded(folder) == ["a.txt", "b.txt"]


def test_a_killed_run_is_rolled_back(folder: Path) -> None:
    assert start(folder, "run", 1, DIES="yes").returncode == -signal.SIGKILL
    assert answer(start(folder, "rollback", 1))["outcome"] == "rolled_back"
    assert uploaded(folder) == []


def test_what_is_excused_is_still_needed(folder: Path) -> None:
    """Whoever turns an import round deletes its line."""
    start(folder, "run", 1, DIES="yes")
    told = [answer(start(folder, "resume", 1)), answer(start(folder, "rollback", 1))]
    imported = {name for each in told for name in each["imported"]}
    assert [name for name in NOT_YET if f"handrail.{name}" not in imported] == []
