"""Trains a model epoch by epoch: its figures, when it stops, and the epoch to keep."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from handrail import SourceChangedError
from handrail.frozen import frozen
from handrail_train.checkpoints import Checkpoint, Checkpoints, History
from handrail_train.data.examples import Examples, Split
from handrail_train.errors import CheckpointError, ModelError
from handrail_train.models.kind import Fit, ModelKind
from handrail_train.predictor import told_of

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats

WATCHED = "validation_loss"
_LEAST = 1e-15  # A probability below this counts as this, so that one error is not an infinite one.
# A loss that is so much worse than that of always giving the same answer.
_DIVERGED = 3
_ABSURD = 1_000
_CLEARLY = 0.1  # Of what the most frequent class gets wrong.
_LOOKED_AT = 2_000  # Rows of the training by which that is told.


@frozen
class Schedule:
    """The length of a training.

    Attributes:
        epochs: The maximum number of epochs.
        patience: The number of epochs without progress after which it stops; 0 for never.
        tolerance: The decrease of the validation loss that counts as progress.
        checkpoint_every: The number of epochs from one checkpoint to the next.
    """

    epochs: int
    patience: int
    tolerance: float
    checkpoint_every: int = 1

    def best(self, history: History) -> int:
        """Return the epoch of the model to keep, from 1.

        With patience it is the epoch before the progress ended, otherwise the last one.
        """
        if not self.patience:
            return len(history)
        best, lowest = 1, math.inf
        for epoch, shown in enumerate(history, 1):
            if shown[WATCHED] < lowest - self.tolerance:
                best, lowest = epoch, shown[WATCHED]
        return best

    def is_over(self, history: History) -> bool:
        """Return whether there is nothing left to do after these epochs."""
        if len(history) >= self.epochs:
            return True
        return bool(self.patience and history) and (
            len(history) - self.best(history) >= self.patience
        )


@frozen
class Training:
    """One training, which may continue that of an interrupted process.

    Attributes:
        kind: The kind of model.
        hyper: Its hyper-parameters.
        split: The data.
        seed: The random seed.
        schedule: The length of the training.
        checkpoints: The checkpoints.
        about: What the model follows from, besides: the fingerprint of the data, and how many rows
            are trained on at once. Checkpoints with something else are not gone on from.
        told: Called with the figures of each epoch and `epoch`, once its checkpoint is flushed.
    """

    kind: ModelKind[Any]
    hyper: Any
    split: Split
    seed: int
    schedule: Schedule
    checkpoints: Checkpoints
    about: Mapping[str, Any]
    told: Callable[[Mapping[str, float]], None]

    def run(self) -> Checkpoint:
        """Train until it is over, and return the checkpoint with the model to keep.

        Raises:
            ModelError: The training has diverged.
            CheckpointError: Checkpoints cannot be written.
            SourceChangedError: The checkpoints are from other data, or other libraries.
        """
        about = {**self.about, "libraries": self.kind.versions()}
        latest = self.checkpoints.latest()
        if latest is not None:
            _check(latest, about)
        history: History = [] if latest is None else list(latest.history)
        fit: Fit | None = None
        while not self.schedule.is_over(history):
            if fit is None:
                fit = self._begun(latest)
            number = len(history) + 1
            history.append(self._epoch(fit, number))
            if self._is_due(history):
                latest = self._saved(fit, history, about)
            self.told({"epoch": number, **history[-1]})
        # Before, a checkpoint less would only cost the time of its epoch.
        self.checkpoints.flush()
        kept = self._kept(history)
        self._check_learnt(kept)
        return kept

    def _begun(self, latest: Checkpoint | None) -> Fit:
        examples = self.split.train
        if latest is None:
            return self.kind.begin(self.hyper, examples, self.seed)
        return self.kind.go_on(self.hyper, examples, self.seed, latest.content)

    def _epoch(self, fit: Fit, number: int) -> dict[str, float]:
        try:
            with one_thread(self.kind):
                shown = {name: float(value) for name, value in fit.epoch(number).items()}
        except ValueError as error:
            said = " ".join(str(error).split())
            raise ModelError(
                f"epoch {number} cannot be trained: {said}",
                ways_out=("check the data and the hyper-parameters",),
            ) from error
        if len(self.split.validation):
            shown |= self._validated(fit)
        for name, value in shown.items():
            if not math.isfinite(value):
                raise ModelError(
                    f"the training has diverged: {name} is {value} after epoch {number}",
                    ways_out=("take a lower learning rate: -p hyper.learning_rate=...",),
                )
        return shown

    def _validated(self, fit: Fit) -> dict[str, float]:
        examples = self.split.validation
        found = told_of(self.kind, fit.model, examples)
        if examples.is_regression:
            error = mean_squared_error(found, examples)
            # In the unit of the target, whatever the encoding.
            scale = 1.0 if self.kind.encoding != "scaled" else examples.target.deviation
            return {WATCHED: error, "validation_rmse": math.sqrt(error) * scale}
        return {
            WATCHED: log_loss(found, examples),
            "validation_accuracy": accuracy(found, examples),
        }

    def _check_learnt(self, kept: Checkpoint) -> None:
        """Check that a model that descends along a gradient has not left it.

        Its own rows tell: of a small validation part, a single one can make a loss look bad.

        Raises:
            ModelError: It is far worse than always giving the same answer.
        """
        if not self.kind.descends:
            return
        examples, np = self.split.train, import_module("numpy")
        # From all over the table, which may be sorted.
        places = np.linspace(0, len(examples) - 1, min(len(examples), _LOOKED_AT))
        some = examples.some(places.astype("int64"))
        model = self.kind.load(kept.content)
        with one_thread(self.kind):
            loss, is_better = self._quality(model, some)
        constant = constant_loss(some)
        # That of the library counts weights as well, which grow without bound.
        told = kept.history[-1].get("loss", 0.0)
        if (loss > _DIVERGED * constant and not is_better) or told > _ABSURD * constant:
            raise ModelError(
                f"the training has diverged: the loss is {loss:.4g}, and {constant:.4g} for "
                "always giving the same answer",
                ways_out=("take a lower learning rate: -p hyper.learning_rate=... or hyper.eta0",),
            )

    def _quality(self, model: Any, examples: Examples) -> tuple[float, bool]:
        """Return the loss of a model, and if it is clearly better than the most frequent class."""
        found = told_of(self.kind, model, examples)
        if examples.is_regression:
            return mean_squared_error(found, examples), False
        np = import_module("numpy")
        most = float(np.bincount(examples.codes).max() / len(examples))
        return log_loss(found, examples), accuracy(found, examples) > most + _CLEARLY * (1 - most)

    def _is_due(self, history: History) -> bool:
        number, schedule = len(history), self.schedule
        is_best = bool(schedule.patience) and schedule.best(history) == number
        return number % schedule.checkpoint_every == 0 or is_best or schedule.is_over(history)

    def _saved(self, fit: Fit, history: History, about: Mapping[str, Any]) -> Checkpoint:
        made = Checkpoint(epoch=len(history), history=history, about=about, content=fit.dump())
        self.checkpoints.save(made, keep=[self.schedule.best(history)])
        return made

    def _kept(self, history: History) -> Checkpoint:
        best = self.schedule.best(history)
        found = self.checkpoints.at(best)
        if found is None:
            raise CheckpointError(
                f"the checkpoint of the best epoch, {self.checkpoints.path(best)}, is gone or "
                "damaged",
                ways_out=("undo the run, and train again",),
            )
        return found


def _check(found: Checkpoint, about: Mapping[str, Any]) -> None:
    """Check that a checkpoint has the same source: otherwise the model would differ."""
    for what, now in about.items():
        before = found.about.get(what)
        if before != now:
            raise SourceChangedError(
                f"the checkpoints were made with {what} {_shown(before)}, and now it is "
                f"{_shown(now)}: going on would give another model"
            )


@contextmanager
def one_thread(kind: ModelKind[Any]) -> Generator[None]:
    """Let sums of products have one thread: more of them add up in another order, and wait."""
    if kind.encoding != "scaled":
        yield
        return
    with import_module("threadpoolctl").threadpool_limits(limits=1, user_api="blas"):
        yield


def constant_loss(examples: Examples) -> float:
    """Return the loss of always giving the same answer: the shares of classes, or the mean."""
    np = import_module("numpy")
    if examples.is_regression:
        return float(examples.values.var())
    shares = np.bincount(examples.codes) / len(examples)
    return float(-(shares * np.log(np.clip(shares, _LEAST, 1))).sum())


def mean_squared_error(numbers: Floats, examples: Examples) -> float:
    """Return the mean of the squared differences to the true numbers."""
    return float(((numbers - examples.values) ** 2).mean())


def log_loss(probabilities: Floats, examples: Examples) -> float:
    """Return the mean of minus the logarithm of the probability of the true class."""
    np = import_module("numpy")
    true = probabilities[np.arange(len(examples)), examples.codes]
    return float(-np.log(np.clip(true, _LEAST, 1)).mean())


def accuracy(probabilities: Floats, examples: Examples) -> float:
    """Return the share of the examples whose most probable class is the true one."""
    return float((probabilities.argmax(axis=1) == examples.codes).mean())


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value)
        return ", ".join(f"{name} {each}" for name, each in pairs.items())
    return str(value)
