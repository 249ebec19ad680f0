"""Kill -9 before and after every write to the journal, then one `resume` or one `rollback`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from killing.trial import KILLED, Trial

WIDE = "HANDRAIL_FAULTS" in os.environ
WRITES = 57
FAILING = 73
UNDOING = range(53, FAILING + 1)  # The writes of a run whose last step fails, from there on.

MakeTrial = Callable[..., Trial]


def points(writes: range) -> list[tuple[int, str, str]]:
    """Return all ways to die at each write and to go on; or, but for the wide sweep, one of each.

    Four writes that follow each other have all ways among them.
    """
    ways = [(when, way) for way in ("resume", "rollback") for when in ("before", "after")]
    chosen = {at: ways if WIDE else [ways[number % 4]] for number, at in enumerate(writes)}
    return [(at, when, way) for at, each in chosen.items() for when, way in each]


@pytest.mark.parametrize(("fail", "writes"), [("", WRITES), ("sum", FAILING)])
def test_the_points_are_all_writes(
    make_trial: MakeTrial, reference: Any, fail: str, writes: int
) -> None:
    """There is no further one: the tests below, each of which dies at its own, leave none out."""
    assert reference.writes == WRITES
    trial = make_trial()
    answer = trial.run(fail=fail, at=writes + 1, when="before")
    assert (answer["code"], answer["writes"]) == (int(fail != ""), writes)
    if fail:
        assert trial.world() == trial.before
    else:
        trial.complete(reference.world)


@pytest.mark.parametrize(("at", "when", "way"), points(range(1, WRITES + 1)))
def test_killed_at_any_write(
    make_trial: MakeTrial, reference: Any, at: int, when: str, way: str
) -> None:
    """No effect is doubled and none is left, nothing of others is touched; the exit code is right.

    Some are gone on with by a Python of their own, all others by a fork of one that is clean.
    """
    trial = make_trial()
    assert trial.run(at=at, when=when)["code"] == KILLED
    trial.ends(way, reference.world, alone=at % 19 == 0)


@pytest.mark.parametrize(("at", "when", "way"), points(range(1, WRITES + 1, 1 if WIDE else 8)))
def test_without_anything_to_discard_it_is_undone_also_at_its_end(
    make_trial: MakeTrial, reference: Any, servers: Any, at: int, when: str, way: str
) -> None:
    """A run that replaces nothing is never sealed: once it is completed it is rolled back."""
    if servers.kind == "servers" and at % 4:
        pytest.skip("servers are slow: at every fourth write")
    trial = make_trial(overwrite=False)
    trial.run(at=at, when=when)
    row = trial.row()
    if row is None or way == "rollback":
        trial.ends(way, reference.world)
        return
    if row.outcome is None:
        assert trial.go_on("resume")["code"] == 0
    assert trial.closed()[-1] == "completed"
    assert len(trial.world()["files"]) == len(reference.world["files"]) + 2
    trial.ends("rollback", reference.world)


@pytest.mark.parametrize(("at", "when", "way"), points(UNDOING))
def test_killed_at_any_write_of_the_undo(
    make_trial: MakeTrial, reference: Any, at: int, when: str, way: str
) -> None:
    """After a failure: once the decision is written it goes on undoing, whatever is asked for."""
    trial = make_trial()
    assert trial.run(fail="sum", at=at, when=when)["code"] == KILLED
    trial.ends(way, reference.world, fails=True)
