"""TrainParams: the params of `handrail run train`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from handrail import Argument, Option
from handrail_storage import one_line
from handrail_train.data.source import BUNDLED, MEASURED, SUFFIXES, Missing
from handrail_train.errors import ModelError, StorageError
from handrail_train.store import DEFAULT, parse_store

if TYPE_CHECKING:
    from handrail_train.models.kind import Hyper, ModelKind

_SETS = f"{', '.join(BUNDLED[:-1])} or {BUNDLED[-1]}"


class TrainParams(BaseModel):
    """Train a model on a table and keep it as a new version; what fails is taken back.

    The same data, params and seed give the same model, also when the run was killed and resumed.
    """

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, allow_inf_nan=False, defer_build=True
    )

    data: Annotated[str, Argument()] = Field(
        description=f"CSV, TSV or Parquet file, or a set that scikit-learn brings: {_SETS}"
    )
    store: Annotated[str, Argument()] = Field(
        default=DEFAULT,
        description="Store of models: a local folder, s3://bucket/path, gs://bucket/path, "
        "az://container/path or memory://",
    )
    target: str | None = Field(
        default=None,
        min_length=1,
        description="Column with the classes to learn, if the data is a file",
    )
    features: list[str] = Field(
        default_factory=list[str],
        description="Learn from this column only; repeatable; by default, all columns but the "
        "target",
    )
    drop: list[str] = Field(
        default_factory=list[str], description="Do not learn from this column; repeatable"
    )
    missing: Missing = Field(default="fail", description="What to do with rows that lack a value")
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
    seed: int = Field(default=0, ge=0, lt=2**32, description="Seed of the random number generator")
    checkpoint_every: PositiveInt = Field(
        default=1, description="Number of epochs between checkpoints"
    )
    retries: int = Field(
        default=8,
        ge=0,
        le=100,
        description="Number of retries if the storage fails temporarily",
    )
    folder: Annotated[Path, Option("--state-folder")] = Field(
        default=Path(".handrail/train"), description="Folder for the checkpoints of runs"
    )

    @field_validator("data")
    @classmethod
    def _known_data(cls, data: str) -> str:
        if data in MEASURED:
            raise ValueError(
                f"the target of {data} is a measured number, and classes can be learnt only; "
                f"take {_SETS}"
            )
        if data not in BUNDLED and Path(data).suffix.lower() not in SUFFIXES:
            raise ValueError(
                f"give a file whose name ends in {', '.join(SUFFIXES)}, or one of {_SETS}"
            )
        return data

    @field_validator("store")
    @classmethod
    def _known_store(cls, store: str) -> str:
        try:
            parse_store(store)
        except StorageError as error:
            raise ValueError(one_line(error)) from error
        return store

    @field_validator("name")
    @classmethod
    def _possible_name(cls, name: str | None) -> str | None:
        from handrail_train.manifest import NAME

        if name is not None and re.fullmatch(NAME, name) is None:
            raise ValueError("a name has small letters, digits, '.', '_' and '-' only")
        return name

    @model_validator(mode="before")
    @classmethod
    def _no_secret(cls, values: Any) -> Any:
        """Check the store for secrets here, because errors of a field show its value."""
        given: Any = values
        if isinstance(values, Mapping):
            store = cast("Mapping[str, Any]", values).get("store", "")
            if re.match(r"[^/]+://[^/]*:.*@", str(store)):
                raise ValueError(
                    "there is a secret in the store, which is shown and recorded; "
                    "give credentials in variables, such as AWS_SECRET_ACCESS_KEY"
                )
        return given

    @model_validator(mode="after")
    def _fitting(self) -> TrainParams:
        if self.data not in BUNDLED and self.target is None:
            raise ValueError("say which column has the classes: --target COLUMN")
        if self.data in BUNDLED and self.target is not None:
            raise ValueError(f"{self.data} has its own target, so --target means nothing")
        if self.features and self.drop:
            raise ValueError("give either --features or --drop, not both")
        if self.patience and not self.validation_share:
            raise ValueError("--patience needs a validation share above 0")
        try:
            self.hyper_parameters()
        except ModelError as error:
            raise ValueError(one_line(error)) from error
        return self

    def model_kind(self) -> ModelKind[Any]:
        """Return the kind of model.

        Raises:
            ModelError: There is no such kind.
        """
        from handrail_train.models import kind_named

        return kind_named(self.kind)

    def hyper_parameters(self) -> Hyper:
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
        stem = re.sub(r"[^a-z0-9._-]+", "-", Path(self.data).stem.lower()).strip("-._")
        return stem[:100] or "model"


def _describe(path: str, kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f"{path} is unknown"
    return f"{path}: {message.removeprefix('Value error, ')}"
