"""prepare_export: check that the export can be written, before anything is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from handrail import BaseStep, StepResult
from handrail_export.context import ExportContext
from handrail_export.errors import ChoiceError, ConflictError, FormatError

if TYPE_CHECKING:
    from handrail_export.formats import Format
    from handrail_export.rows import Column


class PrepareExportStep(BaseStep[ExportContext]):
    """Check columns, partitions and format against each other, and that the target is free."""

    name = "prepare_export"
    progress_weight = 0.10
    effects = False

    def execute(self, context: ExportContext) -> StepResult:
        from handrail_export.formats import CollectionFormat, find_format
        from handrail_export.manifest.document import NAME
        from handrail_export.rows import Column

        layout, options = context.layout, context.options
        written_as = find_format(layout.format)
        columns = [Column(**each) for each in context.schema]
        if isinstance(written_as, CollectionFormat):
            _check_collection(context, layout.format, columns)
        else:
            _check_rows(context, written_as, columns)
        _check_apart(context)
        key = layout.file or NAME
        if options.if_exists == "error" and context.use_target().stat(key) is not None:
            what = f"{layout.output} is there already"
            if not layout.file:
                what = f"there is an export in {layout.output} already"
            raise ConflictError(
                what, ways_out=("replace it: --if-exists overwrite", "or give another target")
            )
        split = f", split by {', '.join(options.partition_by)}" if options.partition_by else ""
        return StepResult(data={"summary": f"{layout.format} to {layout.output}{split}"})


def _check_apart(context: ExportContext) -> None:
    """Check that the target does not replace the files of the source."""
    from handrail_export.sources import addresses_of

    layout, addresses = context.layout, addresses_of(context.options).values()
    if not layout.place.local:
        if any(each.place == f"{layout.folder}/{layout.file}" for each in addresses):
            raise ConflictError(
                f"{layout.output} is what is read", ways_out=("give another target",)
            )
        return
    kept = [each for each in addresses if not each.remote and each.kind != "postgres"]
    read = context.use_rows().source.paths or tuple(each.place for each in kept)
    target = os.path.realpath(os.path.join(layout.folder, layout.file))
    for path in map(os.path.realpath, read):
        if path == target:
            raise ConflictError(
                f"{layout.output} is what is read", ways_out=("give another target",)
            )
        if (
            context.options.if_exists == "overwrite"
            and not layout.file
            and path.startswith(os.path.join(target, ""))
        ):
            raise ConflictError(
                f"{os.path.relpath(path, target)} in {layout.output} is read, and what is there "
                "may be replaced",
                ways_out=("give another target", "or leave out --if-exists overwrite"),
            )


def _check_collection(context: ExportContext, name: str, columns: list[Column]) -> None:
    from handrail_export.sources.catalogue import COLUMNS

    if context.options.columns:
        raise ChoiceError(
            f"the format {name} takes whole pictures, not columns", ways_out=("leave out --column",)
        )
    known = [each.name for each in columns]
    missing = [each for each in COLUMNS if each not in known]
    if missing:
        raise FormatError(
            f"the format {name} is for the catalogue of an upload, and the source has no column "
            f"{missing[0]}",
            ways_out=("for rows: --format parquet, csv or jsonl",),
        )


def _check_rows(context: ExportContext, written_as: Format, columns: list[Column]) -> None:
    from handrail_export.choice import check_columns
    from handrail_export.formats import RowFormat

    options = context.options
    given = [each for each in ("pictures", "masks", "categories") if getattr(options, each)]
    if given:
        raise FormatError(
            f"{given[0]} is for collections of pictures, and {context.layout.format} is for rows",
            ways_out=("--format coco or yolo",),
        )
    check_columns(options.partition_by, [each.name for each in columns], "what is exported")
    if options.partition_by and len(options.partition_by) == len(columns):
        raise ChoiceError("nothing is left but the columns that it is partitioned by")
    if isinstance(written_as, RowFormat):
        written_as.check(columns)
