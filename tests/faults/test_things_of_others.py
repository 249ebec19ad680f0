"""Things of others where the run has its own: before it, while it is dead, and after an undo."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from killing.trial import KILLED, Trial

MakeTrial = Callable[..., Trial]
THEIRS = "them/elsewhere"

# The write that records the second thing of a step, before that is made; and what it is called.
RECORDS = {"file": (3, "first-1"), "row": (12, "rows-1"), "object": (15, "objects-1")}
kinds = pytest.mark.parametrize("kind", ["file", "row", "object"])


@kinds
def test_what_is_there_before_is_in_the_way_and_stays(make_trial: MakeTrial, kind: str) -> None:
    trial = make_trial()
    place, name = trial.place(kind), RECORDS[kind][1]
    place.make(name, THEIRS)
    before = trial.world()
    assert trial.run()["code"] == 1
    assert place.has(name, THEIRS)
    assert trial.world() == before


@kinds
@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_what_is_put_there_between_the_record_and_the_effect_stays(
    make_trial: MakeTrial, kind: str, way: str
) -> None:
    """It has not the mark of the run: it is in the way of a resume, and no business of an undo."""
    trial = make_trial()
    place, (at, name) = trial.place(kind), RECORDS[kind]
    assert trial.run(at=at, when="after")["code"] == KILLED
    place.make(name, THEIRS)
    answer = trial.go_on(way)
    assert answer["code"] == (1 if way == "resume" else 0), answer["said"]
    assert place.has(name, THEIRS)
    place.remove(name, THEIRS)
    assert trial.world() == trial.before


@kinds
def test_what_is_put_there_after_an_undo_that_is_not_written_yet_stays(
    make_trial: MakeTrial, kind: str
) -> None:
    """The undo is done again in full, and finds nothing that is its own."""
    trial = make_trial()
    place, (at, name) = trial.place(kind), RECORDS[kind]
    assert trial.run(at=at + 1, when="before")["code"] == KILLED
    # 1 claims, 2 decides, and 3 says that the step is undone.
    assert trial.go_on("rollback", at=3, when="before")["code"] == KILLED
    place.make(name, THEIRS)
    assert trial.go_on("rollback")["code"] == 0
    assert place.has(name, THEIRS)
    place.remove(name, THEIRS)
    assert trial.world() == trial.before


@kinds
def test_an_original_stays_aside_until_its_undo_succeeds(make_trial: MakeTrial, kind: str) -> None:
    """Overwritten, killed, not undone: nothing is discarded, and it is put back in the end."""
    trial = make_trial()
    assert trial.run(at=40, when="after")["code"] == KILLED
    stuck = f"replace_{kind}"
    answer = trial.go_on("rollback", stuck=stuck)
    assert answer["code"] == 5, answer["said"]
    row = trial.row()
    assert row is not None
    assert (row.outcome, row.sealed) == ("rollback_incomplete", None)
    assert trial.closed() == ["rollback_incomplete"], "what always runs discards nothing then"
    assert trial.world() != trial.before
    assert trial.go_on("resume")["code"] == 5
    # Killed while it tries again, and once more.
    assert trial.go_on("rollback", at=2, when="before")["code"] == KILLED
    assert trial.go_on("rollback")["code"] == 0
    assert trial.world() == trial.before
