"""finalize: throw away what was only needed meanwhile, and close what is open."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import Any

from handrail import BaseStep, StepResult
from handrail_export.context import ExportContext
from handrail_export.manifest import remove_manifest
from handrail_export.names import count_text
from handrail_export.saving import pages

_PAGE = 500


class FinalizeStep(BaseStep[ExportContext]):
    """After a success, discard what was replaced; always close what is open.

    What cannot be remade is discarded only after the run was sealed, so a run that has replaced
    something cannot be rolled back later. Where an undo has failed, everything stays.
    """

    name = "finalize"
    progress_weight = 0.10
    always_run = True

    def execute(self, context: ExportContext) -> StepResult:
        discarded, path = 0, context.manifest_path
        try:
            if context.outcome == "completed" and path:
                discarded = self._discard(context)
                context.use_manifest().describe(
                    finished=datetime.now(UTC).isoformat(timespec="seconds")
                )
                shutil.rmtree(context.staging, ignore_errors=True)
        finally:
            context.close()
        if context.outcome == "rolled_back" and path:
            remove_manifest(path)
        summary = f"{count_text(discarded, 'replaced file')} discarded" if discarded else "closed"
        return StepResult(data={"summary": summary, "discarded": discarded})

    def _discard(self, context: ExportContext) -> int:
        result = context.results.get("save_files")
        asides: list[Any] = [] if result is None else result.rollback_data.get("asides", [])
        if not asides:
            return 0
        context.seal("the files that it replaced are discarded")
        target = context.use_target()
        for page in pages(asides, _PAGE):
            target.delete([each["name"] for each in page])
            target.prune(each["key"] for each in page)
        return len(asides)

    def preview(self, context: ExportContext) -> str:
        return "discard what was replaced, and close what is open"
