"""One run and several processes that want it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from durable_runs import Run, Start, runs


def test_two_terminals_race(handrail: Run, folder: Path, start: Start, killed: Callable) -> None:
    """Of two that resume one run, one does; the other is refused with 3 and told who has it."""
    killed()
    one = start("-m", "handrail", "resume", "1")
    assert one.stdout is not None
    assert one.stdout.readline() == "ready\n"
    other = handrail("resume", "1")
    assert other.returncode == 3
    assert f"pid {one.pid} " in other.stderr
    assert runs(handrail) == {1: "running"}
    assert f"running (pid {one.pid})" in handrail("runs").stdout
    out, _ = one.communicate("")
    assert one.returncode == 0
    assert "completed" in out
    assert (folder / "über.txt").read_text() == "made\n"


def test_a_run_that_was_lost_to_another(handrail: Run, folder: Path) -> None:
    """Nothing is touched any more, and where to look is named."""
    (folder / "sabotage.sql").write_text("UPDATE run SET fence = fence + 1")
    done = handrail("run", "durable.py:sabotaged", "a")
    assert done.returncode == 3, done.stderr
    assert "handrail show 1" in done.stderr
    assert "rollback" not in done.stderr
    assert not (folder / "undone").exists()
