"""TrainContext: the shared state of the steps of a training, for packs too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handrail import ActionContext, SourceChangedError
from handrail.frozen import frozen, record
from handrail_storage import StorageContext, count_text
from handrail_train.errors import CheckpointError, ContainmentError, DataError
from handrail_train.params import TrainParams

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from handrail_storage import Store
    from handrail_train.checkpoints import Checkpoint
    from handrail_train.data import Dataset, Rows, Split, TableEncoder
    from handrail_train.predictor import Predictor

    P = TypeVar("P", bound=TrainParams, covariant=True, default=TrainParams)
else:
    from typing import TypeVar

    P = TypeVar("P", bound=TrainParams, covariant=True)

_TRANSIENT = {"transient": True}


@frozen(eq=False)
class Learnt:
    """What is learnt from, as it was read and divided.

    Attributes:
        dataset: The table.
        rows: The rows of each part.
        encoder: How the columns become numbers.
        split: Each part as numbers.
    """

    dataset: Dataset
    rows: Rows
    encoder: TableEncoder
    split: Split

    @classmethod
    def of(cls, options: TrainParams, dataset: Dataset, rows: Rows) -> Learnt:
        """Return what is learnt from a table that is divided.

        Raises:
            DataError: A column cannot be learnt from, or there is not enough disk.
        """
        from handrail_train.data.matrix import rows_of_chunk

        kind, encoder = options.model_kind(), dataset.fit(rows)
        width, chunk_rows = len(encoder.names(kind.encoding)), None
        if kind.in_chunks:
            chunk_rows = options.chunk_rows or rows_of_chunk(width)
        split = dataset.split(rows, encoder, kind.encoding, chunk_rows)
        return cls(dataset=dataset, rows=rows, encoder=encoder, split=split)


@record
class Opened:
    """The objects of this process, which are not stored.

    Attributes:
        learnt: The data, once read.
        trained: The trained model as it was saved; stays when its file is deleted.
        predictor: The trained model, once loaded.
        store: The store, once used.
        uploading: Whether this process has begun to store the model.
        logging: Whether this process has begun to log it to MLflow.
    """

    learnt: Learnt | None = None
    trained: Checkpoint | None = None
    predictor: Predictor | None = None
    store: Store | None = None
    uploading: bool = False
    logging: bool = False


@dataclass
class TrainContext(StorageContext, ActionContext[P]):
    """State of a training.

    Fields that are not transient have values of JSON types. Data, model and store are opened when
    they are first used, so a run resumed in another process reads only the data it needs.

    Attributes:
        params: The params of the action, as a plain dict. The default steps read `options`, which
            are `TrainParams`, or those of `TrainContext[MyParams]` that are derived from them.
        dataset: The description of the data, once `load_dataset` is over: `fingerprint`, `rows`,
            `dropped`, `columns` and `left_out` with what each is taken for and why, `target`,
            `doubts`, the number of rows of `train`, `validation`, `test`, and of a chunk of the
            training, `chunk_rows`.
        history: The figures of each epoch, once `train_model` is over.
        lineage: Where the model comes from, once `train_model` is over; see
            `handrail_train.lineage.lineage_of`.
        model_path: The checkpoint with the trained model, once `train_model` is over.
        fold_figures: The figures of a cross-validation, once `cross_validate` is over; see
            `handrail_train.folds.summed_up`.
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
    lineage: dict[str, Any] = field(default_factory=dict[str, Any])
    model_path: str | None = None
    fold_figures: dict[str, Any] = field(default_factory=dict[str, Any])
    metrics: dict[str, Any] = field(default_factory=dict[str, Any])
    model: dict[str, Any] | None = None
    project: Any = None
    opened: Opened = field(
        default_factory=Opened, init=False, repr=False, compare=False, metadata=_TRANSIENT
    )

    def read_dataset(self) -> Learnt:
        """Read the data again, even if it was read before, and divide it.

        Raises:
            DataError: The data cannot be read, or no model can be trained on it.
        """
        from handrail_train.data import load_dataset

        options, kind = self.options, self.options.model_kind()
        dataset = load_dataset(options.source(), options.choice(), options.folder)
        task = dataset.target.task
        if task not in kind.tasks:
            raise DataError(
                f"{options.data}: the target {dataset.target.name!r} is a {task} "
                f"({dataset.target.why}), and {options.kind} learns {' or '.join(kind.tasks)} only",
                ways_out=("take another --kind: handrail models kinds", "or give another --task"),
            )
        rows = dataset.divide(options.division())
        self.opened.learnt = learnt = Learnt.of(options, dataset, rows)
        return learnt

    def use_learnt(self) -> Learnt:
        """Return the data, read and divided.

        Raises:
            DataError: The data cannot be read.
            SourceChangedError: The data has changed since the run began, or cannot be read again.
        """
        if self.opened.learnt is not None:
            return self.opened.learnt
        return self.read_dataset() if self.dataset is None else self._read_again(self.dataset)

    def _read_again(self, before: Mapping[str, Any]) -> Learnt:
        changed = f"{self.options.data} has changed since the run began"
        try:
            now = self.read_dataset()
        except DataError as error:
            raise SourceChangedError(f"{changed}: {error.message}") from error
        if now.dataset.fingerprint() != before["fingerprint"]:
            self.opened.learnt = None
            raise SourceChangedError(f"{changed}: {_difference(before, now.dataset)}")
        return now

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

    def use_predictor(self) -> Predictor:
        """Return the trained model, loaded from its checkpoint or the store.

        Raises:
            CheckpointError: The checkpoint does not exist, or is damaged.
            StorageError: The model is in the store already, which failed or refused.
        """
        from handrail_train.manifest import Version
        from handrail_train.predictor import Predictor
        from handrail_train.versions import Versions

        if self.opened.predictor is None:
            if self.model is None:
                kind, learnt = self.options.model_kind(), self.use_learnt()
                self.opened.predictor = Predictor(
                    kind=kind,
                    model=kind.load(self.use_checkpoint().content),
                    encoder=learnt.encoder,
                    target=learnt.dataset.target,
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


def _difference(before: Mapping[str, Any], now: Dataset) -> str:
    """Describe how data differs from the recorded description of the earlier one."""
    names = [each["name"] for each in (*before["columns"], *before["left_out"])]
    if sorted(names) != sorted(now.table.column_names):
        return "its columns are others"
    if before["rows"] != len(now):
        return f"it has {count_text(len(now), 'row')}, and had {before['rows']:,}"
    return "its values are others"
