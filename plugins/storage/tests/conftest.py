"""What the tests of stores share: an environment that knows of no cloud."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CLOUDS = ("AWS_", "AZURE_", "GOOGLE_")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, in an environment that knows of no cloud."""
    for name in os.environ:
        if name.startswith(CLOUDS):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder
