"""fetch_results: open the source, and read its columns."""

from __future__ import annotations

from handrail import BaseStep, SourceChangedError, StepResult
from handrail.errors import describe
from handrail_export.context import ExportContext
from handrail_export.errors import ExportError
from handrail_export.names import listed
from handrail_storage import count_text


class FetchResultsStep(BaseStep[ExportContext]):
    """Open the source so that it is only read, and see which columns it has."""

    name = "fetch_results"
    progress_weight = 0.10
    effects = False

    def restore(self, context: ExportContext, result: StepResult) -> None:
        # Once all is converted, the rows are not needed.
        from handrail_export.sources.address import parse_source
        from handrail_export.sources.stamps import check_unchanged

        converted = context.results.get("convert_data")
        if context.source_files and (converted is None or not converted.success):
            try:
                check_unchanged(context.source_files, parse_source(context.options.source))
            except (ExportError, OSError) as error:
                raise SourceChangedError(describe(error)) from error

    def execute(self, context: ExportContext) -> StepResult:
        from handrail_export.sources.address import parse_source
        from handrail_export.sources.stamps import stamps_of

        context.close_rows()
        address = parse_source(context.options.source)
        is_file = address.kind in ("parquet", "csv")
        context.source_files = stamps_of(address) if is_file else {}
        rows = context.use_rows()
        found = rows.columns
        context.schema = [{"name": each.name, "type": each.type} for each in found]
        about = f" · about {count_text(rows.total, 'row')}" if rows.total else ""
        names = listed([each.name for each in found], most=6)
        summary = f"{rows.source.shown}{about} · {count_text(len(found), 'column')}: {names}"
        return StepResult(data={"summary": summary, "columns": len(found)})
