"""cleanup: discard replaced objects, and close everything."""

from __future__ import annotations

from datetime import UTC, datetime

from handrail import BaseStep, StepResult
from handrail_storage import count_text, pages
from handrail_storage.manifests import remove_manifest
from handrail_upload.context import UploadContext
from handrail_upload.recorded import read_transfer

_PAGE = 500


class CleanupStep(BaseStep[UploadContext]):
    """After a success, discard the objects that were replaced; always close what is open.

    Irreplaceable objects are discarded only after the run was sealed, so a run that has replaced
    something cannot be rolled back later. If an undo has failed, everything stays.
    """

    name = "cleanup"
    progress_weight = 0.05
    always_run = True

    def execute(self, context: UploadContext) -> StepResult:
        discarded = 0
        try:
            if context.outcome == "completed":
                discarded = self._discard(context)
                finished = datetime.now(UTC).isoformat(timespec="seconds")
                context.use_manifest().describe(finished=finished, discarded=discarded)
        finally:
            context.close()
        if context.outcome == "rolled_back" and context.manifest_path:
            remove_manifest(context.manifest_file())
        summary = f"{count_text(discarded, 'replaced object')} discarded" if discarded else "closed"
        return StepResult(data={"summary": summary, "discarded": discarded})

    def _discard(self, context: UploadContext) -> int:
        result = context.results.get("upload_files")
        if result is None:
            return 0
        recorded = read_transfer(result.rollback_data, context.site)
        recorded.notes.check()
        asides = list(recorded.asides.values())
        if asides:
            context.seal("the objects that it replaced are discarded")
        for names in pages(asides, _PAGE):
            context.use_storage().discard(names)
        return len(asides)

    def preview(self, context: UploadContext) -> str:
        return "discard what was replaced, and close what is open"
