"""The params that trainings share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator


class BaseTrainParams(BaseModel):
    """Params of a training; derive your own.

    The first of `hyperparameters` counts as if its values were given beside it, unless several
    trainings are to be tried (`is_tune`).
    """

    model_config = ConfigDict(extra="allow")

    dataset: int | None = Field(default=None, description="Number of the data set")
    splits: dict[str, Any] | None = Field(default=None, description="Filters for each split")
    checkpoint: int | None = Field(default=None, description="Number of the model to start from")
    is_tune: bool = Field(default=False, description="Whether several trainings are to be tried")
    hyperparameters: list[dict[str, Any]] | None = Field(
        default=None, description="The hyperparameters of each training"
    )

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        given = dict(cast("Mapping[str, Any]", values))
        first: Any = next(iter(given.get("hyperparameters") or ()), None)
        if given.get("is_tune") or not isinstance(first, Mapping):
            return given
        return {**cast("Mapping[str, Any]", first), **given}
