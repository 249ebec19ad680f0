"""A project with a journal to put runs into, and the command line in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from recorded_runs import Call, Journal, Screen

from handrail.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder to work in; no variable of Handrail's is set."""
    for name in list(os.environ):
        if name.startswith("HANDRAIL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    made = tmp_path / "a project"
    made.mkdir()
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    """The journal of the project, to put runs into."""
    made = Journal(folder)
    yield made
    for each in made.opened:
        each.close()


@pytest.fixture
def call(folder: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """A function that calls `handrail` in this process, in the project folder."""

    def _call(*arguments: str) -> Screen:
        capsys.readouterr()
        code = main(arguments)
        told = capsys.readouterr()
        return Screen(code=code, out=told.out, err=told.err)

    return _call
