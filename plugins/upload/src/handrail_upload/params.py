"""UploadParams: the params of `handrail run upload`."""

# Annotations are not postponed here: pydantic would compile each of them by itself.

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import InitErrorDetails, PydanticCustomError

from handrail import Argument, Option
from handrail_storage import Duration, KeepReplaced, Size
from handrail_storage.inputs import checked

IfExists = Literal["same", "skip", "overwrite", "error"]
Compare = Literal["checksum", "size"]
OnInvalid = Literal["fail", "skip"]
OnChanged = Literal["fail", "skip", "take"]

MIB = 1 << 20

# How --catalogue alone and --no-catalogue are written, and what people write for it.
_SWITCH = {"true": True, "false": False, "none": False}


class UploadParams(BaseModel):
    """Upload a folder to object storage and register it; what fails is taken back.

    Only with --delete-missing is something deleted because it is missing in the source.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, defer_build=True)

    source: Annotated[Path | None, Argument()] = Field(
        default=None,
        description="Folder with the files; with --source ROLE=FOLDER, one for each role",
    )
    target: Annotated[str, Argument()] = Field(
        description="Where the files go: a local folder, s3://bucket/path, gs://bucket/path, "
        "az://container/path or memory://",
    )
    sources: Annotated[dict[str, Path], Option("--source")] = Field(
        default_factory=dict[str, Path],
        description="A folder for each role, ROLE=FOLDER, instead of SOURCE; repeatable",
    )
    include: list[str] = Field(
        default_factory=list[str],
        description="Include only files that match this .gitignore pattern; repeatable",
    )
    exclude: list[str] = Field(
        default_factory=list[str],
        description="Exclude files that match this .gitignore pattern; repeatable",
    )
    files_from: Path | None = Field(
        default=None,
        description="File that lists the files to include, one path per line (or separated by "
        "NUL); - for standard input",
    )
    hidden: bool = Field(default=False, description="Include files whose names begin with a dot")
    follow_links: bool = Field(
        default=False,
        description="Follow symbolic links to folders, and out of the source; by default, only "
        "those to files inside it",
    )
    min_size: Size | None = Field(
        default=None, description="Include only files of at least this size, such as 100kB"
    )
    max_size: Size | None = Field(
        default=None, description="Include only files of at most this size, such as 1GiB"
    )
    min_age: Duration | None = Field(
        default=None,
        description="Include only files last changed at least this long ago, such as 30s",
    )
    max_age: Duration | None = Field(
        default=None,
        description="Include only files last changed at most this long ago, such as 7d",
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        description="Include only the first N data units, by the names of their files",
    )
    allow_empty: bool = Field(default=False, description="Whether an empty file is valid")
    allow_nothing: bool = Field(default=False, description="Accept that there is no file to send")
    on_invalid: OnInvalid = Field(
        default="fail",
        description="For invalid files: stop, or skip them",
    )
    on_changed: OnChanged = Field(
        default="fail",
        description="For files that change or vanish meanwhile: stop, skip them, or take them as "
        "they are then",
    )
    max_failed_files: int | str = Field(
        default=0,
        description="Leave out up to so many files, such as 5 or 1%, that cannot be read, or that "
        "the storage refuses; by default, the first one stops the run",
    )
    if_exists: IfExists = Field(
        default="same",
        description="If an object exists: accept an equal one, accept any, replace a different "
        "one, or stop",
    )
    compare: Compare = Field(
        default="checksum", description="How to compare a file with an existing object"
    )
    checksum: bool = Field(
        default=False,
        description="Read all files, also those whose size, times and inode are those of the last "
        "upload",
    )
    keep_replaced: KeepReplaced = Field(
        default=True,
        description="Keep what the run replaces or deletes, so that it can be rolled back, until "
        "it is pruned or for a time, such as 30d; if not, it is discarded",
    )
    delete_missing: bool = Field(
        default=False,
        description="Delete at the target what earlier uploads of this folder, or into the same "
        "--collection, have put there and the source no longer has; a rollback puts it back",
    )
    max_delete: int | str = Field(
        default="10%",
        description="With --delete-missing: stop before anything is sent if more would be deleted; "
        "a number of files, or a share of what the collection has there",
    )
    claim_wait: Duration = Field(
        default=Duration(0),
        description="If another run works on the same files at the target: try again for so long, "
        "such as 10m, before stopping",
    )
    specification: Annotated[Path | None, Option("--spec")] = Field(
        default=None,
        description="TOML or JSON file with the roles of files, which of them are required, and"
        " limits",
    )
    collection: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Name of the collection in the catalogue; by default, that of the "
        "specification or the target",
    )
    catalogue: bool | str = Field(
        default=True,
        description="SQLite file, or postgresql:// URL, in which the files are registered; by "
        "default, a file named after the target; with --no-catalogue, they are not registered",
    )
    metadata_file: Annotated[Path | None, Option("--metadata")] = Field(
        default=None,
        description="CSV, TSV, JSONL or XLSX file with metadata for each file, by its name",
    )
    metadata_key: str | None = Field(
        default=None, description="Column of the metadata file with the file names"
    )
    transfers: int = Field(
        default=32, ge=1, le=256, description="Number of files to send at a time"
    )
    part_size: Size = Field(
        default=ByteSize(8 * MIB),
        description="Send larger files in parts of this size; 5MiB to 5GiB",
    )
    part_concurrency: int = Field(
        default=4, ge=1, le=64, description="Number of parts of one file to send at a time"
    )
    bandwidth: Size | None = Field(
        default=None, ge=1, description="Maximum number of bytes per second, such as 10MB"
    )
    retries: int = Field(
        default=8,
        ge=0,
        le=100,
        description="Number of retries if the storage fails temporarily",
    )
    folder: Annotated[Path, Option("--state-folder")] = Field(
        default=Path(".handrail/uploads"),
        description="Folder for the file lists of runs",
    )

    @field_validator("max_failed_files", "max_delete", check_fields=False)
    @classmethod
    def _number_or_share(cls, most: int | str) -> int | str:
        found = re.fullmatch(r"([0-9]{1,15})(%|\.[0-9]{1,9}%)?", str(most).strip())
        if found is None or (found[2] and float(str(most).strip()[:-1]) > 100):
            raise ValueError("takes a number of files, or a share of up to 100%, such as 5 or 1%")
        return found[0] if found[2] else int(found[1])

    @field_validator("part_size")
    @classmethod
    def _possible_parts(cls, size: ByteSize) -> ByteSize:
        if not 5 * MIB <= size <= 5 * 1024 * MIB:
            raise ValueError("a part has 5MiB to 5GiB, such as 16MiB")
        return size

    @field_validator("catalogue", mode="before", check_fields=False)
    @classmethod
    def _known_catalogue(cls, catalogue: object) -> object:
        from handrail_upload.catalogue.address import parse

        known = True if catalogue is None else _SWITCH.get(str(catalogue).lower(), catalogue)
        if isinstance(known, str):
            return checked(known, parse)
        if not isinstance(known, bool):
            raise ValueError("give a file or a postgresql:// URL, or false for no catalogue")
        return known

    @field_validator("include", "exclude")
    @classmethod
    def _possible_patterns(cls, patterns: list[str]) -> list[str]:
        from handrail_upload.patterns import Patterns

        return checked(patterns, Patterns)

    @field_validator("target")
    @classmethod
    def _known_target(cls, target: str) -> str:
        from handrail_upload.storage.target import parse_target

        if not target.strip():
            raise ValueError("give a target: a folder or a URL such as s3://bucket/path")
        return checked(target, parse_target)

    @model_validator(mode="before")
    @classmethod
    def _target_alone(cls, values: Any) -> Any:
        """If each role has a source, take the first argument of the command line as the target."""
        if not isinstance(values, Mapping):
            return values
        given = dict(cast("Mapping[str, Any]", values))
        if given.get("sources") and not given.get("target"):
            given["target"] = str(given.pop("source", "") or "")
        # Not in the validator of the target: errors of a field show its value.
        if re.match(r"[^/]+://[^/]*:.*@", str(given.get("target", ""))):
            raise ValueError("there is a secret in the target, which is shown and recorded")
        return given

    @model_validator(mode="wrap")
    @classmethod
    def _source_too(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Any:
        """Say that a source is needed, where other errors keep `_fitting` from it."""
        try:
            return handler(values)
        except ValidationError as error:
            given = cast("Mapping[str, Any]", values if isinstance(values, Mapping) else {})
            lacks = [each["type"] for each in error.errors(include_context=False)] == ["missing"]
            if not lacks or given.get("source") or given.get("sources"):
                raise
            needed = PydanticCustomError("missing", "is required, or --source ROLE=FOLDER")
            source = InitErrorDetails(type=needed, loc=("source",), input=None)
            target = InitErrorDetails(type="missing", loc=("target",), input=None)
            raise ValidationError.from_exception_data(cls.__name__, [source, target]) from None

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if "collection" in self.model_fields_set and self.collection and not self.registers:
            raise ValueError(
                "--collection names files in the catalogue, and --no-catalogue registers none: "
                "give one of them"
            )
        if self.checksum and self.compare == "size":
            raise ValueError("--checksum reads all files, --compare size none: give one of them")
        for name, (least, most) in {
            "size": (self.min_size, self.max_size),
            "age": (self.min_age, self.max_age),
        }.items():
            if least is not None and most is not None and least > most:
                raise ValueError(f"--min-{name} is above --max-{name}, so that no file fits")
        if self.metadata_key is not None and self.metadata_file is None:
            raise ValueError("--metadata-key needs --metadata FILE")
        if self.source is None and not self.sources:
            raise ValueError("give SOURCE, the folder to upload, or --source ROLE=FOLDER")
        if self.source is not None and self.sources:
            raise ValueError("give either SOURCE or sources, not both")
        if self.sources and self.specification is None:
            raise ValueError("sources go by role, so they need a specification: --spec FILE")
        return self

    @property
    def registers(self) -> bool:
        """Whether the files are registered in a catalogue."""
        return self.catalogue is not False

    @property
    def folders(self) -> dict[str, Path]:
        """The source folders by role; a single one under ""."""
        return dict(self.sources) if self.source is None else {"": self.source}
