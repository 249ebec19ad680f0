"""The export action, and the base for exports of your own."""

# Annotations are not postponed here: each one of a TypedDict would be compiled by itself.

import glob
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict, cast

from handrail import BaseAction
from handrail_export.params import ExportParams
from handrail_storage import count_text, size_text

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from handrail import BaseStepContext, StepRegistry
    from handrail_export.context import ExportContext

    P = TypeVar("P", default=Any)
else:
    from typing import TypeVar

    P = TypeVar("P")


class ExportResult(TypedDict, total=False):
    """The result of an export, and its outputs in a chain.

    Attributes:
        summary: One line about it.
        exported_count: Number of exported rows or pictures.
        failed_count: Number of those that were left out.
        total_count: Number of both.
        output_path: The file or folder of the result; missing if there was nothing to export.
        files: Number of files.
        bytes: Their size.
        replaced: What was replaced, if anything was: `files` and `bytes`, whether it is `kept` at
            the target, and `until` when; without that, until the run is pruned.
        run: The UUID of the run.
        next: Commands that can follow, each by its purpose.
    """

    summary: str
    exported_count: int
    failed_count: int
    total_count: int
    output_path: str
    files: int
    bytes: int
    replaced: Mapping[str, Any]
    run: str
    next: Mapping[str, str]


class BaseExportAction(BaseAction[P]):
    """An export with any params and the steps that `setup_steps` registers.

    The result counts `exported_count`, `failed_count` and `total_count`, and has the
    `output_path`, as the steps have set them on the context.
    """

    action_name = "export"

    @classmethod
    def context_type(cls) -> "type[BaseStepContext]":
        from handrail_export.context import ExportContext

        return cls.context_class or ExportContext

    def result(self, context: Any) -> Mapping[str, Any]:
        names = ("exported_count", "failed_count", "total_count", "output_path")
        found = {name: getattr(context, name, None) for name in names}
        return {name: value for name, value in found.items() if value is not None}


class DefaultExportAction(BaseExportAction[ExportParams]):
    """Export a table, a query or a catalogue of images to files; what fails is taken back.

    Rows are streamed, so memory stays within a bound, however many there are. The target is as it
    was until all is converted, and nothing in it is replaced unless that is asked for.
    """

    action_name = "export"

    def setup_steps(self, registry: "StepRegistry[Any]") -> None:
        from handrail_export.steps import (
            ConvertDataStep,
            FetchResultsStep,
            FinalizeStep,
            InitializeStep,
            PrepareExportStep,
            SaveFilesStep,
        )

        registry.register(InitializeStep())
        registry.register(FetchResultsStep())
        registry.register(PrepareExportStep())
        registry.register(ConvertDataStep())
        registry.register(SaveFilesStep())
        registry.register(FinalizeStep())

    def check_inputs(self) -> Iterable[tuple[str, str]]:
        from handrail_export.sources import MAIN, addresses_of
        from handrail_storage.inputs import missing

        for name, address in addresses_of(self.params).items():
            place, param = address.place, "source" if name == MAIN else f"sources.{name}"
            if address.kind == "postgres" or address.remote:
                continue
            if address.kind == "sqlite" or os.path.exists(place) or not glob.has_magic(place):
                yield from missing("file", param, place, address.shown)
            elif next(glob.iglob(place, recursive=True), None) is None:
                yield param, f"there is no file {address.shown}"

    def result(self, context: "ExportContext") -> ExportResult:
        counts = cast("ExportResult", dict(super().result(context)))
        saved = context.results.get("save_files")
        data = {} if saved is None else saved.data
        if "files" not in data:  # A dry run, or the step was left out.
            return counts
        if not data["files"]:
            return {"summary": _nothing(context), **counts, "run": context.run}
        failed = f", {context.failed_count:,} left out" if context.failed_count else ""
        ended = context.results.get("finalize")
        settled: Mapping[str, Any] = {} if ended is None else ended.data
        kept = f" · {settled['summary']}" if settled.get("replaced") else ""
        verify = f"handrail export verify {context.run_name}{_folder_option(context)}"
        result: ExportResult = {
            "summary": f"exported {count_text(context.exported_count, _noun(context))}{failed} to "
            f"{context.output_path} · {count_text(data['files'], 'file')}, "
            f"{size_text(data['bytes'])}{kept}",
            **counts,
            "files": data["files"],
            "bytes": data["bytes"],
            "run": context.run,
            "next": {"check": verify},
        }
        if kept:
            result["replaced"] = settled["replaced"]
        return result


def _noun(context: "ExportContext") -> str:
    converted = context.results.get("convert_data")
    return "row" if converted is None else str(converted.data.get("noun", "row"))


def _nothing(context: "ExportContext") -> str:
    failed = f", {context.failed_count:,} left out" if context.failed_count else ""
    return f"nothing to export: {context.options.source} has no such {_noun(context)}s{failed}"


def _folder_option(context: "ExportContext") -> str:
    import shlex

    folder = context.options.folder
    default = ExportParams.model_fields["folder"].default
    return "" if folder == default else f" --state-folder {shlex.quote(str(folder))}"
