"""Ctrl-C, also in an undo, and what it leaves."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from durable_runs import Run, Start, made, runs


@pytest.mark.cold
def test_ctrl_c_in_an_undo_says_how_to_go_on(handrail: Run, folder: Path, start: Start) -> None:
    """Two signals stop an undo; what is left is undone by one command."""
    process = start("-m", "handrail", "run", "durable.py:undoing")
    assert process.stdout is not None
    assert process.stdout.readline() == "undoing\n"
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "Ctrl-C again" not in (line := process.stderr.readline()):
        assert line
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.7)  # Signals within half a second count as one.
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert "  undo    handrail rollback 1\n" in told
    (folder / "open").touch()
    assert handrail("rollback", "1", "--yes").returncode == 0
    assert runs(handrail) == {1: "rolled back"}


def test_ctrl_c_keeps_where_that_is_asked(handrail: Run, folder: Path, start: Start) -> None:
    process = start("-m", "handrail", "run", "durable.py:job", "a", "--on-failure", "keep")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    _, told = process.communicate()
    assert "interrupted: what was done is kept" in told
    assert "finish  handrail resume 1" in told
    (folder / "open").touch()
    assert handrail("resume", "1").returncode == 0
    assert made(folder) == {"first.txt", "a.txt", "seen.txt"}
