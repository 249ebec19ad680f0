"""A sweep that is killed before or after any write, its own or one of its runs."""

from __future__ import annotations

from contextlib import suppress
from types import ModuleType
from typing import Any

import pytest
from killing.places import Place
from killing.points import points
from sweeping import models

from handrail import StepFailedError, resume, rollback
from handrail.builtin import derived
from handrail.errors import RunClosedError
from handrail_workers import sweep

pytestmark = pytest.mark.slow

OVER = {"epochs": [10, 20]}
WRITES = 15


class Lent:
    """A journal that is not closed by whoever has opened it."""

    def __init__(self, journal: Any) -> None:
        self._journal = journal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def close(self) -> None:
        """Leave it open."""


def crash(place: Place, at: int, when: str, work: Any) -> bool:
    """Work with a journal that all runs share, until the process dies there."""

    def body(deadly: Any) -> None:
        derived.open_journal = lambda *_, **__: Lent(deadly)  # type: ignore[assignment]
        work(deadly)

    return place.crash(at, when, body)


def swept(flows: ModuleType) -> Any:
    """Return what begins the sweep in a journal."""
    return lambda journal: sweep(flows.TrainAction, over=OVER, journal=journal)


def go_on(place: Place, flows: ModuleType, way: Any) -> None:
    """Finish or undo the sweep, if it is left to be; check what is there then."""
    action, journal = flows.TrainAction, place.journal
    with suppress(RunClosedError, StepFailedError):
        way(action, 1, journal=journal, packs=())
    outcome = journal.runs()[0].outcome
    assert outcome == ("completed" if way is resume else "rolled_back")
    assert models(place.world.parent) == (["10-0.1", "20-0.1"] if way is resume else [])
    assert {row.outcome for row in journal.parts(1)} <= {outcome, "rolled_back"}


def test_the_points_are_all_writes(place: Place, flows: ModuleType) -> None:
    assert crash(place, WRITES, "after", swept(flows))
    assert not crash(place, WRITES + 1, "before", swept(flows))


@pytest.mark.parametrize(("at", "when"), points(range(1, WRITES + 1)))
def test_killed_anywhere_it_is_finished_and_undone(
    place: Place, flows: ModuleType, at: int, when: str
) -> None:
    assert crash(place, at, when, swept(flows))
    go_on(place, flows, resume)
    go_on(place, flows, rollback)


@pytest.mark.parametrize(("at", "when"), points(range(1, WRITES + 1), 1))
def test_killed_anywhere_it_is_undone(place: Place, flows: ModuleType, at: int, when: str) -> None:
    assert crash(place, at, when, swept(flows))
    go_on(place, flows, rollback)


@pytest.mark.parametrize(("at", "when"), points(range(1, 10)))
def test_killed_in_its_undo_the_undo_goes_on(
    place: Place, flows: ModuleType, at: int, when: str
) -> None:
    swept(flows)(place.journal)
    assert crash(
        place, at, when, lambda deadly: rollback(flows.TrainAction, 1, journal=deadly, packs=())
    )
    go_on(place, flows, rollback)
