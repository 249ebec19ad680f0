"""finalize: discard temporary and replaced files, and close everything."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

from handrail import BaseStep, StepResult
from handrail_export.context import ExportContext
from handrail_export.site import notes_of
from handrail_export.steps.save_files import saved_by
from handrail_storage import count_text, pages
from handrail_storage.manifests import remove_manifest

_PAGE = 500


class FinalizeStep(BaseStep[ExportContext]):
    """After a success, discard what was replaced; always close what is open.

    Irreplaceable files are discarded only after the run was sealed, so a run that has replaced
    something cannot be rolled back later. If an undo has failed, everything stays.
    """

    name = "finalize"
    progress_weight = 0.10
    always_run = True

    def execute(self, context: ExportContext) -> StepResult:
        discarded, begun = 0, bool(context.manifest_path)
        try:
            if context.outcome == "completed" and begun:
                staging = context.use_staging()
                discarded = self._discard(context)
                context.use_manifest().describe(
                    finished=datetime.now(UTC).isoformat(timespec="seconds")
                )
                shutil.rmtree(staging, ignore_errors=True)
        finally:
            context.close()
        if context.outcome == "rolled_back" and begun:
            remove_manifest(context.manifest_file())
        summary = f"{count_text(discarded, 'replaced file')} discarded" if discarded else "closed"
        return StepResult(data={"summary": summary, "discarded": discarded})

    def _discard(self, context: ExportContext) -> int:
        result = context.results.get("save_files")
        if result is None or not notes_of(result).raw("asides"):
            return 0
        saved = saved_by(context, result, context.use_target())
        if saved.refused is not None:
            raise saved.refused
        context.seal("the files that it replaced are discarded")
        for page in pages(saved.asides.items(), _PAGE):
            saved.target.delete([aside.name for _, aside in page])
            saved.target.prune(key for key, _ in page)
        return len(saved.asides)

    def preview(self, context: ExportContext) -> str:
        return "discard what was replaced, and close what is open"
