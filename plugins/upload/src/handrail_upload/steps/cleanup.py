"""cleanup: settle what was replaced, and close everything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from handrail import BaseStep, StepResult
from handrail_upload.context import UploadContext

if TYPE_CHECKING:
    from handrail_storage.claims import Replaced
    from handrail_upload.recorded import RecordedTransfer


class CleanupStep(BaseStep[UploadContext]):
    """After a success, say what was replaced and is kept, or discard it; close what is open.

    Irreplaceable objects are discarded only if that was asked for, and after the run was sealed:
    such a run cannot be rolled back later. If an undo has failed, everything stays.
    """

    name = "cleanup"
    progress_weight = 0.05
    always_run = True

    def execute(self, context: UploadContext) -> StepResult:
        from handrail_storage.claims import Replaced
        from handrail_storage.manifests import remove_manifest

        replaced = Replaced()
        try:
            if context.outcome == "completed":
                replaced = sum((_settle(context, each) for each in context.transfers()), replaced)
                finished = datetime.now(UTC).isoformat(timespec="seconds")
                context.use_manifest().describe(finished=finished)
        finally:
            context.close()
        if context.outcome == "rolled_back" and context.manifest_path:
            remove_manifest(context.manifest_file())
        summary = replaced.summary(context.run_name) or "closed"
        return StepResult(data={"summary": summary, "replaced": replaced.to_dict()})

    def preview(self, context: UploadContext) -> str:
        from handrail_storage.claims import preview_of_keeping

        options = context.options
        replaces = options.if_exists == "overwrite" or options.delete_missing
        return preview_of_keeping(options.keep_replaced if replaces else None)


def _settle(context: UploadContext, recorded: RecordedTransfer) -> Replaced:
    """Keep or discard what a transfer has replaced."""
    from handrail_storage.claims import Replaced
    from handrail_upload.claiming import claims_of

    recorded.notes.check()
    claim = context.opened.claims.get(recorded.claim) if recorded.claim else None
    if claim is None and recorded.claim:  # The transfer was that of an earlier process.
        claim = claims_of(context, recorded.claim).opened()
    if claim is None:
        return Replaced()
    return context.settle_replaced(claim, context.options.keep_replaced)
