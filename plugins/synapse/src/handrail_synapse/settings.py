"""The settings of the pack, from the project file, from variables, or from the command line."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field


class StoreSettings(BaseModel):
    """Where migrated uploads store their files instead of sending them to the service."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    target: str | None = Field(
        default=None,
        min_length=1,
        description="Where the files go, as for `handrail run upload`: a folder or a URL",
    )
    catalogue: str | None = Field(
        default=None,
        description="SQLite file, or postgresql:// URL, in which they are registered; by default, "
        "one named after the target",
    )

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Validate the settings; without any, as in most plans, there is nothing to validate."""
        return super().model_validate(obj, **options) if obj else cls.model_construct()
