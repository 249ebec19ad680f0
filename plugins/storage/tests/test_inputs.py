"""What a param names is there, is what it has to be, and can be read; else one line says why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from handrail_storage.inputs import missing


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("file", "file", None),
        ("folder", "folder", None),
        ("file", "pipe", None),
        ("file", "none", "there is no file none"),
        ("folder", "none", "there is no folder none"),
        ("file", "folder", "folder is no file"),
        ("folder", "file", "file is no folder"),
        ("folder", "pipe", "pipe is no folder"),
    ],
)
def test_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str, told: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    expected = [] if told is None else [("source", told)]
    assert list(missing(kind, "source", name)) == expected


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """It is named as people know it."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: mode & os.R_OK == 0)
    found = list(missing(kind, "data", tmp_path / kind, "mine"))
    assert found == [("data", f"the {kind} mine cannot be read")]
