"""cleanup: discard replaced objects, and close everything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from handrail import BaseStep, StepResult
from handrail_storage import count_text
from handrail_upload.context import UploadContext

if TYPE_CHECKING:
    from handrail_upload.recorded import RecordedTransfer


class CleanupStep(BaseStep[UploadContext]):
    """After a success, discard the objects that were replaced; always close what is open.

    Irreplaceable objects are discarded only after the run was sealed, so a run that has replaced
    something cannot be rolled back later. If an undo has failed, everything stays.
    """

    name = "cleanup"
    progress_weight = 0.05
    always_run = True

    def execute(self, context: UploadContext) -> StepResult:
        from handrail_storage.manifests import remove_manifest

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
        return sum(_discard_copies(context, recorded) for recorded in context.transfers())

    def preview(self, context: UploadContext) -> str:
        return "discard what was replaced, and close what is open"


def _discard_copies(context: UploadContext, recorded: RecordedTransfer) -> int:
    """Discard what a transfer has replaced; return the number of objects."""
    from handrail_storage.backend import FOLDER
    from handrail_upload.claiming import claims_of

    recorded.notes.check()
    claim = context.opened.claims.get(recorded.claim) if recorded.claim else None
    if claim is None and recorded.claim:  # The transfer was that of an earlier process.
        claim = claims_of(context, recorded.claim).opened()
    if claim is None:
        return 0
    files = context.use_storage().small_files
    copies = [name for name, _ in files.names(claim.aside("").removeprefix(f"{FOLDER}/"))]
    if copies:
        context.seal("the objects that it replaced are discarded")
        claim.seal()
        files.remove_all(copies)
    return len(copies)
