"""An action with a run in it is killed before or after any write of either, and taken up again."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from chain_of_files import TABLE, Connects, Context, Make, Params, Press
from killing.points import points
from killing.processes import Deadly, Killing, in_child

from handrail import RunStep, RuntimeContext, StepFailedError, action, resume, rollback
from handrail.errors import RunClosedError
from handrail.journal import Journal
from handrail.journal.sqlite import SqliteJournal

pytestmark = pytest.mark.slow


class Silent:
    def log(self, *given): ...
    def set_progress(self, *given): ...
    def set_metrics(self, *given): ...


QUIET = RuntimeContext(logger=Silent())
WRITES, WRITES_OF_A_FAILURE = 19, 26
EFFECTS = ["after.0", "after.1", "before.0", "before.1", "open.0", "open.1", "press.0", "press.1"]


def press(context: Any) -> dict[str, Any]:
    return {"world": context.world, "table": TABLE}


WHOLE = action(
    "whole",
    [Connects("before"), RunStep("press", Press, press), Make("after")],
    params=Params,
    context=Context,
)


class Place:
    """A journal and a world; processes open the journal by themselves."""

    def __init__(self, world: Path, open_deadly: Callable[[], Any], journal: Journal) -> None:
        self.world, self.open_deadly, self.journal = world, open_deadly, journal

    def crash(self, at: int, when: str, work: Callable[[Any], object]) -> bool:
        """Work in a process that dies at a write; return whether it did."""

        def body() -> None:
            deadly = self.open_deadly()
            deadly.at, deadly.when = at, when
            work(deadly)

        return in_child(body) == -signal.SIGKILL

    def run(self, at: int, when: str, fail: str = "") -> bool:
        values = {"world": self.world, "fail": fail}
        return self.crash(
            at, when, lambda deadly: WHOLE.run(values, QUIET, packs=(), journal=deadly)
        )

    def go_on(self, way: Any, journal: Any = None) -> None:
        """Finish or undo the run, if it is left to be."""
        journal = self.journal if journal is None else journal
        with suppress(RunClosedError, StepFailedError):
            way(WHOLE, 1, journal=journal, ctx=QUIET, packs=())

    def check(self, outcome: str) -> None:
        """Check that everything is there once, or nothing, and that no run is left open."""
        made = sorted(
            path.name.partition(".")[2] for path in self.world.iterdir() if path.name != "closed"
        )
        assert made == (EFFECTS if outcome == "completed" else [])
        rows = [*self.journal.runs(), *self.journal.parts(1)]
        assert rows[0].outcome == outcome
        assert {row.outcome for row in rows[1:]} <= {outcome, "rolled_back"}


@pytest.fixture
def place(folder: Path, journal: SqliteJournal) -> Place:
    return Place(folder / "world", lambda: Killing(folder / "runs.db"), journal)


@pytest.fixture
def in_postgres(folder: Path, postgres: Any) -> Any:
    postgres_journal = pytest.importorskip("handrail_postgres").PostgresJournal

    class KillingPostgres(Deadly, postgres_journal):
        """The same in a database."""

    url = postgres.database()
    journal = postgres_journal(url)
    yield Place(folder / "world", lambda: KillingPostgres(url), journal)
    journal.close()


@pytest.mark.parametrize(("writes", "fail"), [(WRITES, ""), (WRITES_OF_A_FAILURE, "after")])
def test_the_points_are_all_writes_of_both_runs(place: Place, writes: int, fail: str) -> None:
    assert place.run(writes, "after", fail)
    assert not place.run(writes + 1, "before", fail)


@pytest.mark.parametrize(("at", "when"), points(range(1, WRITES + 1)))
def test_killed_anywhere_it_is_finished(place: Place, at: int, when: str) -> None:
    assert place.run(at, when)
    place.go_on(resume)
    place.check("completed")


@pytest.mark.parametrize(("at", "when"), points(range(1, WRITES + 1), 1))
def test_killed_anywhere_it_is_undone(place: Place, at: int, when: str) -> None:
    assert place.run(at, when)
    place.go_on(rollback)
    place.check("rolled_back")


@pytest.mark.parametrize(("at", "when"), points(range(1, WRITES_OF_A_FAILURE + 1)))
def test_killed_after_a_failure_or_in_the_undo_it_is_undone(
    place: Place, at: int, when: str
) -> None:
    assert place.run(at, when, "after")
    place.go_on(resume)
    place.check("rolled_back")


@pytest.mark.parametrize("way", [resume, rollback])
@pytest.mark.parametrize("again", [2, 5, 9])
@pytest.mark.parametrize("at", [5, 9, 13, 17])
def test_killed_again_it_goes_on_where_it_was(place: Place, at: int, again: int, way: Any) -> None:
    assert place.run(at, "after")
    for when in ("before", "after"):
        place.crash(again, when, lambda deadly: place.go_on(way, deadly))
    place.go_on(way)
    place.check("completed" if way is resume else "rolled_back")


@pytest.mark.parametrize("way", [resume, rollback])
@pytest.mark.parametrize("at", [4, 7, 8, 11, 14, 18])
def test_the_same_in_postgresql(in_postgres: Place, at: int, way: Any) -> None:
    assert in_postgres.run(at, "after")
    in_postgres.go_on(way)
    in_postgres.check("completed" if way is resume else "rolled_back")


@pytest.mark.parametrize("at", [16, 19, 22, 25])
def test_a_failure_in_postgresql_is_undone(in_postgres: Place, at: int) -> None:
    assert in_postgres.run(at, "after", "after")
    in_postgres.go_on(resume)
    in_postgres.check("rolled_back")
