"""`context.relies_on`: runs that rely on what others made."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from killing.told import Context, Does, flow, flow_run, interrupted, play

from handrail import RuntimeContext, StepResult, resume, rollback
from handrail.errors import JournalError
from handrail.journal import RelianceChange


def _relying(name: str, *uids: str) -> Does:
    return Does(name, lambda context: context.relies_on(uids))


def test_a_run_relies_on_others_and_never_on_itself(writes):
    """Each is written once, at once, so that a kill loses nothing; other journals' runs too."""

    def relies(context: Any) -> None:
        context.relies_on([context.run_id, first, "", first])
        context.relies_on(iter(["elsewhere", first]))

    play(writes, Does("a"))
    first = writes.read(1).uid
    owned = play(writes, Does("relies", relies))
    assert owned["success"]
    found = [each for commit in writes.commits for each in commit if type(each) is RelianceChange]
    assert found == [RelianceChange((first,)), RelianceChange(("elsewhere",))]
    assert writes.reliance([1, 2])[1].relied_on_by == (2,)
    assert set(writes.reliance([2])[2].uids) == {first, "elsewhere"}


def test_it_holds_until_the_run_is_rolled_back(writes):
    """A resumed run goes on recording."""
    play(writes, Does("a"))
    first, lost = _relying("first", writes.read(1).uid), _relying("lost", "elsewhere")
    interrupted(writes, first)
    assert writes.reliance([1])[1].relied_on_by == (2,)
    resume(flow(first, lost), 2, journal=writes, packs=())
    assert len(writes.reliance([2])[2].uids) == 2
    rollback(flow(first, lost), 2, journal=writes, packs=())
    assert dict(writes.reliance([1, 2])) == {}


def test_where_nothing_is_recorded_it_has_no_effect():
    """In memory, and outside a run."""
    Context(RuntimeContext()).relies_on(["elsewhere"])
    assert play(None, _relying("a", "elsewhere"))["success"]


def test_a_journal_that_cannot_write_it_fails_the_step(writes):
    """As for any record."""
    writes.fail = lambda change: type(change) is RelianceChange
    with pytest.raises(JournalError, match="no room"):
        flow_run(writes, _relying("a", "elsewhere"))


def test_a_coroutine_can_record_it(writes):
    """Like any other step."""

    class Relies(Does):
        async def execute(self, context: Any) -> StepResult:  # type: ignore[override]
            await asyncio.sleep(0)
            context.relies_on(["elsewhere"])
            return StepResult()

    assert play(writes, Relies("a"))["success"]
    assert writes.reliance([1])[1].uids == ("elsewhere",)
