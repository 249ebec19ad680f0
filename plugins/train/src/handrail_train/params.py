"""TrainParams: the params of `handrail run train`."""

# Annotations are not postponed here: pydantic would compile each of them by itself.

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from handrail import Argument, Option
from handrail_storage import one_line
from handrail_storage.inputs import checked
from handrail_train.data.columns import parse_columns
from handrail_train.data.source import BUNDLED
from handrail_train.errors import ModelError
from handrail_train.store import DEFAULT, parse_store
from handrail_train.table_params import TableParams

if TYPE_CHECKING:
    from handrail_train.data.dataset import Choice
    from handrail_train.data.splitting import Division
    from handrail_train.models.kind import Hyper, ModelKind

_SETS = f"{', '.join(BUNDLED[:-1])} or {BUNDLED[-1]}"


class TrainParams(TableParams):
    """Train a model on a table and keep it as a new version; what fails is taken back.

    The same data, params and seed give the same model, also when the run was killed and resumed.
    """

    data: Annotated[str, Argument()] = Field(
        description="Table: a file (CSV, TSV, JSON Lines, Parquet, Arrow, Excel, also a sheet: "
        "book.xlsx#SHEET), a folder or a pattern of them, also on s3://, gs:// or az://; an SQLite "
        f"file; postgresql://...; or a set that scikit-learn brings: {_SETS}"
    )
    store: Annotated[str, Argument()] = Field(
        default=DEFAULT,
        description="Store of models: a local folder, s3://bucket/path, gs://bucket/path, "
        "az://container/path or memory://",
    )
    table: str | None = Field(default=None, description="Table of a database")
    query: str | None = Field(default=None, description="Query of a database, in place of a table")
    target: str | None = Field(
        default=None,
        min_length=1,
        description="Column with the classes or numbers to learn, if the data is a file",
    )
    task: Literal["classification", "regression"] | None = Field(
        default=None,
        description="Learn classes, or a number; by default, what the target is: numbers with "
        "fractions, or with more than 20 values, are a regression",
    )
    features: list[str] = Field(
        default_factory=list[str],
        description="Learn from this column only; repeatable; by default, all columns but the "
        "target",
    )
    drop: list[str] = Field(
        default_factory=list[str], description="Do not learn from this column; repeatable"
    )
    column: list[str] = Field(
        default_factory=list[str],
        description="NAME=KIND: take a column for a category, number, text or date, or drop it; "
        "repeatable; by default, what its values look like",
    )
    missing: Literal["keep", "drop", "fail"] = Field(
        default="keep", description="What to do with rows that lack a value other than the target"
    )
    class_weight: Literal["balanced"] | None = Field(
        default=None, description="Give each class the same weight, whatever its share"
    )
    kind: str = Field(default="mlp", description="Kind of model; handrail models kinds lists them")
    hyper: dict[str, Any] = Field(
        default_factory=dict[str, Any],
        description="Hyper-parameters of the model; handrail models kinds KIND lists them",
    )
    name: str | None = Field(
        default=None, description="Name of the model in the store; by default, that of the data"
    )
    epochs: PositiveInt = Field(
        default=20, le=100_000, description="Maximum number of epochs, or boosting rounds"
    )
    patience: NonNegativeInt = Field(
        default=0,
        description="Early stopping: stop after this many epochs without a lower validation "
        "loss, and keep the best model; 0 for never",
    )
    tolerance: float = Field(
        default=1e-4,
        ge=0,
        description="Minimum decrease of the validation loss that counts as an improvement",
    )
    test_share: float = Field(
        default=0.2, gt=0, lt=1, description="Share of the rows for the test set"
    )
    validation_share: float = Field(
        default=0.1, ge=0, lt=1, description="Share of the remaining rows for the validation set"
    )
    split_group: str | None = Field(
        default=None,
        description="Column whose values are not torn apart: rows with the same one are all in the "
        "training, the validation or the test",
    )
    split_time: str | None = Field(
        default=None,
        description="Column with times: the last rows are the test, those before it the validation",
    )
    folds: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Number of folds of a cross-validation besides the test; 0 for none",
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="Seed of the random number generator")
    checkpoint_every: PositiveInt = Field(
        default=1, description="Number of epochs between checkpoints"
    )
    chunk_rows: PositiveInt | None = Field(
        default=None,
        description="Rows of the training that are in memory at once, if there are more; by "
        "default, as many as have 32 MiB of numbers",
    )
    retries: int = Field(
        default=8,
        ge=0,
        le=100,
        description="Number of retries if the storage fails temporarily",
    )
    mlflow: str | None = Field(
        default=None,
        description="URL of a tracking server of MLflow, which is told of the stored version; "
        "MLFLOW_TRACKING_URI alone sends nothing",
    )
    mlflow_experiment: str | None = Field(
        default=None,
        min_length=1,
        max_length=500,
        description="Experiment in MLflow; by default, the name of the model",
    )
    folder: Annotated[Path, Option("--state-folder")] = Field(
        default=Path(".handrail/train"), description="Folder for the checkpoints of runs"
    )

    @field_validator("column")
    @classmethod
    def _known_kinds(cls, column: list[str]) -> list[str]:
        parse_columns(column)
        return column

    @field_validator("store")
    @classmethod
    def _known_store(cls, store: str) -> str:
        return checked(store, parse_store)

    @field_validator("name")
    @classmethod
    def _possible_name(cls, name: str | None) -> str | None:
        from handrail_train.manifest import NAME

        if name is not None and re.fullmatch(NAME, name) is None:
            raise ValueError("a name has small letters, digits, '.', '_' and '-' only")
        return name

    @field_validator("mlflow")
    @classmethod
    def _known_server(cls, mlflow: str | None) -> str | None:
        from handrail_train.mlflow.client import parse_server

        return None if mlflow is None else parse_server(mlflow)

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.data not in BUNDLED and self.target is None:
            raise ValueError("say which column has the classes or numbers: --target COLUMN")
        if self.data in BUNDLED and self.target is not None:
            raise ValueError(f"{self.data} has its own target, so --target means nothing")
        if self.features and self.drop:
            raise ValueError("give either --features or --drop, not both")
        if self.split_group and self.split_time:
            raise ValueError("give either --split-group or --split-time, not both")
        if self.folds == 1 or (self.folds and self.split_time):
            raise ValueError("--folds needs 2 or more, and rows that are not divided by time")
        if self.mlflow is None and self.mlflow_experiment:
            raise ValueError("--mlflow-experiment needs --mlflow URL")
        if self.patience and not self.validation_share:
            raise ValueError("--patience needs a validation share above 0")
        try:
            self.hyper_parameters()
        except ModelError as error:
            raise ValueError(one_line(error)) from error
        return self

    def choice(self) -> "Choice":
        """Return what is to be learnt from which columns."""
        from handrail_train.data.dataset import Choice
        from handrail_train.data.source import TARGET

        return Choice(
            target=self.target or TARGET,
            features=self.features,
            drop=self.drop,
            kinds=parse_columns(self.column),
            task=self.task,
            missing=self.missing,
            group=self.split_group,
            time=self.split_time,
            balanced=self.class_weight is not None,
        )

    def division(self) -> "Division":
        """Return how rows are divided."""
        from handrail_train.data.splitting import Division

        return Division(
            test_share=self.test_share, validation_share=self.validation_share, seed=self.seed
        )

    def model_kind(self) -> "ModelKind[Any]":
        """Return the kind of model.

        Raises:
            ModelError: There is no such kind.
        """
        from handrail_train.models import kind_named

        return kind_named(self.kind)

    def hyper_parameters(self) -> "Hyper":
        """Return the hyper-parameters of the kind of model, all of them.

        Raises:
            ModelError: The hyper-parameters are not valid, or the kind is unknown.
        """
        model = self.model_kind().hyper
        try:
            return model.model_validate(self.hyper)
        except ValidationError as error:
            told = [
                _describe(".".join(map(str, e["loc"])), e["type"], e["msg"]) for e in error.errors()
            ]
            raise ModelError(
                f"{self.kind} cannot be made so: {'; '.join(told)}",
                ways_out=(f"see what it takes: handrail models kinds {self.kind}",),
            ) from error

    @property
    def model_name(self) -> str:
        """The name in the store: the given one, or one derived from the data."""
        if self.name is not None:
            return self.name
        stem = re.sub(r"[^a-z0-9._-]+", "-", self.source().name.lower()).strip("-._")
        return stem[:100] or "model"


def _describe(path: str, kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f"{path} is unknown"
    return f"{path}: {message.removeprefix('Value error, ')}"
