"""TrainContext: the shared state of the steps of a training, for packs too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handrail import ActionContext, SourceChangedError
from handrail.frozen import record
from handrail_storage import StorageContext, count_text
from handrail_train.errors import CheckpointError, ContainmentError, DataError
from handrail_train.params import TrainParams

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from handrail_storage import Store
    from handrail_train.checkpoints import Checkpoint
    from handrail_train.data import Examples, Split
    from handrail_train.data.source import Loaded

    P = TypeVar("P", bound=TrainParams, covariant=True, default=TrainParams)
else:
    from typing import TypeVar

    P = TypeVar("P", bound=TrainParams, covariant=True)

_TRANSIENT = {"transient": True}


@record
class Opened:
    """The objects of this process, which are not stored.

    Attributes:
        split: The data, once read.
        trained: The trained model as it was saved; stays when its file is deleted.
        predictor: The trained model, once loaded.
        store: The store, once used.
        uploading: Whether this process has begun to store the model.
    """

    split: Split | None = None
    trained: Checkpoint | None = None
    predictor: Any = None
    store: Store | None = None
    uploading: bool = False


@dataclass
class TrainContext(StorageContext, ActionContext[P]):
    """State of a training.

    Fields that are not transient have values of JSON types. Data, model and store are opened when
    they are first used, so a run resumed in another process reads only the data it needs.

    Attributes:
        params: The params of the action, as a plain dict. The default steps read `options`, which
            are `TrainParams`, or those of `TrainContext[MyParams]` that are derived from them.
        dataset: The description of the data, once `load_dataset` is over: `fingerprint`, `rows`,
            `dropped`, `columns`, `classes`, and the number of rows of `train`, `validation`,
            `test`.
        history: The figures of each epoch, once `train_model` is over.
        model_path: The checkpoint with the trained model, once `train_model` is over.
        metrics: The figures of the test, once `evaluate_model` is over; see
            `handrail_train.evaluation.evaluate`.
        model: The manifest of the version, as a dict, once `upload_model` is over.
        project: For workflows of your own.
        opened: The open objects of this process; transient.
    """

    _containment_error = ContainmentError
    _storing_step = "upload_model"

    params: dict[str, Any] = field(default_factory=dict[str, Any])
    dataset: Any = None
    history: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    model_path: str | None = None
    metrics: dict[str, Any] = field(default_factory=dict[str, Any])
    model: dict[str, Any] | None = None
    project: Any = None
    opened: Opened = field(
        default_factory=Opened, init=False, repr=False, compare=False, metadata=_TRANSIENT
    )

    def read_dataset(self) -> Loaded:
        """Read the data again, even if it was read before, and divide it.

        Raises:
            DataError: The data cannot be read, or no model can be trained on it.
        """
        from handrail_train.data import load_examples, split_examples

        options = self.options
        loaded = load_examples(
            options.data,
            target=options.target,
            features=options.features,
            drop=options.drop,
            missing=options.missing,
        )
        self.opened.split = split_examples(
            loaded.examples,
            test_share=options.test_share,
            validation_share=options.validation_share,
            seed=options.seed,
        )
        return loaded

    def use_split(self) -> Split:
        """Return the data, read and divided.

        Raises:
            DataError: The data cannot be read.
            SourceChangedError: The data has changed since the run began, or cannot be read again.
        """
        if self.opened.split is None:
            if self.dataset is None:
                self.read_dataset()
            else:
                self._read_again(self.dataset)
        assert self.opened.split is not None
        return self.opened.split

    def _read_again(self, before: Mapping[str, Any]) -> None:
        changed = f"{self.options.data} has changed since the run began"
        try:
            now = self.read_dataset().examples
        except DataError as error:
            raise SourceChangedError(f"{changed}: {error.message}") from error
        if now.fingerprint() != before["fingerprint"]:
            self.opened.split = None
            raise SourceChangedError(f"{changed}: {_difference(before, now)}")

    def use_checkpoint(self) -> Checkpoint:
        """Return the checkpoint with the trained model.

        Raises:
            CheckpointError: The checkpoint does not exist, or is damaged.
            ContainmentError: The path is not that of this run.
        """
        from handrail_train.checkpoints import read_checkpoint
        from handrail_train.site import checkpoint_of

        if self.model_path is None:
            raise CheckpointError(
                "no model was trained in this run", ways_out=("let train_model run before",)
            )
        found = self.opened.trained or read_checkpoint(checkpoint_of(self))
        self.opened.trained = found
        if found is None:
            raise CheckpointError(
                f"the trained model, {self.model_path}, is gone or damaged",
                ways_out=("undo the run, and train again",),
            )
        return found

    def use_predictor(self) -> Any:
        """Return the trained model, loaded from its checkpoint or the store.

        Raises:
            CheckpointError: The checkpoint does not exist, or is damaged.
            StorageError: The model is in the store already, which failed or refused.
        """
        from handrail_train.manifest import Version
        from handrail_train.versions import Versions

        if self.opened.predictor is None:
            if self.model is None:
                self.opened.predictor = self.options.model_kind().load(
                    self.use_checkpoint().content
                )
            else:
                version = Version.from_dict(self.model)
                self.opened.predictor = Versions(self.use_store()).load(version)
        return self.opened.predictor

    def use_store(self) -> Store:
        """Return the store, opened.

        Raises:
            StorageError: The store is malformed.
        """
        from handrail_train.store import open_store

        if self.opened.store is None:
            self.opened.store = open_store(
                self.options.store, retries=self.options.retries, on_status=self.set_status
            )
        return self.opened.store


def _difference(before: Mapping[str, Any], now: Examples) -> str:
    """Describe how examples differ from the recorded description of the earlier ones."""
    if before["columns"] != list(now.columns):
        return "its columns are others"
    if before["rows"] != len(now):
        return f"it has {count_text(len(now), 'row')}, and had {before['rows']:,}"
    return "its values are others"
