"""A step that is renamed between two commands: its runs go on under the name they recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from durable_runs import Run
from journals.places import until

pytest.importorskip("handrail_workers")  # For the isolated step, and for items.
pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

FLOW = """
import os, signal
from pathlib import Path
from handrail import BaseStep, Limits, StepResult, action

def make(item, context):
    context.record_rollback("made", item)
    Path(f"item-{item}").touch()

def remove(item, context, data):
    Path(f"item-{item}").unlink(missing_ok=True)

class Makes(BaseStep):
    progress_weight = 1.0
    def execute(self, context):
        context.record_rollback("made", context.idempotency_key)
        Path(context.idempotency_key.replace("/", "-")).touch()
        if self.number == 1:
            context.map_items(make, range(5), rollback=remove, executor="threads:2")
            if Path("dies").exists():
                Path("dies").unlink()
                print("ready", flush=True)
                signal.pause()
        return StepResult()
    def rollback(self, context, result):
        if Path("stuck").exists() and self.number == 0:
            raise OSError("told to fail")
        for name in result.rollback_data.get("made", []):
            Path(name.replace("/", "-")).unlink(missing_ok=True)

class First(Makes):
    number, name = 0, NAMES[0]
    aliases = ALIASES[0]

class Many(Makes):
    number, name = 1, NAMES[1]
    aliases = ALIASES[1]

class Last(Makes):
    number, name = 2, NAMES[2]
    aliases = ALIASES[2]
    limits = Limits(isolated=True)

flow = action("flow", [First(), Many(), Last()])
"""

Killed = Callable[..., None]


def write(folder: Path, names: tuple[str, ...], aliases: object = ((), (), ())) -> None:
    text = FLOW.replace("NAMES", repr(names)).replace("ALIASES", repr(aliases))
    (folder / "flows.py").write_text(text)


@pytest.fixture
def renamed(folder: Path, killed: Killed) -> None:
    """A run that was killed in its second step, then all of its steps were renamed."""
    write(folder, ("one", "many", "last"))
    (folder / "dies").touch()
    killed("-m", "handrail", "run", "flows.py:flow")
    assert len(made(folder)) == 7
    write(folder, ("single", "all", "end"), (("one",), ("many",), ("last",)))


def made(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if "-" in path.name)


def unless_held(handrail: Run, *words: str) -> int:
    """Call `handrail`, once the processes of the run that was killed are gone; return its code."""
    codes: list[int] = []

    def ended() -> bool:
        codes.append(handrail(*words).returncode)
        return codes[-1] != 3

    until(ended)
    return codes[-1]


def test_it_is_resumed_then_rolled_back(handrail: Run, folder: Path, renamed: None) -> None:
    """Also a step in a process of its own, and one with items."""
    assert unless_held(handrail, "resume", "1") == 0
    run = json.loads(handrail("show", "1", "--json").stdout)
    assert [step["name"] for step in run["steps"]] == ["one", "many", "last"]
    assert len(made(folder)) == 8
    assert any(name.endswith("-last") for name in made(folder))
    preview = handrail("rollback", "1", "--dry-run")
    assert preview.returncode == 0
    assert "many" in preview.stdout
    back = handrail("rollback", "1", "--yes")
    assert back.returncode == 0, back.stderr
    assert made(folder) == []


def test_what_is_left_is_undone_by_hand_under_the_recorded_name(
    handrail: Run, folder: Path, renamed: None
) -> None:
    """That is the name that the run shows."""
    (folder / "stuck").touch()
    assert unless_held(handrail, "rollback", "1", "--yes") == 5
    by_hand = handrail("rollback", "1", "--by-hand", "one", "--reason", "removed it")
    assert by_hand.returncode == 0, by_hand.stderr
    assert json.loads(handrail("show", "1", "--json").stdout)["run"]["outcome"] == "rolled_back"
