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
        from handrail_export.sources import addresses_of
        from handrail_export.sources.stamps import check_unchanged

        converted = context.results.get("convert_data")
        if context.source_files and (converted is None or not converted.success):
            try:
                check_unchanged(context.source_files, addresses_of(context.options))
            except (ExportError, OSError) as error:
                raise SourceChangedError(describe(error)) from error

    def execute(self, context: ExportContext) -> StepResult:
        from handrail.attachments import Table
        from handrail_export.sources import addresses_of
        from handrail_export.sources.stamps import stamps_of

        context.close_rows()
        files = {k: each for k, each in addresses_of(context.options).items() if each.is_files}
        context.source_files = stamps_of(files)
        rows = context.use_rows()
        for note in rows.source.notes():
            context.log("note", {"summary": note})
        found = rows.columns
        context.schema = [{"name": each.name, "type": each.type} for each in found]
        types = ((each.name, each.type) for each in found)
        context.attach("columns", Table(("column", "type"), types, total=len(found)))
        about = f" · about {count_text(rows.total, 'row')}" if rows.total else ""
        names = listed([each.name for each in found], most=6)
        summary = f"{rows.source.shown}{about} · {count_text(len(found), 'column')}: {names}"
        return StepResult(data={"summary": summary, "columns": len(found)})
