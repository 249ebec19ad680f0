"""An undo finds what its run made, also after a move, and follows no link that leads elsewhere."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from forging import seen

from handrail_train import DefaultTrainAction

KINDS = ("completed", "training", "storing")

kinds = pytest.mark.parametrize("kind", KINDS)
pytestmark = pytest.mark.slow


@kinds
@pytest.mark.parametrize("way", ["rollback", "resume"])
def test_a_working_folder_that_was_moved(recorded: Any, kind: str, way: str) -> None:
    """Relative params lead to where the folder is now, and the old one is not made again."""
    run = recorded(kind)
    run.work.rename(run.home / "moved")
    run.work = run.home / "moved"
    finished = way == "resume" and kind == "completed"
    run.go_on(way, DefaultTrainAction, folder=run.work).check(2 if finished else 0)
    if way == "resume":
        assert list(run.work.glob("models/versions/*/*.json"))
        assert not list(run.work.rglob("*.ckpt"))
        run.go_on("rollback", DefaultTrainAction, folder=run.work).check(0)
    assert run.own() == set()
    assert {path.name for path in run.home.iterdir()} == {"beside", "moved"}
    shutil.rmtree(run.work)
    run.work = run.home / "work"


def test_a_folder_of_the_store_that_became_a_link(recorded: Any) -> None:
    """The very objects of the run stay where a link in the store leads to them from outside."""
    run = recorded("completed")
    (object_,) = (path for path in run.store.rglob("*.skops"))
    away = run.home / "beside" / "away"
    object_.parent.rename(away)
    object_.parent.symlink_to(away)
    before = seen(run.home / "beside")
    ended = run.go_on("rollback", DefaultTrainAction)
    ended.check(5)
    assert "it leads out of models, where a folder is a link" in ended.told
    assert seen(run.home / "beside") == before


@pytest.mark.parametrize("way", ["rollback", "resume"])
def test_a_folder_for_checkpoints_that_became_a_link(recorded: Any, way: str) -> None:
    """Nothing is deleted or written behind it."""
    run = recorded("training")
    place = run.work / ".handrail" / "train" / run.run
    away = run.home / "beside" / "checkpoints"
    place.rename(away)
    place.symlink_to(away)
    before = seen(run.home / "beside")
    ended = run.go_on(way, DefaultTrainAction)
    ended.check(5)
    assert "it is a link" in ended.told
    assert seen(run.home / "beside") == before


def test_checkpoints_are_written_through_no_link(recorded: Any) -> None:
    """A link under the name that a checkpoint has for the time being is replaced."""
    run = recorded("training")
    place = run.work / ".handrail" / "train" / run.run
    for epoch in range(1, 4):
        for name in (f"epoch-{epoch:05}.ckpt.tmp", f"epoch-{epoch:05}.ckpt"):
            (place / name).unlink(missing_ok=True)
            (place / name).symlink_to(run.home / "beside" / "secret.txt")
    before = seen(run.home / "beside")
    run.go_on("resume", DefaultTrainAction).check(0)
    assert seen(run.home / "beside") == before
