"""Which run is meant: of this action only, the latest that fits unless a number says so."""

from __future__ import annotations

import pytest
from killing.flow import Flow, Plain

from handrail import StepFailedError
from handrail.errors import NotFoundError, RunClosedError
from handrail.recovery import resume, rollback


@pytest.fixture
def kept(kill, world, journal):
    """A run of each action that failed, and was kept."""
    for number, action in enumerate((Plain, Flow, Plain), 1):
        below = world / str(number)
        below.mkdir()
        (below / "theirs").write_text("theirs")
        values = {"world": below, "fail": "third" if action is Plain else "last"}
        with pytest.raises(StepFailedError):
            action(values, packs=()).run(journal=journal, on_failure="keep")


def test_run_of_another_action_is_refused(kill, journal, kept):
    """Its records mean nothing to this one's steps."""
    for go_on in (resume, rollback):
        with pytest.raises(NotFoundError, match=r"run 2 in .* is one of flow, not of plain"):
            go_on(Plain, 2, journal=journal, packs=())
    assert journal.runs()[1].outcome == "failed"


def test_latest_is_that_of_the_action(kill, world, journal, kept):
    """Runs of others are passed over, and so are those with which nothing is left to do."""
    assert rollback(Flow, journal=journal, packs=())["number"] == 2
    assert rollback(Plain, journal=journal, packs=())["number"] == 3
    assert rollback(Plain, journal=journal, packs=())["number"] == 1
    assert {path.name for path in world.rglob("*") if path.is_file()} == {"theirs", "closed"}
    with pytest.raises(NotFoundError, match=r"no run of plain in .* can be rolled back"):
        rollback(Plain, journal=journal, packs=())
    with pytest.raises(RunClosedError, match="was rolled back"):
        rollback(Plain, 1, journal=journal, packs=())
