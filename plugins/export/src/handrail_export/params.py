"""ExportParams: the params of `handrail run export`."""

# Annotations are not postponed here: pydantic would compile each of them by itself.

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, ByteSize, ConfigDict, Field, field_validator, model_validator

from handrail import Argument, Option
from handrail_storage import Duration, KeepReplaced, Size
from handrail_storage.inputs import checked

IfExists = Literal["error", "overwrite"]
OnInvalid = Literal["fail", "skip"]
Types = Literal["auto", "text"]
Value = str | int | float | bool | None


class ExportParams(BaseModel):
    """Export a table, a query or a catalogue of images to files; what fails is taken back."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, defer_build=True)

    source: Annotated[str, Argument()] = Field(
        description="An SQLite file or a postgresql:// URL (its catalogue, unless "
        "--query or --table is given), or Parquet, CSV, JSON Lines, Arrow or Excel files, such as "
        "'in/*.csv', book.xlsx#SHEET or s3://bucket/in/*.parquet",
    )
    target: Annotated[str, Argument()] = Field(
        description="A file or a folder, also in s3://bucket/path, gs://, az:// or memory://",
    )
    sources: Annotated[dict[str, str], Option("--source")] = Field(
        default_factory=dict[str, str],
        description="Further files of rows for --query, where they are tables of that name, and "
        "SOURCE is called source; repeatable",
    )
    query: str | None = Field(
        default=None,
        description="SQL query whose rows are exported; it may only read, and :NAME in it is "
        "the value of -p parameters.NAME=VALUE",
    )
    table: str | None = Field(default=None, description="Table or view whose rows are exported")
    parameters: dict[str, Value] = Field(
        default_factory=dict[str, Value], description="Values for the :NAMES in the query"
    )
    collection: str | None = Field(
        default=None,
        description="Collection of the catalogue; required if there are several",
    )
    format: str | None = Field(
        default=None,
        description="parquet, csv, jsonl, arrow, xlsx, coco, yolo, or a format from a pack or the "
        "project; by default, from the ending of the target",
    )
    columns: Annotated[list[str], Option("--column")] = Field(
        default_factory=list[str],
        description="Export only this column; repeatable, in the given order",
    )
    where: str | None = Field(
        default=None,
        description="Export only rows for which this SQL expression is true, such as 'size > 1000'",
    )
    limit: int | None = Field(
        default=None, ge=1, description="Export only the first N rows, or pictures of a collection"
    )
    partition_by: list[str] = Field(
        default_factory=list[str],
        description="Create a folder NAME=VALUE for each value of this column; for a collection, a "
        "split for each value of this metadata key; repeatable",
    )
    csv_types: Types = Field(
        default="auto",
        description="Types of the columns of CSV and Excel sources: guessed, or all text",
    )
    pictures: str | None = Field(
        default=None, description="Role of the pictures of a collection; guessed by default"
    )
    masks: str | None = Field(
        default=None, description="Role of the segmentation masks; guessed by default"
    )
    categories: Annotated[list[str], Option("--category")] = Field(
        default_factory=list[str],
        description="Category with the number 1, 2, 3... in the masks; repeatable, in this order",
    )
    on_invalid: OnInvalid = Field(
        default="fail",
        description="For missing or broken pictures: stop, or skip them",
    )
    if_exists: IfExists = Field(
        default="error",
        description="If an export or a file exists already: stop, or replace it",
    )
    keep_replaced: KeepReplaced = Field(
        default=True,
        description="Keep what --if-exists overwrite replaces, so that the run can be rolled back: "
        "until it is pruned, or for a time, such as 30d; with --no-keep-replaced, it is discarded",
    )
    concurrency: int = Field(
        default=8, ge=1, le=256, description="Number of files to read or send at a time"
    )
    memory: Size = Field(
        default=ByteSize(512 << 20),
        ge=32 << 20,
        description="Memory limit of the conversion; 384 MB suffice unless rows are wide",
    )
    retries: int = Field(
        default=8,
        ge=0,
        le=100,
        description="Number of retries if the storage fails temporarily",
    )
    claim_wait: Duration = Field(
        default=Duration(0),
        description="If another run works on the same files at the target: try again for so long, "
        "such as 10m, before stopping",
    )
    folder: Annotated[Path, Option("--state-folder")] = Field(
        default=Path(".handrail/exports"),
        description="Folder for the manifests of runs and for files that wait to be sent",
    )

    @field_validator("source")
    @classmethod
    def _known_source(cls, source: str) -> str:
        from handrail_export.sources.address import parse_source

        return checked(source, parse_source)

    @field_validator("sources")
    @classmethod
    def _known_sources(cls, sources: dict[str, str]) -> dict[str, str]:
        from handrail_export.sources.address import parse_named

        return checked(sources, parse_named)

    @field_validator("target")
    @classmethod
    def _known_target(cls, target: str) -> str:
        from handrail_export.target import parse_target

        return checked(target, parse_target)

    @model_validator(mode="before")
    @classmethod
    def _no_secrets(cls, values: Any) -> Any:
        # Not in the validator of the field: errors of a field show its value.
        if isinstance(values, Mapping):
            given = cast("Mapping[str, object]", values)
            for name in ("source", "sources", "target"):
                if re.search(r"[^/]+://[^/]*:.*@", str(given.get(name, ""))):
                    raise ValueError(
                        f"there is a secret in the {name}, which is shown and recorded; set "
                        "PGPASSWORD, or put it into ~/.pgpass"
                    )
        return cast("object", values)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        from handrail_export.sources.address import parse_source

        kind = parse_source(self.source).kind
        asked = [
            name for name in ("query", "table", "collection") if getattr(self, name) is not None
        ]
        empty = next((name for name in asked if not str(getattr(self, name)).strip()), None)
        if empty is not None:
            raise ValueError(f"the {empty} is empty")
        if len(asked) > 1:
            raise ValueError(f"give one of {' and '.join(asked)}, not both")
        if asked and kind not in ("sqlite", "postgres") and asked[0] != "query":
            sheet = "; a sheet is named by book.xlsx#NAME" if kind == "excel" else ""
            raise ValueError(
                f"{asked[0]} is for databases, and {self.source} is a {kind} file{sheet}"
            )
        if self.sources and (kind in ("sqlite", "postgres") or self.query is None):
            raise ValueError("further sources are for a query over files: --query SQL")
        if self.parameters and not self.query:
            raise ValueError("parameters are for a query: --query SQL")
        return self
