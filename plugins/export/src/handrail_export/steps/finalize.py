"""finalize: discard temporary and replaced files, and close everything."""

from __future__ import annotations

from datetime import UTC, datetime

from handrail import BaseStep, StepResult
from handrail_export.context import ExportContext
from handrail_storage import count_text


class FinalizeStep(BaseStep[ExportContext]):
    """After a success, discard what was replaced unless it is kept; always close what is open.

    Irreplaceable files are discarded only after the run was sealed, so a run that has discarded
    something cannot be rolled back later. If an undo has failed, everything stays.
    """

    name = "finalize"
    progress_weight = 0.10
    always_run = True

    def execute(self, context: ExportContext) -> StepResult:
        import shutil

        from handrail_storage.manifests import remove_manifest

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
        from handrail_export.claiming import STEP, claims_of
        from handrail_export.retiring import delete_tombstones
        from handrail_export.steps.save_files import saved_by
        from handrail_storage.claims import FOLDER

        result = context.results.get("save_files")
        if result is None or not saved_by(context, result).claimed:
            return 0
        target = context.use_target()
        claim = claims_of(context, target).opened()
        if claim is None:
            return 0
        copies = target.small_files.names(claim.aside("").removeprefix(f"{FOLDER}/"))
        if next(copies, None) is None or self._keeps(context):
            return 0
        context.seal("the files that it replaced are discarded")
        claim.seal()
        delete_tombstones(target, context.use_manifest(), claim.mark(STEP))
        return claim.discard_asides()

    def _keeps(self, context: ExportContext) -> bool:
        """Whether what was replaced stays, so that the run can be rolled back later."""
        from handrail_export.manifest import RETIRED

        if not context.options.keep_replaced:
            return False
        # What stands for a file that the new export lacks has to go, and with it the way back.
        gone = next(context.use_manifest().files(RETIRED), None)
        if gone is not None:
            told = f"{gone.path} of the older export is deleted, so what was replaced is not kept"
            context.log("note", {"summary": told})
        return gone is None

    def preview(self, context: ExportContext) -> str:
        return "discard what was replaced, and close what is open"
