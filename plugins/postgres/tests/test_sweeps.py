"""A sweep in PostgreSQL: its runs have numbers, locks and an undo of their own there, too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from durable_runs import Run, caller

FLOWS = """
from pathlib import Path
from pydantic import BaseModel
from handrail import action, step

class Params(BaseModel):
    name: str = "a"

@step
def make(context):
    context.record_rollback("made", context.options.name)
    Path(context.options.name).write_text("x")
    if context.options.name == "c" and not Path("mended").exists():
        raise ValueError("no c today")

@make.rollback
def unmake(context, result):
    for name in result.rollback_data.get("made", ()):
        Path(name).unlink(missing_ok=True)

maker = action("maker", [make], params=Params)
"""


@pytest.fixture
def handrail(
    tmp_path: Path,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    """Call `handrail` in this process, with workers in threads."""
    (tmp_path / "flows.py").write_text(FLOWS)
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HANDRAIL_")}
    ours = {"HANDRAIL_JOURNAL": place, "HANDRAIL_EXECUTOR": "threads:2", "NO_COLOR": "1"}
    return caller(tmp_path, tmp_path, {**kept, **ours}, monkeypatch, capfd)


def test_a_sweep_is_run_resumed_and_rolled_back(handrail: Run, tmp_path: Path) -> None:
    def made() -> list[str]:
        return sorted(path.name for path in tmp_path.iterdir() if len(path.name) == 1)

    ran = handrail("run", "flows.py:maker", "--over", "name=a,b,c")
    assert ran.returncode == 6, ran.stderr
    assert made() == ["a", "b"]
    (tmp_path / "mended").touch()
    assert handrail("resume", "1").returncode == 0
    assert made() == ["a", "b", "c"]
    assert handrail("runs", "--of", "1").stdout.count("part of 1") == 4
    assert "run 6 · " in handrail("run", "flows.py:maker", "--name", "d").stderr
    assert handrail("rollback", "3", "--yes").returncode == 0
    assert handrail("rollback", "1", "--yes").returncode == 0
    assert made() == ["d"]
    assert handrail("runs", "prune", "--older-than", "0s").stdout == "2 runs deleted\n"
