"""The eight steps of an upload, with the data that plugins put between them read and write."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handrail import StepResult
from handrail_synapse.contexts import UploadContext
from handrail_synapse.messages import LogLevel
from handrail_synapse.steps import BaseStep
from handrail_synapse.storages.session import acquire_storage, get_pathlib, on_this_machine
from handrail_synapse.upload.codes import UploadLogMessageCode as Code
from handrail_synapse.upload.strategies import (
    BatchDataUnitStrategy,
    CsvMetadataStrategy,
    DefaultValidationStrategy,
    RecursiveFileDiscoveryStrategy,
    SyncUploadStrategy,
    UploadConfig,
    first,
    names_of_groups,
    required,
    specs_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handrail_synapse.upload.strategies import (
        DataUnitStrategy,
        FileDiscoveryStrategy,
        Group,
        MetadataStrategy,
        Specs,
        UploadStrategy,
        ValidationStrategy,
    )

_SHEETS = ("meta.xlsx", "meta.xls", "meta.csv")


def default_steps() -> Iterator[BaseStep[UploadContext]]:
    """Yield the eight steps of an upload, in their order."""
    yield InitializeStep()
    yield ProcessMetadataStep()
    yield AnalyzeCollectionStep()
    yield OrganizeFilesStep()
    yield ValidateFilesStep()
    yield UploadFilesStep()
    yield GenerateDataUnitsStep()
    yield CleanupStep()


def _failed(error: str) -> StepResult:
    return StepResult(success=False, error=error)


class InitializeStep(BaseStep[UploadContext]):
    """Open the storage of the source files."""

    name = "initialize"
    progress_weight = 0.05
    progress_proportion = 1
    effects = False

    def execute(self, context: UploadContext) -> StepResult:
        context.set_progress(0, 1)
        number, path = context.params.get("storage"), context.params.get("path")
        if number is None:
            return _failed("Storage parameter is required")
        if context.use_single_path and path is None:
            return _failed("Path parameter is required in single-path mode")
        try:
            acquire_storage(context, number, purpose="read")
        except Exception as error:  # noqa: BLE001 - whatever the client raises
            return _failed(f"Failed to get storage {number}: {error}")
        try:
            context.pathlib_cwd = get_pathlib(context.storage, path) if path else None
        except Exception as error:  # noqa: BLE001 - whatever the storage raises
            return _failed(f"Failed to get path {path}: {error}")
        context.set_progress(1, 1)
        context.log_message(Code.UPLOAD_INITIALIZED)
        return StepResult(data={"storage_id": number, "pathlib_cwd": str(context.pathlib_cwd)})

    def restore(self, context: UploadContext, result: StepResult) -> None:
        context.recall_params()
        storage = acquire_storage(context, context.params["storage"], purpose="read")
        path = context.params.get("path")
        if path and not isinstance(storage.path(), Path):
            # As text, that of another storage is no path.
            context.pathlib_cwd = get_pathlib(storage, path)

    def rollback(self, context: UploadContext, result: StepResult) -> None:
        context.storage = None
        context.pathlib_cwd = None


class ProcessMetadataStep(BaseStep[UploadContext]):
    """Read the sheet with the metadata of the files; a sheet that cannot be read is left out.

    Args:
        metadata_strategy: How it is read.
    """

    name = "process_metadata"
    progress_weight = 0.10
    progress_proportion = 2
    effects = False

    def __init__(self, metadata_strategy: MetadataStrategy | None = None) -> None:
        self._strategy = metadata_strategy

    def can_skip(self, context: UploadContext) -> bool:
        return not context.params.get("excel_metadata_path") and _sheet_in(context) is None

    def execute(self, context: UploadContext) -> StepResult:
        named = context.params.get("excel_metadata_path")
        path = _sheet_named(context, str(named)) if named else _sheet_in(context)
        metadata: dict[str, Any] = {}
        if path is None:
            context.log("metadata_not_found", {"path": str(named)}, level=LogLevel.WARNING)
        else:
            metadata = self._read(context, path)
        context.excel_metadata = metadata
        return StepResult(data={"metadata": metadata})

    def _read(self, context: UploadContext, path: Path) -> dict[str, Any]:
        strategy = self._strategy or CsvMetadataStrategy()
        try:
            metadata = strategy.extract(on_this_machine(path))
            valid = strategy.validate(metadata)
            if not valid:
                raise ValueError(", ".join(valid.errors))
        except Exception as error:  # noqa: BLE001 - the upload goes on without
            context.log_message(Code.UPLOAD_METADATA_SKIPPED_DUE_TO_ERROR, error=str(error))
            return {}
        context.log_message(Code.UPLOAD_METADATA_LOADED, count=len(metadata))
        return metadata

    def rollback(self, context: UploadContext, result: StepResult) -> None:
        context.excel_metadata = None


def _sheet_in(context: UploadContext) -> Path | None:
    if context.pathlib_cwd is None:
        return None
    found = (context.pathlib_cwd / name for name in _SHEETS)
    return next((each for each in found if each.exists()), None)


def _sheet_named(context: UploadContext, name: str) -> Path | None:
    def places() -> Iterator[Path]:
        yield Path(name)
        yield get_pathlib(context.storage, name)
        if context.pathlib_cwd is not None:
            yield context.pathlib_cwd / name

    return next((each for each in places() if each.is_file()), None)


class AnalyzeCollectionStep(BaseStep[UploadContext]):
    """Ask for the file specifications of the collection."""

    name = "analyze_collection"
    progress_weight = 0.05
    progress_proportion = 1
    effects = False

    def execute(self, context: UploadContext) -> StepResult:
        number = context.params.get("data_collection")
        if number is None:
            return _failed("Data collection parameter is required")
        try:
            context.data_collection = context.client.get_data_collection(number)
        except Exception as error:  # noqa: BLE001 - whatever the client raises
            return _failed(f"Failed to analyze collection {number}: {error}")
        specs = list(specs_of(context))
        context.log_message(Code.UPLOAD_COLLECTION_ANALYZED, count=len(specs))
        return StepResult(data={"file_specifications": specs})

    def rollback(self, context: UploadContext, result: StepResult) -> None:
        context.data_collection = None


class OrganizeFilesStep(BaseStep[UploadContext]):
    """Find the files, and group those of one data unit.

    Args:
        file_discovery_strategy: How they are found and grouped.
        skip_required_check: Whether a group may lack a required file, which a later step adds.
    """

    name = "organize_files"
    progress_weight = 0.15
    progress_proportion = 2
    effects = False

    def __init__(
        self,
        file_discovery_strategy: FileDiscoveryStrategy | None = None,
        skip_required_check: bool = False,
    ) -> None:
        self._strategy = file_discovery_strategy or RecursiveFileDiscoveryStrategy()
        self._skip_required_check = skip_required_check

    def execute(self, context: UploadContext) -> StepResult:
        specs = specs_of(context)
        if not specs:
            return _failed("File specifications not available")
        try:
            folders = self._folders(context, specs)
        except ValueError as error:
            return _failed(str(error))
        files: list[Path] = []
        for name, (folder, recursive) in folders.items():
            found = self._strategy.discover(folder, recursive)
            if not found:
                context.log("no_files_found_for_asset", {"spec": name})
            files += found
        groups: list[Group] = []
        if files:
            groups = self._strategy.organize(
                files,
                specs,
                context.excel_metadata or {},
                {name: folder for name, (folder, _) in folders.items()},
                skip_required_check=self._skip_required_check,
            )
        if groups:
            stems = [{"source_file_name": each["meta"].get("origin_file_stem")} for each in groups]
            context.log("files_discovered", {"count": len(groups), "targets": stems})
            context.log_message(Code.UPLOAD_FILES_ORGANIZED, count=len(groups))
        else:
            context.log_message(Code.UPLOAD_NO_FILES_FOUND)
        context.organized_files = groups
        # Not the groups themselves: a journal has no place for the paths in them.
        return StepResult(data={"groups": len(groups)})

    def _folders(self, context: UploadContext, specs: Specs) -> dict[str, tuple[Path, bool]]:
        """Return the folder of each specification, and whether folders in it count.

        Raises:
            ValueError: There is no folder for a required one.
        """
        if not context.use_single_path:
            return self._named_folders(context, specs)
        above = context.pathlib_cwd
        if above is None:
            raise ValueError("Working directory path not set in single-path mode")
        recursive = bool(context.params.get("is_recursive", True))
        names = [str(each["name"]) for each in specs if each.get("name")]
        return {name: (above / name, recursive) for name in names if (above / name).is_dir()}

    def _named_folders(self, context: UploadContext, specs: Specs) -> dict[str, tuple[Path, bool]]:
        assets: Mapping[str, Mapping[str, Any]] = context.params.get("assets") or {}
        if not assets:
            raise ValueError("Multi-path mode requires assets configuration")
        missing = sorted(required(specs) - assets.keys())
        if missing and not self._skip_required_check:
            raise ValueError(f"Multi-path mode requires asset paths for: {', '.join(missing)}")
        folders: dict[str, tuple[Path, bool]] = {}
        for name in (each["name"] for each in specs if each.get("name") in assets):
            folder = get_pathlib(context.storage, str(assets[name].get("path", "")))
            if folder.exists():
                folders[name] = folder, bool(assets[name].get("is_recursive", True))
            else:
                context.log("asset_path_not_found", {"spec": name, "path": str(folder)})
        return folders

    def restore(self, context: UploadContext, result: StepResult) -> None:
        for group in context.organized_files:  # As text, paths have no suffix and no stem.
            files = group["files"].items()
            group["files"] = {name: path_again(context, path) for name, path in files}

    def rollback(self, context: UploadContext, result: StepResult) -> None:
        context.organized_files = []


def path_again(context: UploadContext, text: Any) -> Any:
    """Return the path whose text a journal has: of this machine, or of the storage."""
    root = context.storage.path()
    below = str(text).removeprefix(str(root))
    is_local = isinstance(root, Path) or below == str(text)
    return first(text) if is_local else context.storage.path(below)


class ValidateFilesStep(BaseStep[UploadContext]):
    """Check the groups of files against the specifications of the collection.

    The contents of files, and the frame rates of videos, are not looked at.

    Args:
        validation_strategy: The check.
        check_vfr: Not used, as the next two: for the plugins that give them.
        vfr_sample_frames: See `check_vfr`.
        vfr_variance_threshold: See `check_vfr`.
    """

    name = "validate_files"
    progress_weight = 0.10
    progress_proportion = 1

    def __init__(
        self,
        validation_strategy: ValidationStrategy | None = None,
        check_vfr: bool = True,
        vfr_sample_frames: int = 200,
        vfr_variance_threshold: float = 0.001,
    ) -> None:
        self._strategy = validation_strategy or DefaultValidationStrategy()

    def execute(self, context: UploadContext) -> StepResult:
        if not context.organized_files:
            return _failed("No organized files to validate")
        specs = specs_of(context)
        if not specs:
            return _failed("File specifications not available")
        if context.allowed_extensions:
            kept = list(_allowed(context.organized_files, specs, context.allowed_extensions))
            left_out = len(context.organized_files) - len(kept)
            if left_out:
                about = {"filtered_count": left_out, "remaining_count": len(kept)}
                context.log("files_filtered_by_extension", about, level=LogLevel.WARNING)
            context.organized_files = kept
            if not kept:
                return _failed("No files remaining after extension filtering")
        valid = self._strategy.validate_files(context.organized_files, specs)
        if not valid:
            error = f"File validation failed: {', '.join(valid.errors)}"
            context.log_message(error, LogLevel.DANGER)
            return _failed(error)
        context.log_message(Code.UPLOAD_VALIDATION_PASSED, count=len(context.organized_files))
        return StepResult(data={"validation_passed": True})


def _allowed(
    groups: list[Group], specs: Specs, allowed: Mapping[str, list[str]]
) -> Iterator[Group]:
    """Yield the groups without files that are not allowed, if nothing required is among them."""
    kinds = {each["name"]: each.get("file_type", "") for each in specs}
    for group in groups:
        kept: dict[str, Any] = {}
        for name, given in group.get("files", {}).items():
            path, known = first(given), allowed.get(kinds.get(name, ""))
            if path is None:
                continue
            if known is None or path.suffix.lower() in [each.lower() for each in known]:
                kept[name] = given
        if kept and required(specs) <= kept.keys():
            yield {**group, "files": kept}


class UploadFilesStep(BaseStep[UploadContext]):
    """Send the files to the service; what it has of them, an undo leaves there.

    Args:
        upload_strategy_class: How they are sent.
    """

    name = "upload_files"
    progress_weight = 0.30
    progress_proportion = 34

    def __init__(self, upload_strategy_class: type[UploadStrategy] | None = None) -> None:
        self._strategy_class = upload_strategy_class or SyncUploadStrategy

    def execute(self, context: UploadContext) -> StepResult:
        if not context.organized_files:
            return _failed("No organized files to upload")
        name_groups(context)
        count = len(context.organized_files)
        context.log_message(Code.UPLOAD_FILES_UPLOADING, count=count)
        context.set_metrics({"stand_by": count, "success": 0, "failed": 0}, "data_files")
        param = context.get_param
        config = UploadConfig(
            chunked_threshold_mb=param("max_file_size_mb", 50),
            batch_size=param("upload_batch_size", 200),
            max_workers=param("upload_max_workers", 10),
            max_upload_retries=param("upload_max_retries", 2),
            use_presigned=param("use_presigned", True),
        )
        try:
            arrived = self._strategy_class(context).upload(context.organized_files, config)
        except Exception as error:  # noqa: BLE001 - whatever the client raises
            return _failed(f"File upload failed: {error}")
        return uploaded(context, arrived)


def name_groups(context: UploadContext) -> None:
    """Put the data units without groups of their own into that of the params."""
    name: object = context.get_param("group_name")
    if isinstance(name, str) and name.strip():
        for group in context.organized_files:
            if not group.get("groups"):
                group["groups"] = [name.strip()]


def uploaded(context: UploadContext, arrived: list[Group]) -> StepResult:
    """Take note of the groups of files that have arrived, and of those that have not."""
    count = len(context.organized_files)
    context.uploaded_files = arrived
    failed = max(0, count - len(arrived))
    context.set_metrics({"stand_by": 0, "success": len(arrived), "failed": failed}, "data_files")
    if not arrived:
        return _failed("No files were successfully uploaded")
    there = {file["path"] for group in arrived for file in group["files"].values()}
    paths = [first(path) for group in context.organized_files for path in group["files"].values()]
    context.lost_files = [str(path) for path in paths if path and str(path) not in there]
    if failed:
        context.log_message(
            Code.UPLOAD_FILES_COMPLETED_WITH_FAILURES, success=len(arrived), failed=failed
        )
    else:
        context.log_message(Code.UPLOAD_FILES_COMPLETED, success=len(arrived))
    return StepResult(data={"uploaded_files": arrived})


class GenerateDataUnitsStep(BaseStep[UploadContext]):
    """Create data units of the uploaded files; an undo leaves them there.

    Args:
        data_unit_strategy_class: How they are created.
    """

    name = "generate_data_units"
    progress_weight = 0.20
    progress_proportion = 58

    def __init__(self, data_unit_strategy_class: type[DataUnitStrategy] | None = None) -> None:
        self._strategy_class = data_unit_strategy_class or BatchDataUnitStrategy

    def execute(self, context: UploadContext) -> StepResult:
        files = context.uploaded_files
        if not files:
            return _failed("No uploaded files to generate data units from")
        context.log_message(Code.UPLOAD_DATA_UNITS_CREATING, count=len(files))
        context.set_metrics({"stand_by": len(files), "success": 0, "failed": 0}, "data_units")
        strategy = self._strategy_class(context)
        try:
            units = strategy.generate(
                files,
                context.batch_size,
                context.data_unit_max_workers,
                context.data_unit_max_retries,
            )
        except Exception as error:  # noqa: BLE001 - whatever the client raises
            return _failed(f"Data unit generation failed: {error}")
        return generated(context, units)


def generated(context: UploadContext, units: list[Group]) -> StepResult:
    """Take note of the data units that were created."""
    count = len(context.uploaded_files)
    failed = count - len(units)
    context.data_units = units
    context.set_metrics({"stand_by": 0, "success": len(units), "failed": failed}, "data_units")
    if not units:
        return _failed(f"No data units were successfully generated from {count} uploaded files")
    if failed:
        context.log_message(
            Code.UPLOAD_DATA_UNITS_COMPLETED_WITH_FAILURES, success=len(units), failed=failed
        )
    else:
        context.log_message(Code.UPLOAD_DATA_UNITS_COMPLETED, count=len(units))
    return StepResult(data={"generated_data_units": units})


class CleanupStep(BaseStep[UploadContext]):
    """Delete the folder that a step has made for its files."""

    name = "cleanup"
    progress_weight = 0.05
    progress_proportion = 1

    def can_skip(self, context: UploadContext) -> bool:
        return bool(context.params.get("skip_cleanup", False))

    def execute(self, context: UploadContext) -> StepResult:
        folder: Any = context.params.get("temp_path")
        if context.params.get("cleanup_temp") and folder:
            shutil.rmtree(folder, ignore_errors=True)
        counts = {
            "organized_files": len(context.organized_files),
            "uploaded_files": len(context.uploaded_files),
            "data_units": len(context.data_units),
        }
        context.log("import_completed", counts)
        context.log_message(
            Code.UPLOAD_COMPLETED,
            files=counts["uploaded_files"],
            data_units=counts["data_units"],
        )
        return StepResult(data={"cleanup_completed": True, "statistics": counts})


__all__ = [
    "AnalyzeCollectionStep",
    "CleanupStep",
    "GenerateDataUnitsStep",
    "InitializeStep",
    "OrganizeFilesStep",
    "ProcessMetadataStep",
    "UploadFilesStep",
    "ValidateFilesStep",
    "default_steps",
    "names_of_groups",
]
