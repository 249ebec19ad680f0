"""Killed again while it is undone, or while it is finished, by a new process each time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from killing.trial import KILLED, Trial

WIDE = "HANDRAIL_FAULTS" in os.environ
STEP = 1 if WIDE else 3
# In the middle of an attempt of its own, in a step that goes on by itself, and at the very end.
FIRST = (21, 43, 54) if WIDE else (54,)

MakeTrial = Callable[..., Trial]


def whens(at: int) -> str:
    return "before" if at // STEP % 2 else "after"


@pytest.mark.parametrize("at", range(1, 40, STEP))
@pytest.mark.parametrize("first", FIRST)
def test_killed_again_at_any_write_of_its_rollback(
    make_trial: MakeTrial, reference: Any, first: int, at: int
) -> None:
    """What undoes goes on with that, and ends as what was asked for ends."""
    trial = make_trial()
    assert trial.run(at=first, when="after")["code"] == KILLED
    trial.go_on("rollback", at=at, when=whens(at))
    row = trial.row()
    assert row is not None
    if row.outcome is None:
        trial.ends("resume" if at // STEP % 4 < 2 else "rollback", reference.world)
    else:
        assert trial.world() == trial.before


@pytest.mark.parametrize("at", range(1, 60, STEP * 3))
@pytest.mark.parametrize("first", FIRST)
def test_killed_again_at_any_write_of_its_resume(
    make_trial: MakeTrial, reference: Any, first: int, at: int
) -> None:
    """It may be resumed as often as it takes, and rolled back instead."""
    trial = make_trial()
    assert trial.run(at=first // 2, when="after")["code"] == KILLED
    trial.go_on("resume", at=at, when=whens(at))
    row = trial.row()
    assert row is not None
    if row.outcome is None:
        trial.ends("resume" if at // STEP % 4 < 2 else "rollback", reference.world)
    else:
        trial.complete(reference.world)
