"""Runs the real command in a fresh process, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder, with a space in its name."""
    made = tmp_path / "a project"
    made.mkdir()
    return made


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the variables of the process: nothing of Handrail's, and a cache of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HANDRAIL_")}
    return {**kept, "NO_COLOR": "1"}


@pytest.fixture
def handrail(
    folder: Path, environment: dict[str, str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs `handrail` with arguments in the folder."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "handrail", *arguments],
            cwd=folder,
            env={**environment, **variables},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    return run
