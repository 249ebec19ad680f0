"""What the tests of the train pack share: small tables, a training that is quick, and its world."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

# Threads are no help with tables this small, and those that wait for each other take the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from handrail_train import DefaultTrainAction


def table(rows: int = 60, *, seed: int = 1) -> str:
    """Return a CSV table with two columns of numbers that tell three classes apart."""
    chance = random.Random(seed)
    lines = ["length,width,kind"]
    for number in range(rows):
        place = number % 3
        values = (place * 2 + chance.random(), place - chance.random())
        lines.append(f"{values[0]:.4f},{values[1]:.4f},{'abc'[place]}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a test, with nothing in it."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def flowers(here: Path) -> Path:
    """A small table in the working folder."""
    path = here / "flowers.csv"
    path.write_text(table())
    return path


@pytest.fixture
def params(flowers: Path) -> Callable[..., dict[str, Any]]:
    """Make params for a training that takes a blink; a logistic regression unless told."""

    def make(**more: Any) -> dict[str, Any]:
        usual = {"data": flowers.name, "target": "kind", "kind": "sgd", "epochs": 3}
        return {**usual, **more}

    return make


class Tape:
    """Keeps what steps say."""

    def __init__(self) -> None:
        self.logged: list[tuple[str, Any]] = []
        self.progress: list[tuple[float, float, str | None]] = []
        self.metrics: list[tuple[str | None, dict[str, Any]]] = []

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        self.logged.append((event, dict(data)))

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        self.progress.append((current, total, category))

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        self.metrics.append((category, dict(value)))


@pytest.fixture
def tape() -> Tape:
    return Tape()


def files_in(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder with their content, but for what core keeps of runs."""
    names = ("runs.db", "owners", "plans", ".gitignore")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not (".handrail" in path.parts and any(n in str(path) for n in names))
    }


@pytest.fixture
def world() -> Callable[[Path], dict[str, bytes]]:
    return files_in


@pytest.fixture
def train() -> Callable[..., dict[str, Any]]:
    """Train with these params, and no packs."""

    def train(params: dict[str, Any], **more: Any) -> dict[str, Any]:
        result: dict[str, Any] = DefaultTrainAction(params, packs=()).run(**more)
        return result

    return train


@pytest.fixture
def handrail(here: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in the working folder, with this pack alone."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        kept = {name: each for name, each in os.environ.items() if not name.startswith("HANDRAIL_")}
        return subprocess.run(
            [sys.executable, "-m", "handrail", *words],
            cwd=here,
            env={**kept, "HANDRAIL_ONLY_PACKS": "handrail-train", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
