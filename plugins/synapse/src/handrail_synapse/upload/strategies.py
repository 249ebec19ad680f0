"""The parts of the steps that a plugin can replace: how files are found, checked, sent."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any, cast

from handrail_synapse.exceptions import (
    ClientConnectionError,
    ClientResponseIncompleteError,
    ExcelSecurityError,
)

if TYPE_CHECKING:
    from handrail_synapse.contexts import UploadContext
    from handrail_synapse.upload.params import ExcelSecurityConfig

Group = dict[str, Any]
Specs = Sequence[Mapping[str, Any]]

EXCLUDED_DIRS = frozenset(
    {"@eaDir", ".@__thumb", "@Recycle", "#recycle", ".synology", "__pycache__", ".git"}
)
EXCLUDED_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".gitkeep"})


@dataclass
class ValidationResult:
    """Whether something is valid, and why not."""

    valid: bool = True
    errors: list[str] = field(default_factory=list[str])

    def __bool__(self) -> bool:
        return self.valid


@dataclass
class UploadConfig:
    """How files are sent."""

    chunked_threshold_mb: int = 50
    batch_size: int = 200
    max_workers: int = 10
    max_upload_retries: int = 2
    use_presigned: bool = True
    skip_existing_checksums: bool = False
    skip_local_duplicates: bool = True
    checksum_batch_size: int = 1000
    read_timeout: int = 300


class ValidationStrategy(ABC):
    """Checks params and files."""

    @abstractmethod
    def validate_params(self, params: dict[str, Any]) -> ValidationResult:
        """Check the params."""

    @abstractmethod
    def validate_files(self, files: list[Group], specs: Specs) -> ValidationResult:
        """Check groups of files against the specifications of the collection."""


class FileDiscoveryStrategy(ABC):
    """Finds files, and groups those of one data unit."""

    @abstractmethod
    def discover(self, path: Path, recursive: bool = True) -> list[Path]:
        """Return the files in a folder."""

    @abstractmethod
    def organize(
        self,
        files: list[Path],
        specs: Specs,
        metadata: Mapping[str, Mapping[str, Any]],
        type_dirs: Mapping[str, Path] | None = None,
        *,
        skip_required_check: bool = False,
    ) -> list[Group]:
        """Return a dict for each group: `files`, by the name of their specification, and `meta`."""


class MetadataStrategy(ABC):
    """Reads a sheet with the metadata of files."""

    @abstractmethod
    def extract(self, source_path: Path) -> dict[str, dict[str, Any]]:
        """Return the metadata by the names of the files."""

    @abstractmethod
    def validate(self, metadata: dict[str, dict[str, Any]]) -> ValidationResult:
        """Check the metadata."""


class _OfContext:
    def __init__(self, context: UploadContext) -> None:
        self.context = context


class UploadStrategy(_OfContext, ABC):
    """Sends groups of files."""

    @abstractmethod
    def upload(self, files: list[Group], config: UploadConfig) -> list[Group]:
        """Send them, and return those that have arrived, as `create_data_units` takes them."""


class DataUnitStrategy(_OfContext, ABC):
    """Creates data units of uploaded files."""

    @abstractmethod
    def generate(
        self,
        uploaded_files: list[Group],
        batch_size: int = 1,
        max_workers: int = 1,
        max_retries: int = 0,
    ) -> list[Group]:
        """Create them, and return them as the client does."""


class DefaultValidationStrategy(ValidationStrategy):
    """Wants the files that are required, with the extensions that are listed."""

    def validate_params(self, params: dict[str, Any]) -> ValidationResult:
        """Check that what each upload needs is there."""
        needed = ["storage", "data_collection", "name"]
        needed.append("path" if params.get("use_single_path", True) else "assets")
        errors = [f"{name} parameter is required" for name in needed if not params.get(name)]
        return ValidationResult(not errors, errors)

    def validate_files(self, files: list[Group], specs: Specs) -> ValidationResult:
        """Check groups of files against the specifications."""
        if not files:
            return ValidationResult(False, ["No files to validate"])
        errors = [
            f"File group {place}: {problem}"
            for place, group in enumerate(files)
            for problem in _problems(group.get("files", {}), specs)
        ]
        return ValidationResult(not errors, errors)


def _problems(files: Mapping[str, Any], specs: Specs) -> Iterator[str]:
    for spec in specs:
        name, path = spec["name"], first(files.get(spec["name"]))
        if name not in files:
            if spec.get("is_required", False):
                yield f'missing required file type "{name}"'
            continue
        allowed: list[str] = spec.get("extensions") or []
        known = [each.lower().lstrip(".") for each in allowed]
        if known and path is not None and path.suffix.lower().lstrip(".") not in known:
            has = f'file "{path.name}" has extension "{path.suffix}"'
            yield f'{has} but spec "{name}" expects {allowed}'


class FlatFileDiscoveryStrategy(FileDiscoveryStrategy):
    """Finds the files directly in a folder; groups those of the same stem."""

    def discover(self, path: Path, recursive: bool = False) -> list[Path]:
        """Return the files in a folder, in the order of their paths."""
        if not path.is_dir():
            return []
        found = path.rglob("*") if recursive else path.glob("*")
        return sorted(
            each
            for each in found
            if each.is_file()
            and each.name not in EXCLUDED_FILES
            and not (recursive and EXCLUDED_DIRS.intersection(each.parts))
        )

    def organize(
        self,
        files: list[Path],
        specs: Specs,
        metadata: Mapping[str, Mapping[str, Any]],
        type_dirs: Mapping[str, Path] | None = None,
        *,
        skip_required_check: bool = False,
    ) -> list[Group]:
        """Group files by their stems; a group without a required file is left out."""
        folders = type_dirs or _folders_of(files, specs)
        groups: dict[str, dict[str, Path]] = {}
        for path in files:
            # Of folders inside each other, the innermost.
            above = [name for name, folder in folders.items() if path.is_relative_to(folder)]
            if not above:
                continue
            name = max(above, key=lambda each: len(folders[each].parts))
            group = groups.setdefault(path.stem, {})
            if name not in group or path.stat().st_mtime > group[name].stat().st_mtime:
                group[name] = path
        needed = frozenset[str]() if skip_required_check else required(specs)
        return [
            {"files": group, "meta": {**_about(stem, group), **_metadata_of(stem, group, metadata)}}
            for stem, group in sorted(groups.items())
            if needed <= group.keys()
        ]


class RecursiveFileDiscoveryStrategy(FlatFileDiscoveryStrategy):
    """Finds the files in a folder, and in those in it."""

    def discover(self, path: Path, recursive: bool = True) -> list[Path]:
        """Return the files in a folder, in the order of their paths."""
        return super().discover(path, recursive)


def _folders_of(files: Sequence[Path], specs: Specs) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name in (each.get("name", "") for each in specs):
        path = next((each for each in files if name and name in each.parts[:-1]), None)
        if path is not None:
            found[name] = Path(*path.parts[: path.parts.index(name) + 1])
    return found


def _about(stem: str, group: Mapping[str, Path]) -> dict[str, Any]:
    extensions = [each.suffix.lower() for each in group.values() if each.suffix]
    return {
        "origin_file_stem": stem,
        "origin_file_extension": max(extensions, key=extensions.count, default=""),
        "created_at": datetime.now(UTC).isoformat(),
        "data_unit_key": stem,
    }


def _metadata_of(
    stem: str, group: Mapping[str, Path], metadata: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Return what a sheet says of a group: of its stem, of one of its files, or of its origin.

    The origin of `clip_0012` is `clip`, for files that were made of others.
    """
    if not metadata:
        return {}
    stems = {Path(name).stem: values for name, values in metadata.items()}
    if stem in stems:
        return stems[stem]
    for path in group.values():
        if path.name in metadata:
            return metadata[path.name]
    origin, _, number = stem.rpartition("_")
    while origin and number.isdigit():
        if origin in stems:
            return stems[origin]
        origin, _, number = origin.rpartition("_")
    return {}


class NoneMetadataStrategy(MetadataStrategy):
    """Reads nothing."""

    def extract(self, source_path: Path) -> dict[str, dict[str, Any]]:
        """Return nothing."""
        return {}

    def validate(self, metadata: dict[str, dict[str, Any]]) -> ValidationResult:
        """Accept anything."""
        return ValidationResult()


class CsvMetadataStrategy(MetadataStrategy):
    """Reads a sheet whose first column is `filename` or `file_name`.

    A CSV file is read here; others by handrail-upload, which has to be installed for them.

    Args:
        config: Its limits; without, as many rows and columns as there are.
    """

    def __init__(self, config: ExcelSecurityConfig | None = None) -> None:
        self.config = config

    def extract(self, source_path: Path) -> dict[str, dict[str, Any]]:
        """Return the metadata by the names of the files; empty cells are left out.

        Raises:
            ValueError: The file is no such sheet.
            ExcelSecurityError: It is larger than allowed.
        """
        found = self._extract(source_path)
        if self.config is not None:
            size, columns = source_path.stat().st_size, max(map(len, found.values()), default=0)
            self._check("bytes", size, self.config.max_file_size_bytes)
            self._check("rows", len(found), self.config.max_rows)
            self._check("columns", columns + 1, self.config.max_columns)
        return found

    def _check(self, what: str, actual: int, limit: int) -> None:
        if actual > limit:
            raise ExcelSecurityError(
                f"Too many {what}: {actual:,} (max: {limit:,})", what, limit, actual
            )

    def _extract(self, source_path: Path) -> dict[str, dict[str, Any]]:
        rows = _csv(source_path) if source_path.suffix.lower() == ".csv" else _sheet(source_path)
        return {name: values for name, values in rows if values}

    def validate(self, metadata: dict[str, dict[str, Any]]) -> ValidationResult:
        """Check that each file has a dict."""
        wrong = [
            name for name, values in metadata.items() if not isinstance(cast("Any", values), dict)
        ]
        errors = [f"Metadata for file '{name}' must be a dictionary" for name in wrong]
        return ValidationResult(not errors, errors)


class ExcelMetadataStrategy(CsvMetadataStrategy):
    """Reads a sheet; see `CsvMetadataStrategy`."""


def _csv(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        header = [each.strip() for each in next(rows, list[str]())]
        if not header or header[0].lower() not in ("filename", "file_name"):
            got = header[0] if header else ""
            raise ValueError(f'First column header must be "filename" or "file_name", got: "{got}"')
        for row in rows:
            if row and row[0].strip():
                cells = zip(header[1:], (each.strip() for each in row[1:]), strict=False)
                yield row[0].strip(), {name: value for name, value in cells if value}


def _sheet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        from handrail_upload.metadata import SheetMetadata  # noqa: PLC0415 - optional
    except ImportError as error:
        raise ValueError(
            f"{path.name} can be read with handrail-upload:  pip install handrail-upload"
        ) from error
    for row in SheetMetadata().rows(path):
        yield row.name, dict(row.values)


class SyncUploadStrategy(UploadStrategy):
    """Sends files through the client: all at once if it can do that, else group by group."""

    def upload(self, files: list[Group], config: UploadConfig) -> list[Group]:
        """Send groups of files, and return those that have arrived."""
        bulk = getattr(self.context.client, "upload_files_bulk", None)
        needed = required(specs_of(self.context))
        groups = [{**group, "files": existing(group)} for group in files]
        groups = [each for each in groups if each["files"] and needed <= each["files"].keys()]
        paths = (path for group in groups for path in group["files"].values())
        here = all(isinstance(path, Path) for path in paths)
        if groups and here and config.use_presigned and callable(bulk):
            try:
                return self._at_once(groups, config, bulk)
            except Exception as error:  # noqa: BLE001 - the other way is left
                self.context.log("upload_action_log", {"message": f"not sent at once: {error}"})
        return self._one_by_one(groups, config)

    def _at_once(
        self, groups: list[Group], config: UploadConfig, bulk: Callable[..., Any]
    ) -> list[Group]:
        paths = [path for group in groups for path in group["files"].values()]
        answer = bulk(
            paths,
            max_workers=config.max_workers,
            batch_size=config.batch_size,
            max_upload_retries=config.max_upload_retries,
            on_progress=self.context.set_progress,
            strategy="presigned",
        )
        sums = {each.file_key: each.checksum for each in answer.results if each.success}
        if sums.keys() != {str(path) for path in paths}:
            raise RuntimeError("not every file has arrived")
        return [self._unit(group, sums) for group in groups]

    def _unit(self, group: Group, checksums: Mapping[str, str]) -> Group:
        files = {
            name: {"checksum": checksums[str(path)], "path": str(path)}
            for name, path in group["files"].items()
        }
        collection = self.context.params.get("data_collection")
        made = {"data_collection": collection, "files": files, "meta": group.get("meta", {})}
        groups = names_of_groups(group.get("groups"))
        return {**made, "groups": groups} if groups else made

    def _one_by_one(self, groups: list[Group], config: UploadConfig) -> list[Group]:
        arrived: list[Group] = []
        large = config.chunked_threshold_mb * 1024 * 1024
        for count, group in enumerate(groups, 1):
            sizes = (path.stat().st_size for path in group["files"].values())
            try:
                unit = self.context.client.upload_data_file(
                    group,
                    self.context.params.get("data_collection"),
                    use_chunked_upload=any(size > large for size in sizes),
                )
            except Exception as error:  # noqa: BLE001 - the others are sent all the same
                shown = {name: str(path) for name, path in group["files"].items()}
                about = {"files": shown, "status": "failed", "message": str(error)}
                self.context.log("upload_data_file", about)
            else:
                arrived.append(unit)
            self.context.set_progress(count, len(groups))
        return arrived


class BatchDataUnitStrategy(DataUnitStrategy):
    """Creates many data units in one call."""

    def generate(
        self,
        uploaded_files: list[Group],
        batch_size: int = 50,
        max_workers: int = 1,
        max_retries: int = 0,
    ) -> list[Group]:
        """Create data units, and return them in the order of their files."""
        size = max(1, batch_size)
        batches = [uploaded_files[at : at + size] for at in range(0, len(uploaded_files), size)]
        made: list[Group] = []
        answers: Iterable[tuple[list[Group], Exception | None]]
        if max_workers > 1:
            with ThreadPoolExecutor(max_workers) as pool:
                answers = list(pool.map(partial(self._create, retries=max_retries), batches))
        else:
            answers = (self._create(batch, max_retries) for batch in batches)
        done, count = 0, len(uploaded_files)
        for batch, (units, error) in zip(batches, answers, strict=True):
            done += len(batch)
            if error is not None:
                self.context.log("data_unit_batch_failed", {"message": str(error)})
                self._tell(batch, "failed", str(error))
            else:
                self._tell(units, "success")
            made += units
            self.context.set_progress(done, count, "generate_data_units")
            failed = done - len(made)
            figures = {"stand_by": count - done, "success": len(made), "failed": failed}
            self.context.set_metrics(figures, "data_units")
        return made

    def _tell(self, units: list[Group], status: str, error: str | None = None) -> None:
        """Log of each data unit whether it was created, and else why not."""
        now = datetime.now(UTC).isoformat()
        for unit in units:
            told: dict[str, Any] = {"data_unit_id": unit.get("id"), "status": status}
            told |= {"created": now, "data_unit_meta": unit.get("meta") or {}}
            if error is not None:
                told["message"] = error
            self.context.log("upload_data_unit", told)

    def _create(self, batch: list[Group], retries: int) -> tuple[list[Group], Exception | None]:
        for tried in range(retries + 1):
            try:
                return list(self.context.client.create_data_units(batch)), None
            except Exception as error:  # noqa: BLE001 - the others are created all the same
                if tried == retries or not _may_pass(error):
                    return [], error
            sleep(0.5 * 2**tried)
        raise AssertionError("the last attempt returns")


class SingleDataUnitStrategy(BatchDataUnitStrategy):
    """Creates one data unit in each call."""

    def generate(
        self,
        uploaded_files: list[Group],
        batch_size: int = 1,
        max_workers: int = 1,
        max_retries: int = 0,
    ) -> list[Group]:
        """Create data units, and return them in the order of their files."""
        return super().generate(uploaded_files, 1, max_workers, max_retries)


def _may_pass(error: Exception) -> bool:
    """Return whether to try again: not where the units may have been created already."""
    if isinstance(error, ClientConnectionError):
        return not isinstance(error, ClientResponseIncompleteError)
    status: object = getattr(error, "status_code", None)
    return isinstance(status, int) and (status >= 500 or status in (408, 425, 429))


def specs_of(context: UploadContext) -> Specs:
    """Return the specifications of the collection, or none before they are known."""
    collection: Mapping[str, Any] = context.data_collection or {}
    return list(collection.get("file_specifications", []))


def required(specs: Specs) -> frozenset[str]:
    """Return the names of the specifications of which each group must have a file."""
    return frozenset(each["name"] for each in specs if each.get("is_required", False))


def first(path: Any) -> Path | None:
    """Return a path, the first of several, or None without any.

    That of another storage is no `Path`, but has all that is asked of it here.
    """
    if isinstance(path, list):
        path = next(iter(cast("Any", path)), None)
    return Path(path) if isinstance(path, str) else path


def existing(group: Group) -> dict[str, Path]:
    """Return the files of a group that are there and not empty."""
    found: dict[str, Path] = {}
    files: Mapping[str, Any] = group.get("files") or {}
    for name, given in files.items():
        path = first(given)
        if path is not None and path.is_file() and path.stat().st_size:
            found[name] = path
    return found


def names_of_groups(given: Any) -> list[str]:
    """Return the names of the groups of a data unit, given as one or as a list."""
    return [given] if isinstance(given, str) else list(given or ())
