"""`--all-dead`, for boot scripts."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from durable_runs import Run, Start, runs


def test_all_that_are_dead(handrail: Run, folder: Path, killed: Callable[..., None]) -> None:
    """A boot script finishes what was left, the oldest first, and nothing else."""
    killed("-m", "handrail", "run", "durable.py:job", "a")
    killed("-m", "handrail", "run", "durable.py:job", "b")
    (folder / "open").touch()
    handrail("run", "durable.py:job", "c")
    done = handrail("resume", "--all-dead")
    assert done.returncode == 0, done.stderr
    assert runs(handrail) == {1: "completed", 2: "completed", 3: "completed"}
    assert done.stderr.index("run 1 · ") < done.stderr.index("run 2 · ")
    again = handrail("rollback", "--all-dead")
    assert again.returncode == 0
    assert "no run in .handrail/runs.db was left" in again.stdout
    assert handrail("resume", "1", "--all-dead").returncode == 2


def test_a_signal_to_all_that_are_dead(
    handrail: Run, folder: Path, start: Start, killed: Callable[..., None]
) -> None:
    """The run that goes on is undone, in its own time, and no other one is begun."""
    killed("-m", "handrail", "run", "durable.py:job", "a")
    killed("-m", "handrail", "run", "durable.py:job", "b")
    process = start("-m", "handrail", "resume", "--all-dead")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 130
    assert runs(handrail) == {1: "rolled back", 2: "interrupted"}
