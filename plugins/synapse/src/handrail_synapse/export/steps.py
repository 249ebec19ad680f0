"""The six steps of an export, with the data that plugins between them read and write."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handrail import StepResult
from handrail_synapse.contexts import ExportContext
from handrail_synapse.exceptions import ClientError
from handrail_synapse.export.codes import ExportLogMessageCode as Code
from handrail_synapse.export.exporter import (
    MetricsRecord,
    setup_output_directories,
    unique_folder,
)
from handrail_synapse.folders import folders_to_remove, make_folder, remove_folders
from handrail_synapse.given import as_dict
from handrail_synapse.messages import LogLevel
from handrail_synapse.steps import BaseStep
from handrail_synapse.storages.session import acquire_storage, get_pathlib

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handrail_synapse.export.handlers import ExportTargetHandler


def default_steps() -> Iterator[BaseStep[ExportContext]]:
    """Yield the six steps of an export, in their order."""
    yield InitializeStep()
    yield FetchResultsStep()
    yield PrepareExportStep()
    yield ConvertDataStep()
    yield SaveFilesStep()
    yield FinalizeStep()


def _failed(error: str, **data: Any) -> StepResult:
    return StepResult(success=False, error=error, data=data)


def _nothing(reason: str) -> StepResult:
    return StepResult(data={"skipped": True, "reason": reason})


class InitializeStep(BaseStep[ExportContext]):
    """Open the storage, and make a new folder for the export in it."""

    name = "initialize"
    progress_weight = 0.02
    progress_proportion = 2

    def execute(self, context: ExportContext) -> StepResult:
        number, path = context.params.get("storage"), context.params.get("path")
        if number is None:
            return _failed("Storage parameter is required")
        try:
            acquire_storage(context, number)
        except Exception as error:  # noqa: BLE001 - whatever the client raises
            return _failed(f"Failed to get storage {number}: {error}")
        if path is None:
            return _failed("Path parameter is required")
        try:
            context.path_root = root = get_pathlib(context.storage, path)
        except Exception as error:  # noqa: BLE001 - whatever the storage raises
            return _failed(f"Failed to setup path {path}: {error}")
        try:
            new = unique_folder(root, context.params.get("name", "export"))
            folder = make_folder(new, context.record_rollback)
        except Exception as error:  # noqa: BLE001 - whatever the storage raises
            return _failed(f"Failed to create export directory: {error}")
        context.unique_export_path = folder
        wanted = context.params.get("save_original_file", False)
        originals = bool(wanted) and context.sdk_managed_original_files
        context.output_paths = setup_output_directories(
            folder, originals, context.label_output_dirname
        )
        context.log_message(Code.EXPORT_INITIALIZED)
        about = {"path_root": str(root), "unique_export_path": str(folder)}
        return StepResult(
            data={"storage_id": number, **about},
            rollback_data={"unique_export_path": str(folder)},
        )

    def restore(self, context: ExportContext, result: StepResult) -> None:
        context.recall_params()
        with suppress(Exception):  # An undo on this machine needs the folder only, not the service.
            storage = acquire_storage(context, context.params["storage"])
            if not isinstance(storage.path(), Path):
                self._paths_again(context)

    def _paths_again(self, context: ExportContext) -> None:
        """Make paths of the texts that a journal has of those of another storage."""
        root: Any = get_pathlib(context.storage, context.params["path"])
        folder: Any = root / Path(str(context.unique_export_path)).name
        context.path_root, context.unique_export_path = root, folder
        context.output_paths = {
            name: folder / Path(str(path)).name for name, path in context.output_paths.items()
        }

    def rollback(self, context: ExportContext, result: StepResult) -> None:
        for each in remove_folders(result.rollback_data, context.unique_export_path):
            context.log("rolled_back", {"removed": each}, level=LogLevel.DEBUG)
        context.storage = None
        context.path_root = None
        context.unique_export_path = None
        context.output_paths = {}

    def preview(self, context: ExportContext) -> str:
        return f"make a folder {context.params.get('name')!r} in {context.params.get('path')}"

    def preview_rollback(self, context: ExportContext, result: StepResult) -> Iterator[str]:
        for each in folders_to_remove(result.rollback_data):
            yield f"remove {each} with all that is in it"


class FetchResultsStep(BaseStep[ExportContext]):
    """Ask the service for the items; they are fetched while they are written."""

    name = "fetch_results"
    progress_weight = 0.05
    progress_proportion = 5
    effects = False

    def execute(self, context: ExportContext) -> StepResult:
        context.set_progress(0, 1)
        if context.params.get("target") is None:
            return _failed("Target parameter is required")
        try:
            context.results, context.total_count = self._ask(context)
        except ValueError as error:
            return _failed(str(error))
        except ClientError as error:
            return _failed(f"Failed to fetch results: {error}")
        context.set_progress(1, 1)
        if not context.total_count:
            context.log_message(Code.EXPORT_NO_RESULTS)
            return StepResult(data={"count": 0, "message": "No results found"})
        context.log_message(Code.EXPORT_RESULTS_FETCHED, count=context.total_count)
        return StepResult(data={"count": context.total_count})

    def _ask(self, context: ExportContext) -> tuple[Any, int]:
        filters = dict(context.params.get("filter") or {})
        if context.config.get("data_expand", True):
            filters["expand"] = "data"
        return self._new_handler(context).get_results(
            context.client,
            filters,
            ctx=context.runtime_ctx,
            page_failures=None,
            save_original_file=bool(context.params.get("save_original_file", False)),
        )

    def _new_handler(self, context: ExportContext) -> ExportTargetHandler:
        from handrail_synapse.export.handlers import (  # noqa: PLC0415 - not to plan
            TargetHandlerFactory,
        )

        target = context.params["target"]
        made = TargetHandlerFactory.get_handler(target, config=context.config)
        context.handler = made
        return made

    def restore(self, context: ExportContext, result: StepResult) -> None:
        def later() -> Iterator[Any]:  # An undo needs none, and not the service.
            yield from self._ask(context)[0]

        self._new_handler(context)
        context.results = later()

    def rollback(self, context: ExportContext, result: StepResult) -> None:
        context.results = None
        context.total_count = 0
        context.handler = None


class PrepareExportStep(BaseStep[ExportContext]):
    """Collect what the exporter is told, with the configuration of the project."""

    name = "prepare_export"
    progress_weight = 0.03
    progress_proportion = 3
    effects = False

    def can_skip(self, context: ExportContext) -> bool:
        return context.total_count == 0

    def execute(self, context: ExportContext) -> StepResult:
        if context.total_count == 0:
            return _nothing("No results to export")
        if context.handler is None:
            return _failed("Handler not available. FetchResultsStep must run first.")
        params = context.params
        told: dict[str, Any] = {
            "name": params.get("name"),
            "count": context.total_count,
            "save_original_file": params.get("save_original_file", False),
            **as_dict(params.get("extra_params")),
        }
        try:
            told |= self._project(context)
        except Exception as error:  # noqa: BLE001 - the export goes on without
            _warn(context, f"Failed to get project configuration: {error}")
            told["configuration"] = {}
        context.export_params = told
        context.configuration = told.get("configuration", {})
        context.export_items = context.handler.get_export_item(context.results)
        return StepResult(data={"export_params": told, "project_id": context.project_id})

    def _project(self, context: ExportContext) -> Mapping[str, Any]:
        given = as_dict(context.params.get("filter"))
        of_truth = context.params.get("target") == "ground_truth"
        if of_truth:
            number: Any = _project_of(context, given.get("ground_truth_dataset_version"))
        else:
            number = given.get("project")
        if not number:
            return {"configuration": {}} if of_truth else {}
        context.project_id = number
        told: dict[str, Any] = {
            "configuration": context.client.get_project(number).get("configuration", {})
        }
        return {"project_id": number, **told} if of_truth else told

    def restore(self, context: ExportContext, result: StepResult) -> None:
        if context.handler is not None:
            context.export_items = context.handler.get_export_item(context.results)

    def rollback(self, context: ExportContext, result: StepResult) -> None:
        context.export_params = {}
        context.configuration = {}
        context.export_items = None


def _project_of(context: ExportContext, version: Any) -> int | None:
    """Return the project of a version of a ground truth data set, if it can be known."""
    newer: Any = getattr(context.runtime_ctx, "v2_client", None)
    if not version or newer is None:
        return None
    data_set: Any = context.client.get_ground_truth_version(version).get("ground_truth_dataset")
    number: Any = as_dict(data_set).get("id", data_set)
    if not isinstance(number, int):
        return None
    project: int | None = newer.ground_truth_datasets.retrieve(number).project_id
    return project


class ConvertDataStep(BaseStep[ExportContext]):
    """Let the exporter convert the items; each is converted when it is about to be written."""

    name = "convert_data"
    progress_weight = 0.32
    progress_proportion = 32
    effects = False

    def can_skip(self, context: ExportContext) -> bool:
        return context.total_count == 0

    def execute(self, context: ExportContext) -> StepResult:
        total = context.total_count
        if total == 0:
            return _nothing("No results to convert")
        if context.export_items is None:
            return _failed("Export items not available. PrepareExportStep must run first.")
        # It is made when the first item is converted: a dry run has no folder for it.
        if context.exporter is None and context.exporter_class is None:
            return _failed(
                "Exporter not available. Set exporter in context before running this step."
            )
        context.log_message(Code.EXPORT_CONVERTING, count=total)
        context.set_progress(0, total, self.name)
        context.converted_items = self._converted(context, context.export_items)
        return StepResult(data={"converted_count": total})

    def _converted(self, context: ExportContext, items: Iterable[Any]) -> Iterator[dict[str, Any]]:
        total, due, count = context.total_count, Due(context.params), 0
        exporter: Any = context.use_exporter()
        for count, item in enumerate(items, 1):
            if due.at(count, total):
                context.set_progress(min(count, total), total, self.name)
            yield exporter.process_data_conversion(item)
        context.log_message(Code.EXPORT_CONVERTED, count=count)

    def restore(self, context: ExportContext, result: StepResult) -> None:
        if context.export_items is not None:
            context.converted_items = self._converted(context, context.export_items)

    def rollback(self, context: ExportContext, result: StepResult) -> None:
        context.converted_items = None


class SaveFilesStep(BaseStep[ExportContext]):
    """Let the exporter write the items, and then what is of no single item."""

    name = "save_files"
    progress_weight = 0.38
    progress_proportion = 38

    def can_skip(self, context: ExportContext) -> bool:
        if context.total_count == 0:
            return not _wants_empty(context)
        return context.converted_items is None

    def execute(self, context: ExportContext) -> StepResult:
        total, folder = context.total_count, context.unique_export_path
        if total == 0 and not _wants_empty(context):
            return _nothing("No files to save")
        if total and context.converted_items is None:
            return _nothing("No converted items to save")
        exporter = context.use_exporter()
        if exporter is None:
            return _failed("Exporter not available.")
        if folder is None:
            return _failed("Export path not available. InitializeStep must run first.")
        saving = Saving(context, exporter, folder)
        try:
            saving.all(context.converted_items or ())
        except Exception as error:  # noqa: BLE001 - of a plugin, or of the client
            _warn(context, f"save_files failed at item {saving.reached}/{total}: {error}")
            return _failed(
                f"File saving failed at item {saving.reached}/{total}: {error}",
                reached_item=saving.reached,
                **saving.counts(),
            )
        try:
            exporter.additional_file_saving(folder)
        except Exception as error:  # noqa: BLE001 - of a plugin
            saving.note()
            return _failed(f"Aggregate file finalization failed: {error}", **saving.counts())
        return saving.done()

    def rollback(self, context: ExportContext, result: StepResult) -> None:
        context.errors_json = []
        context.errors_original = []
        context.exported_count = 0
        context.failed_count = 0
        context.filename_collision_count = 0
        context.written_file_count = None

    def preview(self, context: ExportContext) -> str:
        return f"write the files of {context.total_count:,} items"


class Saving:
    """Writes the items of one export, and counts them.

    Attributes:
        reached: The number of the last item that was begun.
    """

    def __init__(self, context: ExportContext, exporter: Any, folder: Path) -> None:
        self.reached = 0
        self._context, self._exporter, self._folder = context, exporter, folder
        asked = context.params.get("save_original_file", False)
        self._originals = bool(asked) and context.sdk_managed_original_files
        total = context.total_count
        self._original_files = MetricsRecord(stand_by=total if self._originals else 0)
        self._data_files = MetricsRecord(stand_by=total)
        self._wrong_data: list[Any] = []
        self._wrong_originals: list[Any] = []

    def all(self, items: Iterable[dict[str, Any]]) -> None:
        """Write all items."""
        context, exporter, total = self._context, self._exporter, self._context.total_count
        if getattr(exporter, "use_output_stem_manifest", False) is True:
            items = list(items)
            exporter.prepare_output_stem_manifest(items)
        bind = getattr(exporter, "bind_file_metrics_records", None)
        if callable(bind):
            bind(self._original_files, self._data_files)
        if total:
            context.set_progress(0, total)
        context.log_message(Code.EXPORT_SAVING_FILES, count=total)
        due = Due(context.params)
        # One that is given no adapter, as in tests, reports everything.
        flush = getattr(getattr(exporter, "run", None), "set_flush_enabled", None)
        try:
            for number, item in enumerate(items, 1):
                self.reached = number
                if callable(flush):
                    flush(due.at(number, total))
                exporter.process_file_saving(
                    item,
                    self._folder,
                    self._originals,
                    self._wrong_data,
                    self._wrong_originals,
                    self._original_files,
                    self._data_files,
                    number,
                )
        finally:
            if callable(flush):
                flush(True)

    def counts(self) -> dict[str, int]:
        """Return how many items were written, and how many not."""
        done = self._data_files
        return {"exported_count": done.success, "failed_count": done.failed}

    def note(self) -> None:
        """Take note in the context of what was written."""
        context = self._context
        context.errors_json, context.errors_original = self._wrong_data, self._wrong_originals
        context.exported_count = self._data_files.success
        context.failed_count = self._data_files.failed

    def done(self) -> StepResult:
        """Return the result, once all is written."""
        self.note()
        context, done = self._context, self._data_files
        renamed: Any = getattr(self._exporter, "filename_collision_count", 0)
        context.filename_collision_count = renamed if isinstance(renamed, int) else 0
        if context.filename_collision_count:
            context.renamed_items = list(self._exporter.filename_collisions)
        context.written_file_count = self._files_there()
        if done.failed:
            context.log_message(
                Code.EXPORT_FILES_SAVED_WITH_FAILURES, success=done.success, failed=done.failed
            )
        else:
            context.log_message(Code.EXPORT_FILES_SAVED, count=done.success)
        nothing = done.failed > 0 and not done.success
        why = f"export produced no files: {done.failed} item(s) failed, 0 exported"
        return StepResult(
            success=not nothing,
            error=why if nothing else None,
            data={
                **self.counts(),
                "original_success": self._original_files.success,
                "original_failed": self._original_files.failed,
                "filename_collision_count": context.filename_collision_count,
                "written_file_count": context.written_file_count,
            },
        )

    def _files_there(self) -> int | None:
        """Return the number of files in the folder of converted items, if there is one."""
        name = self._context.label_output_dirname
        try:
            folder = self._folder / name if name else None
            return None if folder is None else sum(each.is_file() for each in folder.iterdir())
        except OSError:
            return None


class FinalizeStep(BaseStep[ExportContext]):
    """Write down which files are missing or renamed."""

    name = "finalize"
    progress_weight = 0.10
    progress_proportion = 10

    def execute(self, context: ExportContext) -> StepResult:
        root = context.path_root
        context.output_path = None if root is None else str(root)
        if context.total_count == 0:
            return StepResult(data={"export_path": context.output_path, "exported_count": 0})
        folder = context.unique_export_path
        if folder is None:
            return _failed("Export path not available.")
        try:
            self._report(context, folder)
        except Exception as error:  # noqa: BLE001 - the items are there
            _warn(context, f"Error list saving failed: {error}")
        exported, failed = context.exported_count, context.failed_count
        if failed:
            context.log_message(
                Code.EXPORT_COMPLETED_WITH_FAILURES, exported=exported, failed=failed
            )
        else:
            context.log_message(Code.EXPORT_COMPLETED, count=exported)
        data: dict[str, Any] = {
            "export_path": context.output_path,
            "unique_export_path": str(folder),
            "exported_count": exported,
            "failed_count": failed,
        }
        if context.filename_collision_count:
            data["filename_collision_count"] = context.filename_collision_count
        if context.written_file_count is not None:
            data["written_file_count"] = context.written_file_count
        return StepResult(data=data)

    def rollback(self, context: ExportContext, result: StepResult) -> None:
        context.output_path = None  # What it wrote goes with the folder.

    def preview(self, context: ExportContext) -> str:
        return "write down which files are missing or renamed"

    def _report(self, context: ExportContext, folder: Path) -> None:
        exporter = context.use_exporter()
        if exporter is None:
            return
        exporter._save_error_list(folder, context.errors_json, context.errors_original)
        # Those of the context are of an earlier process.
        renamed: Any = getattr(exporter, "filename_collisions", None) or context.renamed_items
        if renamed and not getattr(exporter, "export_report_enabled", False):
            with (folder / "filename_collisions.json").open("w", encoding="utf-8") as file:
                json.dump(renamed, file, indent=4, ensure_ascii=False)


class Due:
    """Whether progress is due to be reported: of each 25th item, and each half second.

    Args:
        params: Those of the export, which may have `export_progress_flush_interval` and
            `export_progress_flush_min_seconds`.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._items = max(1, int(params.get("export_progress_flush_interval", 25)))
        self._seconds = float(params.get("export_progress_flush_min_seconds", 0.5))
        self._last = 0.0

    def at(self, number: int, total: int) -> bool:
        """Return whether it is due at an item, counted from 1; at the first and last it is."""
        now = time.monotonic()
        late = self._seconds > 0 and now - self._last >= self._seconds
        due = late or number <= 1 or number >= total > 0 or number % self._items == 0
        if due:
            self._last = now
        return due


def _warn(context: ExportContext, text: str) -> None:
    tell = getattr(context.logger, "warning", None)
    if callable(tell):
        tell(text)
    else:
        context.log_message(text, LogLevel.WARNING)


def _wants_empty(context: ExportContext) -> bool:
    """Return whether the exporter writes something also without items."""
    exporter: Any = context.exporter or context.exporter_class
    return getattr(exporter, "finalize_empty_export", False) is True


__all__ = [
    "ConvertDataStep",
    "FetchResultsStep",
    "FinalizeStep",
    "InitializeStep",
    "PrepareExportStep",
    "SaveFilesStep",
    "default_steps",
]
