"""Writes the items of an export; plugins derive their own from `BaseExporter`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handrail_synapse.export.codes import ExportLogMessageCode as Code
from handrail_synapse.export.codes import ExportStatus
from handrail_synapse.given import as_dict
from handrail_synapse.messages import LogLevel
from handrail_synapse.runtime import RuntimeContext, with_messages

_STEMS = "_stems_of_items"
_WORKERS = 8
_LEVELS = {"success": LogLevel.INFO, "danger": LogLevel.ERROR}


class MetricsRecord:
    """How many files are to be written, were written, and could not be."""

    def __init__(self, stand_by: int = 0, success: int = 0, failed: int = 0) -> None:
        self.stand_by = stand_by
        self.success = success
        self.failed = failed

    def to_dict(self) -> dict[str, int]:
        """Return the three numbers by their names."""
        return {"stand_by": self.stand_by, "success": self.success, "failed": self.failed}


class ExporterRunAdapter:
    """What an exporter reports to, `self.run`: the logger of the run, under older names.

    Args:
        logger: The logger.
        context: The runtime context; by default, one of the logger.
    """

    MetricsRecord = MetricsRecord

    def __init__(self, logger: Any, context: Any = None) -> None:
        self._tell = RuntimeContext(logger) if context is None else with_messages(context)
        self._flush_enabled = True

    @property
    def flush_enabled(self) -> bool:
        """Whether progress and metrics are reported now."""
        return self._flush_enabled

    def set_flush_enabled(self, enabled: bool) -> None:
        """Report progress and metrics, or leave them out until later."""
        self._flush_enabled = bool(enabled)

    def log_message(self, message: Any) -> None:
        """Log a message for the user."""
        self._tell.log_message(message)

    def log_export_event(self, event_code: str, item_id: Any) -> None:
        """Log what happened to an item."""
        self._tell.log(event_code, {"item_id": item_id})

    def log_dev_event(
        self, message: str, data: dict[str, Any] | None = None, level: Any = None
    ) -> None:
        """Log something for the developer of the plugin."""
        named = str(getattr(level, "value", level) or "info").lower()
        try:
            chosen = _LEVELS.get(named) or LogLevel(named)
        except ValueError:
            chosen = LogLevel.INFO
        self._tell.log(message, data or {}, level=chosen)

    def set_progress(self, current: float, total: float, step: str | None = None) -> None:
        """Report progress."""
        if self._flush_enabled:
            self._tell.set_progress(current, total, step)

    def log_metrics(self, record: Any, step: str) -> None:
        """Report how many files were written."""
        if self._flush_enabled:
            self._tell.set_metrics(record.to_dict(), step)

    def export_log_original_file(
        self, item_id: Any, file_info: Mapping[str, Any], status: ExportStatus, error_msg: str
    ) -> None:
        """Log what became of an original file."""
        self._file("export_original_file", item_id, file_info, status, error_msg)

    def export_log_data_file(
        self, item_id: Any, file_info: Mapping[str, Any], status: ExportStatus, error_msg: str
    ) -> None:
        """Log what became of a file with data."""
        self._file("export_data_file", item_id, file_info, status, error_msg)

    def _file(
        self, event: str, item: Any, about: Mapping[str, Any], status: ExportStatus, error: str
    ) -> None:
        told = {
            "target_id": item,
            "data_file_info": json.dumps(about),
            "status": status.value,
            "error": error,
            "created": datetime.now(UTC).isoformat(),
        }
        self._tell.log(event, told)

    def end_log(self) -> None:
        """End the log."""
        finish = getattr(self._tell.logger, "finish", None)
        if callable(finish):
            finish()


class BaseExporter:
    """Converts and writes items; derive your own, and override what is to differ.

    Args:
        ctx: The runtime context.
        export_items: The items: dicts with `data`, `files` and `id`.
        path_root: The folder above the folder of the export.
        **params: The params of the export, with the number of items as `count`.

    Attributes:
        label_output_dirname: The folder of converted items in that of the export, or None if the
            exporter has others.
        sdk_managed_original_files: Whether original files are written to `origin_files`.
        use_output_stem_manifest: Whether all items are converted before the first is written, so
            that their names do not depend on their order.
        finalize_empty_export: Whether `additional_file_saving` is called also without items.
        export_report_enabled: Whether the exporter itself reports items of the same name.
        run: What it reports to.
    """

    label_output_dirname: str | None = "labels"
    sdk_managed_original_files: bool = True
    use_output_stem_manifest: bool = False
    finalize_empty_export: bool = False
    export_report_enabled: bool = False
    original_file_metrics_record: MetricsRecord | None = None
    data_file_metrics_record: MetricsRecord | None = None

    def __init__(self, ctx: Any, export_items: Any, path_root: Any, **params: Any) -> None:
        self.ctx = ctx
        self.export_items = export_items
        self.path_root = Path(path_root) if isinstance(path_root, str) else path_root
        self.params = params
        self.run = ExporterRunAdapter(ctx.logger, context=ctx)

    # Overridden by plugins

    def before_convert(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return an item as `convert_data` needs it."""
        return data

    def convert_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return an item in the format of the export."""
        return data

    def after_convert(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return an item as it is to be written."""
        return data

    def additional_file_saving(self, unique_export_path: Path) -> None:
        """Write the files that are of no single item; called once, after the last."""

    def setup_output_directories(
        self, unique_export_path: Path, save_original_file_flag: bool
    ) -> dict[str, Path]:
        """Make the folders in that of the export, and return them by their purpose."""
        originals = save_original_file_flag and self.sdk_managed_original_files
        return setup_output_directories(unique_export_path, originals, self.label_output_dirname)

    def process_file_saving(
        self,
        final_data: dict[str, Any],
        unique_export_path: Path,
        save_original_file_flag: bool,
        errors_json_file_list: list[Any],
        errors_original_file_list: list[Any],
        original_file_metrics_record: MetricsRecord,
        data_file_metrics_record: MetricsRecord,
        no: int,
    ) -> bool:
        """Write the files of one item, the `no`-th from 1; return whether its data was written."""
        self.run.set_progress(no, self.params["count"])
        if save_original_file_flag:
            self._process_original_file_saving(
                final_data,
                unique_export_path / "origin_files",
                errors_original_file_list,
                original_file_metrics_record,
                no,
            )
            self.run.log_metrics(original_file_metrics_record, "original_file")
        written = self._process_json_file_saving(
            final_data,
            unique_export_path / (self.label_output_dirname or "labels"),
            errors_json_file_list,
            data_file_metrics_record,
            no,
        )
        self.run.log_metrics(data_file_metrics_record, "data_file")
        return written

    def save_original_file(
        self, result: dict[str, Any], base_path: Path, error_file_list: list[Any]
    ) -> ExportStatus:
        """Write the original file of an item to a folder."""
        item, files = result.get("id"), as_dict(result.get("files"))
        named, url = safe_name(self.get_original_file_name(files)), files.get("url")
        if named is None or not url:
            error = "file information missing (url or file_name_original)"
            return self._failed_original(item, named or "<unknown>", error, error_file_list)
        name = f"{self._resolve_output_stem(item, named)}{Path(named).suffix}"
        from handrail_synapse.download import fetched  # noqa: PLC0415 - few want original files

        try:
            fetched(url, base_path / name, _address(self.ctx))
        except Exception as error:  # noqa: BLE001 - the other items are written all the same
            told = str(error) or type(error).__name__
            return self._failed_original(item, name, told, error_file_list)
        self.run.export_log_original_file(item, {"file_name": name}, ExportStatus.SUCCESS, "")
        return ExportStatus.SUCCESS

    def save_as_json(
        self, result: dict[str, Any], base_path: Path, error_file_list: list[Any]
    ) -> ExportStatus:
        """Write the data of an item to a folder, as a JSON file."""
        item = result.get("id")
        original = self.get_original_file_name(result.get("files") or {})
        # Ground truth names no file. A name that is not safe is none to replace silently.
        named = safe_name(str(item) if not original and item is not None else original)
        if named is None:
            error = "file information missing (file_name_original)"
            return self._failed_json(item, "<unknown>.json", error, error_file_list)
        name, data = f"{self._resolve_output_stem(item, named)}.json", result.get("data")
        if data is None:
            self.run.log_export_event("NULL_DATA_DETECTED", item)
            return self._failed_json(item, name, "data is Null", error_file_list)
        try:
            with (base_path / name).open("w", encoding="utf-8") as file:
                json.dump(data, file, ensure_ascii=False)
        except Exception as error:  # noqa: BLE001 - the other items are written all the same
            return self._failed_json(item, name, str(error), error_file_list)
        self.run.export_log_data_file(item, {"file_name": name}, ExportStatus.SUCCESS, "")
        return ExportStatus.SUCCESS

    # Called by steps and by plugins

    def process_data_conversion(self, export_item: dict[str, Any]) -> dict[str, Any]:
        """Return an item as it is to be written."""
        return self.after_convert(self.convert_data(self.before_convert(export_item)))

    def bind_file_metrics_records(
        self, original_file_metrics_record: MetricsRecord, data_file_metrics_record: MetricsRecord
    ) -> None:
        """Keep the counts, for exporters that write many items to one file."""
        self.original_file_metrics_record = original_file_metrics_record
        self.data_file_metrics_record = data_file_metrics_record

    def get_original_file_name(self, files: Any) -> str | None:
        """Return the name of the original file of an item, if it is known."""
        name: str | None = as_dict(files).get("file_name_original")
        return name

    def export(
        self,
        export_items: Iterable[dict[str, Any]] | None = None,
        results: list[Any] | None = None,
        **_options: Any,
    ) -> dict[str, Any]:
        """Convert and write all items, without steps; return the `export_path`."""
        items = self.export_items if export_items is None else export_items
        total = self.params["count"]
        folder = self._create_unique_export_path(self.params["name"])
        self.run.log_message(Code.EXPORT_STARTING)
        asked = self.params.get("save_original_file", False)
        originals = bool(asked) and self.sdk_managed_original_files
        self.setup_output_directories(folder, originals)
        counts = MetricsRecord(stand_by=total if originals else 0), MetricsRecord(stand_by=total)
        self.bind_file_metrics_records(*counts)
        for step in ("convert_data", "save_files"):
            self.run.set_progress(0, max(total, 1), step)
        converted: Iterable[dict[str, Any]] = self._converted(items, total)
        if self.use_output_stem_manifest:
            converted = list(converted)
            self.prepare_output_stem_manifest(converted)
        wrong: tuple[list[Any], list[Any]] = [], []
        for number, item in enumerate(converted, 1):
            self.process_file_saving(item, folder, originals, *wrong, *counts, number)
        self.additional_file_saving(folder)
        self._save_error_list(folder, *wrong)
        return {"export_path": str(self.path_root)}

    def _converted(self, items: Iterable[Any], total: int) -> Iterator[dict[str, Any]]:
        for number, item in enumerate(items, 1):
            self.run.set_progress(min(number, total), total, "convert_data")
            if number == 1:
                self.run.log_message(Code.EXPORT_CONVERTING_DATASET)
            yield self.process_data_conversion(item)

    # The names of files: two items may have original files of one name.

    def prepare_output_stem_manifest(self, items: Iterable[dict[str, Any]]) -> dict[Any, str]:
        """Give each item a name that does not depend on their order; return them by item."""
        return self.build_output_stem_manifest(map(self.output_stem_manifest_entry, items))

    def output_stem_manifest_entry(self, item: dict[str, Any]) -> tuple[Any, str]:
        """Return the id of a converted item and the name of its original file.

        Raises:
            ValueError: It has no such name.
        """
        named = safe_name(self.get_original_file_name(item.get("files") or {}))
        if named is None:
            raise ValueError(f"output stem manifest item {item.get('id')!r} has no safe basename")
        return item.get("id"), named

    def build_output_stem_manifest(self, entries: Iterable[tuple[Any, str]]) -> dict[Any, str]:
        """Give each id a name of its own; return them by id.

        Raises:
            ValueError: An id is missing, or is there twice.
        """
        self.__dict__[_STEMS] = names = Stems()
        return names.arrange(entries)

    def _resolve_output_stem(self, item_id: Any, safe_name: str) -> str:
        """Return the name, without an ending, of the files of an item: of no other one."""
        names = self._stems()
        known = len(names.renamed)
        stem = names.of(item_id, safe_name)
        for each in names.renamed[known:]:
            self.run.log_dev_event(
                f"output filename collision: '{safe_name}' was already written in this run; "
                f"item {item_id} is saved as '{stem}.*' instead of overwriting",
                each,
                LogLevel.WARNING,
            )
        return stem

    def _stems(self) -> Stems:
        # Not made by `__init__`, which a plugin may override without calling it.
        names: Stems = self.__dict__.setdefault(_STEMS, Stems())
        return names

    @property
    def output_stem_manifest(self) -> dict[Any, str]:
        """The names that items were given before the first was written, by item."""
        names = self._stems()
        return dict(names.by_item) if names.arranged else {}

    @property
    def filename_collisions(self) -> list[dict[str, Any]]:
        """The items that did not get the name of their original file, because another has it."""
        return list(self._stems().renamed)

    @property
    def filename_collision_count(self) -> int:
        """How many items those are."""
        return len(self._stems().renamed)

    @property
    def download_workers(self) -> int:
        """How many files are fetched at a time: the param `export_download_workers`."""
        given: Any = self.params.get("export_download_workers")
        try:
            return max(1, int(given))
        except (TypeError, ValueError):
            return _WORKERS

    def download_originals_parallel(
        self, jobs: Sequence[tuple[str, Path]]
    ) -> list[tuple[bool, str | None]]:
        """Fetch many files at a time: the URL of each, and where to write it.

        Returns:
            For each of them whether it is there, and else why not.
        """
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - few do

        from handrail_synapse.download import fetched  # noqa: PLC0415 - the same

        def one(job: tuple[str, Path]) -> tuple[bool, str | None]:
            try:
                fetched(*job, _address(self.ctx))
            except Exception as error:  # noqa: BLE001 - the others are fetched all the same
                return False, str(error) or type(error).__name__
            return True, None

        with ThreadPoolExecutor(self.download_workers) as pool:
            return list(pool.map(one, jobs))

    # Parts of the above, which plugins call or override too

    def _create_unique_export_path(self, base_name: str) -> Path:
        return create_unique_export_path(self.path_root, base_name)

    def _process_original_file_saving(
        self,
        final_data: dict[str, Any],
        origin_files_output_path: Path,
        errors_original_file_list: list[Any],
        original_file_metrics_record: MetricsRecord,
        no: int,
    ) -> bool:
        if no == 1:
            self.run.log_message(Code.EXPORT_SAVING_ORIGINAL)
        status = self.save_original_file(
            final_data, origin_files_output_path, errors_original_file_list
        )
        return _counted(status, original_file_metrics_record)

    def _process_json_file_saving(
        self,
        final_data: dict[str, Any],
        json_output_path: Path,
        errors_json_file_list: list[Any],
        data_file_metrics_record: MetricsRecord,
        no: int,
    ) -> bool:
        if no == 1:
            self.run.log_message(Code.EXPORT_SAVING_JSON)
        status = self.save_as_json(final_data, json_output_path, errors_json_file_list)
        return _counted(status, data_file_metrics_record)

    def _save_error_list(
        self,
        export_path: Path,
        errors_json_file_list: list[Any],
        errors_original_file_list: list[Any],
    ) -> None:
        if not errors_json_file_list and not errors_original_file_list:
            return
        wrong = {
            "json_file_name": errors_json_file_list,
            "origin_file_name": errors_original_file_list,
        }
        with (export_path / "error_file_list.json").open("w", encoding="utf-8") as file:
            json.dump(wrong, file, indent=4, ensure_ascii=False)

    @staticmethod
    def _safe_output_name(file_name: Any) -> str | None:
        return safe_name(file_name)

    def _failed_original(self, item: Any, name: str, error: str, errors: list[Any]) -> ExportStatus:
        errors.append([name, error])
        about = {"file_name": name}
        self.run.export_log_original_file(item, about, ExportStatus.FAILED, error)
        return ExportStatus.FAILED

    def _failed_json(self, item: Any, name: str, error: str, errors: list[Any]) -> ExportStatus:
        errors.append([name, error])
        self.run.export_log_data_file(item, {"file_name": name}, ExportStatus.FAILED, error)
        return ExportStatus.FAILED


class Stems:
    """The names of the files of items, each of one item only.

    Attributes:
        by_item: The names by the ids of the items.
        renamed: The items that did not get the name of their original file.
        arranged: Whether all were named before the first was written.
    """

    def __init__(self) -> None:
        self.by_item: dict[Any, str] = {}
        self.renamed: list[dict[str, Any]] = []
        self.arranged = False
        self._taken: set[str] = set()
        self._files: dict[Any, str] = {}

    def of(self, item: Any, file: str) -> str:
        """Return the name of an item whose original file is called `file`.

        Raises:
            ValueError: All were named before, and this one was not among them.
        """
        if item is not None and item in self.by_item:
            if self.arranged and self._files[item] != file:
                raise ValueError(
                    f"output stem manifest basename mismatch for item {item!r}: "
                    f"expected {self._files[item]!r}, got {file!r}"
                )
            return self.by_item[item]
        if self.arranged:
            raise ValueError(f"item identity {item!r} is absent from the output stem manifest")
        return self._given(item, file)

    def arrange(self, entries: Iterable[tuple[Any, str]]) -> dict[Any, str]:
        """Name all items; see `BaseExporter.build_output_stem_manifest`."""
        given: dict[str, tuple[Any, str]] = {}
        for item, name in entries:
            file, key = safe_name(name), _key(item)
            if file is None:
                raise ValueError(f"output stem manifest item {item!r} has no safe basename")
            if key in given:
                raise ValueError(
                    f"duplicate stable item identity in output stem manifest: {item!r}"
                )
            given[key] = item, file
        reserved = {Path(file).stem for _, file in given.values()}
        for key in sorted(given, key=lambda each: (Path(given[each][1]).stem, each)):
            item, file = given[key]
            self._given(item, file, reserved)
            self._files[item] = file
        self.arranged = True
        return dict(self.by_item)

    def _given(self, item: Any, file: str, reserved: Iterable[str] = frozenset()) -> str:
        stem, taken = Path(file).stem, self._taken
        if stem in taken:
            unknown = item is None
            first = f"{stem}__dup" if unknown else f"{stem}__{_in_a_name(item)}"
            count = 1
            stem = f"{first}1" if unknown else first
            while stem in taken or stem in reserved:
                count += 1
                stem = f"{first}{count}" if unknown else f"{first}_{count}"
            self.renamed.append({"item_id": item, "original_name": file, "output_stem": stem})
        taken.add(stem)
        if item is not None:
            self.by_item[item] = stem
        return stem


def safe_name(file_name: Any) -> str | None:
    """Return the last part of a name that the service gave, or None if there is none."""
    if not isinstance(file_name, str):
        return None
    leaf = Path(file_name.replace("\\", "/")).name
    return None if leaf in ("", ".", "..") else leaf


def unique_folder(above: Path, name: str) -> Path:
    """Return a path for a new folder in `above`: `name`, or `name(1)` and so on."""
    folder = above / name
    count = 0
    while folder.exists():
        count += 1
        folder = (above / name).with_name(f"{(above / name).name}({count})")
    return folder


def create_unique_export_path(base_path: Path, base_name: str) -> Path:
    """Make a new folder in `base_path`, and return it; see `unique_folder`."""
    folder = unique_folder(base_path, base_name)
    folder.mkdir(parents=True)
    return folder


def setup_output_directories(
    unique_export_path: Path, save_original_file: bool, label_dir_name: str | None = "labels"
) -> dict[str, Path]:
    """Make the folders in that of an export, and return them by their purpose."""
    wanted = {
        "label_output_path": label_dir_name,
        "origin_files_output_path": "origin_files" if save_original_file else None,
    }
    made = {purpose: unique_export_path / name for purpose, name in wanted.items() if name}
    for each in made.values():
        each.mkdir(parents=True, exist_ok=True)
    return made


def _counted(status: ExportStatus, counts: MetricsRecord) -> bool:
    written = status != ExportStatus.FAILED
    counts.stand_by -= 1
    counts.success += written
    counts.failed += not written
    return written


def _address(ctx: Any) -> str | None:
    address: Any = getattr(getattr(ctx, "client", None), "base_url", None)
    return address if isinstance(address, str) else None


def _key(item: Any) -> str:
    if item is None:
        raise ValueError("output stem manifest requires a non-null stable item identity")
    try:
        text = json.dumps(item, ensure_ascii=False, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"item identity is not deterministically serializable: {item!r}"
        ) from error
    return f"{type(item).__name__}:{text}"


def _in_a_name(item: Any) -> str:
    """Return an id as a part of the name of a file."""
    kept = "".join(each if each.isalnum() or each in "_-" else "_" for each in str(item))
    return kept.strip("_")[:64]
