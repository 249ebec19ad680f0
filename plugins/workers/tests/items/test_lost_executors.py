"""An executor that dies under a run, which is left to a process that knows what it has done."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from inline_executor import InlineExecutor, Log
from item_runs import Maps
from item_work import World
from killing.told import Does, Writes, flow

from handrail import Run, StepWrapper, Undo, parallel, resume, rollback
from handrail.errors import ExecutorLostError

ITEMS = list(range(12))
Dies = Callable[[str, int], AbstractContextManager[None]]


class Insists(StepWrapper[Any]):
    """Undoes an attempt that fails, and tries again."""

    def around(self, context: Any) -> Iterator[Any]:
        for _ in range(2):
            try:
                return (yield Run())
            except ExecutorLostError:
                yield Undo()
        return (yield Run())


class DiedError(Exception):
    """What an executor of a pack raises when its cluster is gone."""


@pytest.fixture
def dies(log: Log) -> Dies:
    """Return what lets a method of executors raise in a block, after so many calls."""

    @contextmanager
    def let(method: str, at: int) -> Iterator[None]:
        calls, lives = itertools.count(), getattr(InlineExecutor, method)

        def died(*args: Any) -> Any:
            if next(calls) >= at:
                raise DiedError("the node is gone")
            return lives(*args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(InlineExecutor, method, died)
            yield

    return let


def mapping(around: str) -> list[Any]:
    maps = Maps(ITEMS, chunk=2)
    if around == "layers":
        return [Does("first"), Insists(maps)]
    return [Does("first"), parallel("lanes", [[Does("beside")], [maps]]) if around else maps]


@pytest.mark.parametrize("around", ["", "layers", "lanes"])
@pytest.mark.parametrize(("method", "at"), [("open", 0), ("submit", 2), ("wait", 3), ("close", 0)])
@pytest.mark.parametrize("back", [False, True])
def test_the_run_is_left_for_another_process(
    writes: Writes, world: World, dies: Dies, around: str, method: str, at: int, back: bool
) -> None:
    """Forward: nothing is tried again and nothing undone; then it is finished, or undone."""
    action = flow(*mapping(around))
    with dies(method, at), pytest.raises(ExecutorLostError, match="the node is gone") as caught:
        action({}, packs=()).run(journal=writes)
    assert caught.value.exit_code == 7
    assert writes.runs()[0].outcome is None
    if back:
        rollback(action, 1, journal=writes, packs=())
        assert not world.made
    else:
        assert resume(action, journal=writes, packs=())["success"]
        assert sorted(world.made) == ITEMS
    assert not world.doubled


@pytest.mark.parametrize("method", ["open", "submit", "wait", "close"])
def test_an_undo_is_left_for_another_process(
    writes: Writes, world: World, dies: Dies, method: str
) -> None:
    action = flow(*mapping(""))
    action({}, packs=()).run(journal=writes)
    with dies(method, 0), pytest.raises(ExecutorLostError):
        rollback(action, 1, journal=writes, packs=())
    assert writes.runs()[0].outcome is None
    rollback(action, 1, journal=writes, packs=())
    assert (writes.runs()[0].outcome, dict(world.made)) == ("rolled_back", {})
