"""The params of an export."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("Value cannot be blank")
    return value


class ExportParams(BaseModel):
    """The params of an export.

    The storage and the filter are looked for where the validation is given an action
    (`context={"action": ...}`), as by the SDK.
    """

    name: Annotated[str, AfterValidator(_not_blank)]
    description: str | None = None
    storage: int
    save_original_file: bool = True
    path: str
    target: Literal["assignment", "ground_truth", "task"]
    filter: dict[str, Any]
    extra_params: dict[str, Any] | None = None
    async_job_size_threshold: int | None = Field(
        default=None, description="Not used: the items are always fetched by this process"
    )
    disable_async_delegate: bool | None = Field(
        default=None, description="Not used: the items are always fetched by this process"
    )

    @field_validator("storage")
    @classmethod
    def _known_storage(cls, value: int, info: ValidationInfo) -> int:
        action = _action(info)
        if action is None:
            return value
        try:
            action.client.get_storage(value)
        except Exception as error:
            raise PydanticCustomError(
                "client_error", "Unable to get storage from Synapse backend."
            ) from error
        return value

    @field_validator("filter")
    @classmethod
    def _known_filter(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        from handrail_synapse.export.handlers import (
            TargetHandlerFactory,
        )

        action, target = _action(info), info.data.get("target")
        if action is None or target is None:
            return value
        handler = TargetHandlerFactory.get_handler(target)
        return handler.validate_filter(value, action.client)


def _action(info: ValidationInfo) -> Any:
    return cast("dict[str, Any]", info.context or {}).get("action")
