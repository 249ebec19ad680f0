"""fetch_results: open the source, and see what it has."""

from __future__ import annotations

from handrail import BaseStep, StepResult
from handrail_export.context import ExportContext
from handrail_export.names import count_text, listed


class FetchResultsStep(BaseStep[ExportContext]):
    """Open the source so that it is only read, and see which columns it has."""

    name = "fetch_results"
    progress_weight = 0.10
    effects = False

    def execute(self, context: ExportContext) -> StepResult:
        context.close_rows()
        rows = context.use_rows()
        found = rows.columns
        context.schema = [{"name": each.name, "type": each.type} for each in found]
        about = f" · about {count_text(rows.total, 'row')}" if rows.total else ""
        names = listed([each.name for each in found], most=6)
        summary = f"{rows.source.shown}{about} · {count_text(len(found), 'column')}: {names}"
        return StepResult(data={"summary": summary, "columns": len(found)})
