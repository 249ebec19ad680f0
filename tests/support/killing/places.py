"""A journal of each kind, and processes that die at one of their writes to it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from chain_of_files import QUIET

from handrail import StepFailedError
from handrail.errors import RunClosedError
from handrail.journal import Journal
from handrail.sqlite import SqliteJournal
from killing.processes import Deadly, Killing, in_child


class Place:
    """A journal, and a world for the files of its only run; processes open both by themselves.

    Attributes:
        world: The folder of the files.
        journal: The journal.
    """

    def __init__(self, world: Path, open_deadly: Callable[[], Any], journal: Journal) -> None:
        self.world, self.journal = world, journal
        self._open_deadly = open_deadly

    def crash(self, at: int, when: str, work: Callable[[Any], object]) -> bool:
        """Work in a process that dies before or after its write `at`; return whether it did."""

        def body() -> None:
            deadly = self._open_deadly()
            deadly.at, deadly.when = at, when
            work(deadly)

        return in_child(body) == -signal.SIGKILL

    def run(self, workflow: Any, values: Any, at: int, when: str) -> bool:
        """Run a workflow until it dies there; return whether it did."""
        return self.crash(
            at, when, lambda deadly: workflow.run(values, QUIET, packs=(), journal=deadly)
        )

    def go_on(self, way: Any, workflow: Any, journal: Any = None) -> str | None:
        """Finish or undo the run, if it is left to be; return its outcome."""
        journal = self.journal if journal is None else journal
        with suppress(RunClosedError, StepFailedError):
            way(workflow, 1, journal=journal, ctx=QUIET, packs=())
        return journal.runs()[0].outcome

    def made(self) -> list[str]:
        """Return the names of the files."""
        return sorted(path.name for path in self.world.iterdir() if path.name != "closed")

    def check(self, outcome: str, effects: list[str]) -> None:
        """Check that each effect is there once, or none, and that no run is left open."""
        made = sorted(name.partition(".")[2] for name in self.made())
        assert made == (effects if outcome == "completed" else [])
        rows = [*self.journal.runs(), *self.journal.parts(1)]
        assert rows[0].outcome == outcome
        assert {row.outcome for row in rows[1:]} <= {outcome, "rolled_back"}


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, folder: Path) -> Iterator[Place]:
    """A world with a journal of each kind."""
    if request.param == "sqlite":
        journal: Any = SqliteJournal(folder / "runs.db")
        open_deadly: Callable[[], Any] = lambda: Killing(folder / "runs.db")  # noqa: E731
    else:
        postgres_journal = pytest.importorskip("handrail_postgres").PostgresJournal
        url = request.getfixturevalue("postgres").database()

        class KillingPostgres(Deadly, postgres_journal):
            """The same in a database."""

        journal = postgres_journal(url)
        open_deadly = lambda: KillingPostgres(url)  # noqa: E731
    yield Place(folder / "world", open_deadly, journal)
    journal.close()
