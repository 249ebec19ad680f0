"""What a run is expected to take, from the journal of earlier ones."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from recorded_runs import Call

from handrail.builtin.cli.view.time_left import expected_of
from handrail.sqlite import SqliteJournal

FLOW = """
from pathlib import Path
from handrail import action, step

@step
def fetch(context): ...

@step
def send(context):
    if Path("broken").exists():
        raise ValueError("broken")

@step
def notify(context): ...

@notify.skip_if
def nobody(context):
    return True

ship = action("ship", [fetch, send, notify])
"""


@pytest.fixture
def ship(folder: Path, call: Call) -> Iterator[Callable[..., list[Any]]]:
    """Return a function that runs the workflow, and returns its events."""
    (folder / "ship.py").write_text(FLOW)

    def run(*words: str) -> list[Any]:
        found = call("run", "ship.py:ship", "--json", *words)
        return [json.loads(line) for line in found.out.splitlines()]

    return run


def took(folder: Path, run: int, *seconds: int) -> None:
    """Say in the journal how long the steps of a run took."""
    with closing(sqlite3.connect(folder / ".handrail/runs.db")) as database:
        at = 0
        database.execute("UPDATE run SET opened = ? WHERE id = ?", [time(at), run])
        for name, each in zip(("fetch", "send"), seconds, strict=True):
            given = [time(at + 100), time(at + 100 + each), run, name]
            at += each
            database.execute(
                "UPDATE attempt SET began = ?, at = ? WHERE run = ? AND step = ?", given
            )
        database.commit()


def time(second: int) -> str:
    return f"2026-11-25T03:{second // 60:02}:{second % 60:02}.000Z"


def expected(found: list[Any]) -> dict[str, float | None]:
    """Return what was told about the run, and about each step that began."""
    return {
        each.get("step", "run"): each.get("expected")
        for each in found
        if each["event"] in ("RunStarted", "StepStarted")
    }


def test_a_run_is_expected_to_take_as_long_as_the_latest_five(
    ship: Callable[..., list[Any]], folder: Path
) -> None:
    """The median of each step, in runs of the same plan that were completed."""
    assert set(expected(ship()).values()) == {None}
    for number in range(2, 8):
        ship()
        took(folder, number, number, 10)
    took(folder, 1, 50, 9)
    took(folder, 2, 50, 9)  # Both are longer ago than five runs.
    assert expected(ship()) == {"run": 15.0, "fetch": 5.0, "send": 10.0, "notify": 0.0}


def test_runs_that_failed_and_other_plans_say_nothing(
    ship: Callable[..., list[Any]], folder: Path
) -> None:
    """A part of the plan is another one, and what failed may have ended early."""
    (folder / "broken").touch()
    ship()
    (folder / "broken").unlink()
    ship("--only", "fetch")
    assert set(expected(ship()).values()) == {None}


def test_what_is_not_shown_is_not_read(
    ship: Callable[..., list[Any]], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One query where the time left is shown, none elsewhere: in a pipe, quiet, or without runs."""
    asked: list[object] = []
    real = SqliteJournal.durations

    def durations(self: Any, *words: Any, **more: Any) -> Any:
        asked.append(words)
        return real(self, *words, **more)

    monkeypatch.setattr(SqliteJournal, "durations", durations)
    ship()
    assert len(asked) == 1
    monkeypatch.delenv("HANDRAIL_PROGRESS")
    for words in ((), ("--quiet",), ("--no-journal",), ("--dry-run",)):
        assert call("run", "ship.py:ship", *words).code == 0
    assert len(asked) == 1


def test_runs_of_older_versions_tell_it_too(ship: Callable[..., list[Any]], folder: Path) -> None:
    """Where it is not recorded when a step began, it was when the one before it had ended."""
    ship()
    took(folder, 1, 7, 9)
    with closing(sqlite3.connect(folder / ".handrail/runs.db")) as database:
        database.execute("UPDATE attempt SET began = NULL")
        database.execute("UPDATE run SET opened = ?", [time(100)])
        database.commit()
    assert expected(ship()) == {"run": 16.0, "fetch": 7.0, "send": 9.0, "notify": 0.0}


@pytest.mark.parametrize(("steps", "runs"), [(1, 5), (500, 5), (1_000, 2), (100_000, 1)])
def test_of_a_long_plan_fewer_runs_are_read(steps: int, runs: int) -> None:
    """So that a run begins at once; one of them tells enough."""
    asked: list[int] = []

    class Recorded:
        def durations(self, *_: str, runs: int, **more: str) -> dict[str, list[float]]:
            asked.append(runs)
            return {f"step_{each}": [2.0] for each in range(steps)}

    each_of = [SimpleNamespace(name=f"step_{each}") for each in range(steps)]
    plan = SimpleNamespace(action="ship", fingerprint="9f3c", groups=(), steps=each_of)
    found = expected_of(cast("Any", plan), cast("Any", Recorded()), "ship", "acme")
    assert asked == [runs]
    assert found is not None
    assert found.of_run(["step_0"]) == 2.0 * (steps - 1)


def test_a_damaged_time_is_no_time(ship: Callable[..., list[Any]], folder: Path) -> None:
    """The run goes on without an estimate."""
    ship()
    with closing(sqlite3.connect(folder / ".handrail/runs.db")) as database:
        database.execute("UPDATE attempt SET at = 'long ago', began = 'longer ago'")
        database.commit()
    assert expected(ship()) == {"run": None, "fetch": None, "send": None, "notify": 0.0}
