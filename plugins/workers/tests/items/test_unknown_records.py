"""After a write to the journal that failed, what items have recorded is unknown: none goes on."""

from __future__ import annotations

from typing import Any

import pytest
from item_runs import Maps
from item_work import WORLD
from killing.told import Does, play

from handrail import RollbackPolicy, StepResult
from handrail.errors import JournalError
from handrail.journal import ChunkChange, ItemNoteRow


@pytest.fixture(autouse=True)
def empty_world(world: Any) -> None:
    """Nothing is made before a test."""


def fails(context: Any) -> None:
    raise ValueError("told to fail")


@pytest.mark.parametrize("kind", [ItemNoteRow, ChunkChange])
def test_no_item_begins_and_none_is_undone(writes: Any, kind: Any) -> None:
    """Those that failed would be undone by their worker otherwise."""
    writes.fail = lambda change: (
        isinstance(change, kind) and change.number == 1 and getattr(change, "state", "") != "done"
    )
    with pytest.raises(JournalError, match="no room"):
        play(writes, Maps(range(12), chunk=2), executor="threads:1")
    assert not WORLD.undone
    assert set(WORLD.made) <= {0, 1}
    assert set(WORLD.calls) <= {0, 1, 2, 3}


def test_an_undo_is_not_tried_again(writes: Any) -> None:
    class Retried(Maps):
        rollback_policy = RollbackPolicy(retries=2, wait=0)

    writes.fail = lambda change: isinstance(change, ChunkChange) and change.state == "undone"
    with pytest.raises(JournalError, match="no room"):
        play(writes, Retried(range(2), chunk=2), Does("next", fails), executor="threads:1")
    assert WORLD.undone == [1, 0]


def test_a_step_that_swallows_it_has_no_items_either(writes: Any) -> None:
    class Again(Maps):
        def execute(self, context: Any) -> StepResult:
            with pytest.raises(JournalError):
                super().execute(context)
            writes.fail = lambda change: False
            return super().execute(context)

    writes.fail = lambda change: isinstance(change, ItemNoteRow)
    with pytest.raises(JournalError, match="no room"):
        play(writes, Again(range(3), chunk=3), executor="threads:1")
    assert (WORLD.undone, WORLD.made) == ([], {})
