"""Runs with groups that are recorded in PostgreSQL, killed at a write, and gone on with."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from killing.processes import in_child

from handrail import BaseAction, BaseStep, BaseStepContext, StepResult, parallel, resume, rollback
from handrail_postgres import PostgresJournal

pytestmark = pytest.mark.slow


@dataclass(kw_only=True)
class Context(BaseStepContext):
    left: list[str] = field(default_factory=list)
    right: list[str] = field(default_factory=list)


class Makes(BaseStep[Context]):
    """Makes a file, once, and adds its name to a field."""

    progress_weight = 1.0

    def __init__(self, world: Path, name: str, into: str) -> None:
        self.world, self.name, self.into = world, name, into

    def execute(self, context: Context) -> StepResult:
        context.record_rollback("made", self.name)
        (self.world / self.name).open("x").close()
        getattr(context, self.into).append(self.name)
        return StepResult()

    def rollback(self, context: Context, result: StepResult) -> None:
        for name in result.rollback_data.get("made", ()):
            (self.world / name).unlink(missing_ok=True)


class Tells(BaseStep[Context]):
    name = "tells"
    progress_weight = 0.0

    def __init__(self, world: Path) -> None:
        self.world = world

    def execute(self, context: Context) -> StepResult:
        (self.world / "told").write_text(" ".join([*context.left, *context.right]))
        return StepResult()

    def rollback(self, context: Context, result: StepResult) -> None:
        (self.world / "told").unlink(missing_ok=True)


def flow(world: Path) -> Any:
    class Flow(BaseAction[Any]):
        action_name = "sides"
        context_class = Context

        def setup_steps(self, registry: Any) -> None:
            lanes = [
                [Makes(world, f"{side}{number}", side) for number in range(2)]
                for side in ("left", "right")
            ]
            registry.register(Makes(world, "first", "left"))
            registry.register(parallel("sides", lanes))
            registry.register(Tells(world))

    return Flow


@pytest.mark.parametrize("at", [2, 4, 6, 8, 10])
@pytest.mark.parametrize("way", [resume, rollback])
def test_a_killed_group_is_finished_or_undone(
    tmp_path: Path, place: str, at: int, way: Any
) -> None:
    def begin() -> None:
        journal = PostgresJournal(place)
        opens, left = journal.open_run, [at]

        def opened(*given: Any) -> Any:
            owned = opens(*given)
            write = owned.write

            def deadly(changes: Any) -> None:
                write(changes)
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            owned.write = deadly  # type: ignore[method-assign]
            return owned

        journal.open_run = opened  # type: ignore[method-assign]
        flow(tmp_path)({}, packs=()).run(journal=journal)

    assert in_child(begin) == -signal.SIGKILL
    journal = PostgresJournal(place)
    assert way(flow(tmp_path), 1, journal=journal, packs=())
    there = sorted(path.name for path in tmp_path.iterdir())
    if way is rollback:
        assert there == []
    else:
        assert there == ["first", "left0", "left1", "right0", "right1", "told"]
        assert (tmp_path / "told").read_text() == "first left0 left1 right0 right1"
    journal.close()
