"""The params of an upload."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError


class ValidationErrorCode(StrEnum):
    """Why params are not valid."""

    STORAGE_NOT_FOUND = "storage_not_found"
    DATA_COLLECTION_NOT_FOUND = "data_collection_not_found"
    PROJECT_NOT_FOUND = "project_not_found"
    MISSING_PATH = "missing_path"
    MISSING_ASSETS = "missing_assets"


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("Value cannot be blank")
    return value


Code = ValidationErrorCode

VALIDATION_ERROR_MESSAGES = {
    Code.STORAGE_NOT_FOUND: "Storage with id={} not found: {}",
    Code.DATA_COLLECTION_NOT_FOUND: "Data collection with id={} not found: {}",
    Code.PROJECT_NOT_FOUND: "Project with id={} not found: {}",
    Code.MISSING_PATH: "When use_single_path=True (single path mode), 'path' is required.",
    Code.MISSING_ASSETS: (
        "When use_single_path=False (multi-path mode), 'assets' must be provided: the path of "
        "each file specification."
    ),
}
_MOST_CELLS = 50_000_000


class AssetConfig(BaseModel):
    """Where the files of one specification are."""

    path: str
    is_recursive: bool = True


class ExcelSecurityConfig(BaseModel):
    """Limits of a sheet with metadata; the steps keep the first three."""

    max_file_size_mb: int = Field(default=10, ge=1, le=1000)
    max_rows: int = Field(default=100_000, ge=1, le=100_000)
    max_columns: int = Field(default=300, ge=1, le=16_384)
    max_memory_usage_mb: int = Field(default=30, ge=1, le=1000)
    max_filename_length: int = Field(default=255, ge=1, le=1000)
    max_column_name_length: int = Field(default=100, ge=1, le=500)
    max_metadata_value_length: int = Field(default=1000, ge=1, le=10_000)
    validation_check_interval: int = Field(default=1000, ge=100, le=10_000)

    @classmethod
    def from_action_config(cls, action_config: Mapping[str, Any] | None) -> Self:
        """Return the limits in the `excel_config` of the configuration of an action."""
        return cls.model_validate((action_config or {}).get("excel_config") or {})

    @model_validator(mode="after")
    def _not_too_many_cells(self) -> Self:
        if self.max_rows * self.max_columns > _MOST_CELLS:
            raise ValueError(f"too many cells: more than {_MOST_CELLS:,}")
        return self

    @property
    def max_file_size_bytes(self) -> int:
        """The size in bytes."""
        return self.max_file_size_mb * 1024 * 1024

    @property
    def max_memory_usage_bytes(self) -> int:
        """The memory in bytes."""
        return self.max_memory_usage_mb * 1024 * 1024


class UploadParams(BaseModel):
    """The params of an upload.

    With `use_single_path`, each specification has a folder of its name below `path`; without, each
    has the folder that `assets` names for it. The storage, the collection and the project are
    looked for where the validation is given a client (`context={"client": ...}`).
    """

    model_config = ConfigDict(json_schema_extra={"exclude_from_ui": True})

    name: Annotated[str, AfterValidator(_not_blank)]
    description: str | None = None
    use_single_path: bool = True
    path: str | None = None
    is_recursive: bool = True
    assets: dict[str, AssetConfig] | None = None
    storage: int
    data_collection: int
    project: int | None = None
    excel_metadata_path: str | None = None
    max_file_size_mb: int = 50
    creating_data_unit_batch_size: int = 200
    creating_data_unit_max_workers: int = 1
    upload_max_workers: int = 10
    upload_batch_size: int = 200
    upload_ray_workers: int = 1
    upload_max_retries: int = 2
    use_async_upload: bool = True
    group_name: str | None = None
    extra_params: dict[str, Any] | None = None

    @field_validator("storage")
    @classmethod
    def _known_storage(cls, value: int, info: ValidationInfo) -> int:
        return _known(value, info, "storage")

    @field_validator("data_collection")
    @classmethod
    def _known_collection(cls, value: int, info: ValidationInfo) -> int:
        return _known(value, info, "data_collection")

    @field_validator("project")
    @classmethod
    def _known_project(cls, value: int | None, info: ValidationInfo) -> int | None:
        return _known(value, info, "project") if value else value

    @model_validator(mode="after")
    def _place_of_files(self) -> Self:
        if self.use_single_path and not self.path:
            raise PydanticCustomError(
                Code.MISSING_PATH.value,
                cast("Any", VALIDATION_ERROR_MESSAGES[Code.MISSING_PATH]),
            )
        if not self.use_single_path and not self.assets:
            raise PydanticCustomError(
                Code.MISSING_ASSETS.value,
                cast("Any", VALIDATION_ERROR_MESSAGES[Code.MISSING_ASSETS]),
            )
        return self


_CODES = {
    "storage": (Code.STORAGE_NOT_FOUND.value, "Storage"),
    "data_collection": (Code.DATA_COLLECTION_NOT_FOUND.value, "Data collection"),
    "project": (Code.PROJECT_NOT_FOUND.value, "Project"),
}


def _known(value: int, info: ValidationInfo, kind: str) -> int:
    """Return a number after looking for what it names, if there is a client."""
    context: Mapping[str, Any] = info.context or {}
    client: Any = context.get("client") or getattr(context.get("action"), "client", None)
    if client is None:
        return value  # `initialize` and `analyze_collection` ask for it.
    try:
        getattr(client, f"get_{kind}")(value)
    except Exception as error:
        code, shown = _CODES[kind]
        raise PydanticCustomError(
            cast("Any", code),
            "{shown} with id={value} not found: {error}",
            {"shown": shown, "value": value, "error": str(error)},
        ) from error
    return value
