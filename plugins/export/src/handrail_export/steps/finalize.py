"""finalize: settle what was replaced, and close everything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from handrail import BaseStep, StepResult
from handrail_export.context import ExportContext

if TYPE_CHECKING:
    from handrail_storage.claims import Replaced


class FinalizeStep(BaseStep[ExportContext]):
    """After a success, say what was replaced and is kept, or discard it; close what is open.

    Irreplaceable files are discarded only if that was asked for, and after the run was sealed: such
    a run cannot be rolled back later. If an undo has failed, everything stays.
    """

    name = "finalize"
    progress_weight = 0.10
    always_run = True

    def execute(self, context: ExportContext) -> StepResult:
        import shutil

        from handrail_storage.claims import Replaced
        from handrail_storage.manifests import remove_manifest

        replaced, begun = Replaced(), bool(context.manifest_path)
        try:
            if context.outcome == "completed" and begun:
                staging = context.use_staging()
                replaced = self._settle(context)
                context.use_manifest().describe(
                    finished=datetime.now(UTC).isoformat(timespec="seconds")
                )
                shutil.rmtree(staging, ignore_errors=True)
        finally:
            context.close()
        if context.outcome == "rolled_back" and begun:
            remove_manifest(context.manifest_file())
        summary = replaced.summary(context.run_name) or "closed"
        return StepResult(data={"summary": summary, "replaced": replaced.to_dict()})

    def _settle(self, context: ExportContext) -> Replaced:
        from handrail_export.claiming import STEP, claims_of
        from handrail_export.retiring import delete_tombstones
        from handrail_export.steps.save_files import saved_by
        from handrail_storage.claims import Replaced

        result = context.results.get("save_files")
        if result is None or not saved_by(context, result).claimed:
            return Replaced()
        target, manifest = context.use_target(), context.use_manifest()
        claim = claims_of(context, target).opened()
        if claim is None:
            return Replaced()
        return context.settle_replaced(
            claim,
            context.options.keep_replaced,
            lambda: delete_tombstones(target, manifest, claim.mark(STEP)),
        )

    def preview(self, context: ExportContext) -> str:
        from handrail_storage.claims import preview_of_keeping

        overwrites = context.options.if_exists == "overwrite"
        return preview_of_keeping(context.options.keep_replaced if overwrites else None)
