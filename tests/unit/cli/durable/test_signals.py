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


LEAVES = """
import threading
from pathlib import Path
from handrail import action, step

@step
def leaves(context):
    context.record_rollback("files", "left.txt")
    Path("left.txt").touch()
    for name in "consumer", "idle":
        threading.Thread(target=threading.Event().wait, name=name, daemon=name == "idle").start()
    print("ready", flush=True)
    threading.Event().wait()

@leaves.rollback
def undo(context, result):
    for name in result.rollback_data["files"]:
        Path(name).unlink()

flow = action("flow", [leaves])
"""


@pytest.mark.slow
def test_a_thread_that_never_ends_does_not_keep_an_interrupted_command(
    folder: Path, start: Start
) -> None:
    """All is undone by then; the thread is named, and the exit code is that of an interrupt."""
    (folder / "leaves.py").write_text(LEAVES)
    process = start("-m", "handrail", "run", "leaves.py:flow", "--quiet")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "threads consumer\n" in told
    assert not (folder / "left.txt").exists()
