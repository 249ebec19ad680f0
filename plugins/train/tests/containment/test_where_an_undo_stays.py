"""An undo finds what its run made, also after a move, and follows no link that leads elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from forging import seen

from handrail_storage.backend import write_whole
from handrail_train import DefaultTrainAction

KINDS = ("completed", "training", "storing")

kinds = pytest.mark.parametrize("kind", KINDS)
pytestmark = pytest.mark.slow


def left(run: Any) -> set[str]:
    """Return what the run has made and is still there."""
    theirs = ("empty", "secret.txt", "flowers.csv", "models/out", f"models/objects/aa/{'aa' * 32}")
    found = {name for name in seen(run.work) if ".handrail/" not in name or "train" in name}
    folders = ("models", "models/objects", "models/objects/aa", "models/objects/bb", ".handrail")
    return found - {*theirs, *folders}


@kinds
def test_all_that_was_recorded_passes(recorded: Any, kind: str) -> None:
    """Nothing of an honest journal is refused, and all of it is undone."""
    run = recorded(kind)
    before = run.outside()
    run.go_on("rollback", DefaultTrainAction).check(0)
    assert run.outside() == before
    assert left(run) == set()


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
    assert left(run) == set()
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


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("theirs")
    (tmp_path / "a.tmp").symlink_to(secret)
    write_whole(tmp_path / "a", b"ours")
    assert secret.read_text() == "theirs"
    assert (tmp_path / "a").read_bytes() == b"ours"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("completed", ["version 1 of flowers leaves models: up to 6 objects deleted ("]),
        ("training", ["the checkpoints of 2 epochs deleted ("]),
        ("storing", [" in models", "the checkpoints of 3 epochs deleted ("]),
    ],
)
def test_the_preview_says_what_goes_and_changes_nothing(
    recorded: Any, kind: str, said: list[str]
) -> None:
    run = recorded(kind)
    before = apart_from_the_journal(run)
    lines = run.preview(DefaultTrainAction)
    for part in said:
        assert any(part in line for line in lines), lines
    assert apart_from_the_journal(run) == before


def apart_from_the_journal(run: Any) -> dict[str, Any]:
    return {name: each for name, each in seen(run.home).items() if "/runs.db" not in name}
