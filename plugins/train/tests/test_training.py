"""The loop over the epochs: when it stops, what it keeps, what it tells, and where it goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail import SourceChangedError
from handrail_train.checkpoints import Checkpoint, Checkpoints
from handrail_train.data import Examples, Split, Target
from handrail_train.errors import CheckpointError, ModelError
from handrail_train.models import Fit, ModelKind
from handrail_train.models.kind import Hyper
from handrail_train.training import Schedule, Training, accuracy, log_loss

LOSSES = [0.9, 0.7, 0.5, 0.6, 0.55, 0.4, 0.41, 0.42, 0.43, 0.44]


class Scripted(ModelKind[Hyper]):
    """A kind of model whose only content is how many epochs it has seen."""

    hyper = Hyper
    modules: Mapping[str, str] = {}
    suffix = ".txt"

    def __init__(self, losses: list[float]) -> None:
        self.losses = losses
        self.trained: list[int] = []
        self.dumped: list[int] = []

    def begin(self, hyper: Hyper, examples: Examples, seed: int) -> Fit:
        return ScriptedFit(self, 0)

    def go_on(self, hyper: Hyper, examples: Examples, seed: int, content: bytes) -> Fit:
        return ScriptedFit(self, int(content))

    def load(self, content: bytes) -> Any:
        return int(content)

    def probabilities(self, model: Any, features: Any) -> Any:
        true = math.exp(-self.losses[model - 1])
        return np.tile([true, 1 - true], (len(features), 1))


class ScriptedFit(Fit):
    def __init__(self, kind: Scripted, seen: int) -> None:
        self.kind, self.seen = kind, seen

    def epoch(self, number: int) -> Mapping[str, float]:
        assert number == self.seen + 1
        self.seen = number
        self.kind.trained.append(number)
        return {"loss": 1.0 / number}

    @property
    def model(self) -> int:
        return self.seen

    def dump(self) -> bytes:
        self.kind.dumped.append(self.seen)
        return str(self.seen).encode()


def examples(rows: int) -> Examples:
    return Examples(
        features=np.zeros((rows, 1)),
        values=np.zeros(rows, dtype="int64"),
        target=Target(name="y", task="classification", why="", classes=(0, 1)),
        columns=("x",),
    )


def training(folder: Path, kind: Scripted, told: Any = None, **schedule: Any) -> Training:
    folder.mkdir(exist_ok=True)
    usual = {"epochs": len(LOSSES), "patience": 0, "tolerance": 0.0}
    return Training(
        kind=kind,
        hyper=Hyper(),
        split=Split(train=examples(2), validation=examples(2), test=examples(2)),
        seed=0,
        schedule=Schedule(**{**usual, **schedule}),
        checkpoints=Checkpoints(folder),
        about={"data": "abc"},
        told=told or (lambda _shown: None),
    )


def epochs_in(folder: Path) -> list[int]:
    return sorted(int(path.stem[6:]) for path in folder.glob("*.ckpt"))


def test_without_patience_the_last_epoch_is_kept(tmp_path: Path) -> None:
    kept = training(tmp_path, Scripted(LOSSES)).run()
    assert (kept.epoch, len(kept.history)) == (10, 10)
    assert epochs_in(tmp_path) == [10]


@pytest.mark.parametrize(
    ("patience", "tolerance", "best", "last"), [(2, 0, 3, 5), (3, 0, 6, 9), (4, 0.2, 3, 7)]
)
def test_with_patience_it_stops_and_keeps_the_best(
    tmp_path: Path, patience: int, tolerance: float, best: int, last: int
) -> None:
    kind = Scripted(LOSSES)
    kept = training(tmp_path, kind, patience=patience, tolerance=tolerance).run()
    assert (kept.epoch, kind.trained[-1]) == (best, last)
    assert int(kept.content) == best
    assert epochs_in(tmp_path) == [best, last]


@settings(deadline=None, max_examples=40)  # Each writes checkpoints to the disk.
@given(
    losses=st.lists(st.floats(0.01, 5), min_size=1, max_size=12),
    patience=st.integers(0, 4),
    tolerance=st.sampled_from([0.0, 0.1]),
    every=st.integers(1, 4),
    stop=st.integers(1, 12),
)
def test_wherever_it_is_interrupted_the_end_is_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    losses: list[float],
    patience: int,
    tolerance: float,
    every: int,
    stop: int,
) -> None:
    schedule: dict[str, Any] = {
        "epochs": len(losses),
        "patience": patience,
        "tolerance": tolerance,
        "checkpoint_every": every,
    }
    whole = training(tmp_path_factory.mktemp("whole"), Scripted(losses), **schedule).run()

    def die(shown: Mapping[str, float]) -> None:
        if shown["epoch"] == stop:
            raise KeyboardInterrupt

    folder, kind = tmp_path_factory.mktemp("again"), Scripted(losses)
    try:
        found = training(folder, kind, die, **schedule).run()
    except KeyboardInterrupt:
        found = training(folder, kind, **schedule).run()
    assert found == whole
    assert len(kind.trained) - len(set(kind.trained)) < every


def test_each_epoch_is_told_once_and_only_when_it_is_safe(tmp_path: Path) -> None:
    told: list[Any] = []

    def tell(shown: Mapping[str, float]) -> None:
        told.append(shown)
        assert epochs_in(tmp_path)[-1] == shown["epoch"]

    training(tmp_path, Scripted(LOSSES), tell).run()
    assert [shown["epoch"] for shown in told] == list(range(1, 11))
    assert told[2]["loss"] == pytest.approx(1 / 3)
    assert told[2]["validation_loss"] == pytest.approx(0.5)
    assert set(told[2]) == {"epoch", "loss", "validation_loss", "validation_accuracy"}


def test_checkpoints_can_be_rarer_and_the_best_and_the_last_are_always_there(
    tmp_path: Path,
) -> None:
    kind = Scripted(LOSSES)
    training(tmp_path, kind, checkpoint_every=4).run()
    assert kind.dumped == [4, 8, 10]
    kind = Scripted(LOSSES)
    training(tmp_path / "best", kind, checkpoint_every=4, patience=9).run()
    assert kind.dumped == [1, 2, 3, 4, 6, 8, 10]


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"diverged: validation_loss is nan after epoch 2"):
        training(tmp_path, Scripted([0.5, math.nan])).run()


def test_a_damaged_checkpoint_is_not_gone_on_from(tmp_path: Path) -> None:
    training(tmp_path, Scripted(LOSSES), epochs=4, patience=9).run()
    path = tmp_path / "epoch-00004.ckpt"
    path.write_bytes(path.read_bytes()[:-1])
    kind = Scripted(LOSSES)
    assert training(tmp_path, kind, epochs=4, patience=9).run().epoch == 3
    assert kind.trained == [4]


def test_a_best_checkpoint_that_is_gone_is_told(tmp_path: Path) -> None:
    training(tmp_path, Scripted(LOSSES), epochs=4, patience=9).run()
    (tmp_path / "epoch-00003.ckpt").unlink()
    with pytest.raises(CheckpointError, match=r"best epoch.*is gone or damaged"):
        training(tmp_path, Scripted(LOSSES), epochs=4, patience=9).run()


@pytest.mark.parametrize("what", ["data", "libraries"])
def test_going_on_with_other_data_or_libraries_is_refused(tmp_path: Path, what: str) -> None:
    made = training(tmp_path, Scripted(LOSSES), epochs=2)
    made.run()
    latest = made.checkpoints.latest()
    assert latest is not None
    about = {**latest.about, what: "1.0" if what == "data" else {"numpy": "1.0"}}
    changed = Checkpoint(epoch=2, history=latest.history, about=about, content=latest.content)
    made.checkpoints.save(changed)
    with pytest.raises(SourceChangedError, match=f"made with {what} .*1.0.*another model"):
        training(tmp_path, Scripted(LOSSES), epochs=3).run()


def test_only_what_is_ours_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    training(folder, Scripted(LOSSES), epochs=2).run()
    (folder / "epoch-00003.ckpt.tmp").write_bytes(b"half")
    (folder / "notes.txt").write_text("somebody else's")
    Checkpoints(folder).remove()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    Checkpoints(folder).remove()
    Checkpoints(folder).remove()
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    made = training(tmp_path / "run", Scripted(LOSSES), epochs=2)
    (tmp_path / "run").rmdir()
    with pytest.raises(CheckpointError, match="cannot be written: No such file"):
        made.run()


def test_a_kind_that_gives_no_probability_for_each_class_is_told(tmp_path: Path) -> None:
    class Narrow(Scripted):
        def probabilities(self, model: Any, features: Any) -> Any:
            return super().probabilities(model, features)[:, :1]

    with pytest.raises(ModelError, match=r"Narrow.probabilities gives .*, 1\), and has to give"):
        training(tmp_path / "run", Narrow(LOSSES), epochs=2).run()


def test_figures_of_probabilities() -> None:
    found, given = np.array([[0.8, 0.2], [0.4, 0.6]]), examples(2)
    assert accuracy(found, given) == 0.5
    assert log_loss(found, given) == pytest.approx(-(math.log(0.8) + math.log(0.4)) / 2)
    assert log_loss(np.array([[0.0, 1.0]] * 2), given) < 40
