"""ExportParams: the params of `handrail run export`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ByteSize, ConfigDict, Field, field_validator, model_validator

from handrail import Argument, Option
from handrail_export.errors import ExportError
from handrail_export.sources.address import parse_source
from handrail_export.target import parse_target
from handrail_storage import one_line

IfExists = Literal["error", "overwrite"]
OnInvalid = Literal["fail", "skip"]
Types = Literal["auto", "text"]
Value = str | int | float | bool | None


class ExportParams(BaseModel):
    """Export a table, a query or a catalogue of images to files; what fails is taken back."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    source: Annotated[str, Argument()] = Field(
        description="What is exported: an SQLite file or a postgresql:// URL (its catalogue, "
        "unless --query or --table is given), or Parquet or CSV files, such as 'in/*.csv'",
    )
    target: Annotated[str, Argument()] = Field(
        description="Where it goes: a file, a folder, or the same in s3://bucket/path, gs://, "
        "az:// or memory://",
    )
    query: str | None = Field(
        default=None,
        description="SQL whose rows are exported; it only reads, and :NAME in it is the value of "
        "-p parameters.NAME=VALUE",
    )
    table: str | None = Field(default=None, description="Table or view whose rows are exported")
    parameters: dict[str, Value] = Field(
        default_factory=dict[str, Value], description="Values for the :NAMES in the query"
    )
    collection: str | None = Field(
        default=None,
        description="Collection of the catalogue; needed where it has several",
    )
    format: str | None = Field(
        default=None,
        description="parquet, csv, jsonl, coco, yolo, or one of a pack; that of the ending of the "
        "target unless given",
    )
    columns: Annotated[list[str], Option("--column")] = Field(
        default_factory=list[str], description="Only this column; repeatable, in the order given"
    )
    where: str | None = Field(
        default=None,
        description="Only rows for which this SQL expression is true, such as 'size > 1000'",
    )
    limit: int | None = Field(
        default=None, ge=1, description="Only the first N rows, or pictures of a collection"
    )
    partition_by: list[str] = Field(
        default_factory=list[str],
        description="A folder NAME=VALUE for each value of this column; of a collection, a split "
        "for each value of this key of the metadata; repeatable",
    )
    csv_types: Types = Field(
        default="auto", description="What the values of a CSV source are: guessed, or all text"
    )
    pictures: str | None = Field(
        default=None, description="Role of the pictures of a collection; guessed unless given"
    )
    masks: str | None = Field(
        default=None, description="Role of the masks that show what is where; guessed unless given"
    )
    categories: Annotated[list[str], Option("--category")] = Field(
        default_factory=list[str],
        description="Name of what has the number 1, 2, 3... in masks; repeatable, in that order",
    )
    on_invalid: OnInvalid = Field(
        default="fail",
        description="What to do about pictures that are missing or broken: stop, or leave them out",
    )
    if_exists: IfExists = Field(
        default="error",
        description="What to do where there is an export or a file already: stop, or replace it",
    )
    concurrency: int = Field(
        default=8, ge=1, le=256, description="How many files are read or sent at a time"
    )
    memory: ByteSize = Field(
        default=ByteSize(512 << 20),
        ge=32 << 20,
        description="How much memory the conversion may take; 384 MB of it do unless rows are wide",
    )
    retries: int = Field(
        default=8,
        ge=0,
        le=100,
        description="How often to try again when the storage fails for a moment",
    )
    folder: Annotated[Path, Option("--state-folder")] = Field(
        default=Path(".handrail/exports"),
        description="Where the manifests of the runs are kept, and what waits to be sent",
    )

    @field_validator("source")
    @classmethod
    def _known_source(cls, source: str) -> str:
        return _checked(source, parse_source)

    @field_validator("target")
    @classmethod
    def _known_target(cls, target: str) -> str:
        return _checked(target, parse_target)

    @model_validator(mode="before")
    @classmethod
    def _no_secrets(cls, values: Any) -> Any:
        # Not in the validator of the field: errors of a field show its value.
        if isinstance(values, Mapping):
            given = cast("Mapping[str, object]", values)
            for name in ("source", "target"):
                if re.match(r"[^/]+://[^/]*:.*@", str(given.get(name, ""))):
                    raise ValueError(
                        f"there is a secret in the {name}, which is shown and recorded; set "
                        "PGPASSWORD, or put it into ~/.pgpass"
                    )
        return cast("object", values)

    @model_validator(mode="after")
    def _one_source(self) -> ExportParams:
        kind = parse_source(self.source).kind
        asked = [
            name for name in ("query", "table", "collection") if getattr(self, name) is not None
        ]
        empty = next((name for name in asked if not str(getattr(self, name)).strip()), None)
        if empty is not None:
            raise ValueError(f"the {empty} is empty")
        if len(asked) > 1:
            raise ValueError(f"give one of {' and '.join(asked)}, not both")
        if asked and kind in ("csv", "parquet"):
            raise ValueError(f"{asked[0]} is for databases, and {self.source} is a {kind} file")
        if self.parameters and not self.query:
            raise ValueError("parameters are for a query: --query SQL")
        return self


def _checked(text: str, parse: Any) -> str:
    try:
        parse(text)
    except ExportError as error:
        raise ValueError(one_line(error)) from error
    return text
