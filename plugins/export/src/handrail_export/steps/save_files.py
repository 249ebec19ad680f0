"""save_files: give the files their final names at the target, and undo that."""

from __future__ import annotations

import time
from collections.abc import Iterator

from handrail import BaseStep, SourceChangedError, StepResult
from handrail_export.context import ExportContext
from handrail_export.errors import PictureChangedError
from handrail_export.saving import Saving
from handrail_export.site import notes_of, site_of
from handrail_export.undo import SaveUndo
from handrail_storage import Store, count_text, size_text


class SaveFilesStep(BaseStep[ExportContext]):
    """Store what was converted, copy the pictures, and write the manifest last of all."""

    name = "save_files"
    progress_weight = 0.35

    def execute(self, context: ExportContext) -> StepResult:
        return self._save(context, StepResult())

    def resume(self, context: ExportContext, result: StepResult) -> StepResult:
        """Save the missing files; recorded ones that may have arrived are checked."""
        try:
            return self._save(context, result)
        except PictureChangedError as error:
            raise SourceChangedError(error.message, ways_out=error.ways_out) from error

    def _save(self, context: ExportContext, recorded: StepResult) -> StepResult:
        began = time.monotonic()
        manifest, layout = context.use_manifest(), context.layout
        files, size = manifest.totals()
        if not files:
            return StepResult(data={"summary": "nothing to save", "files": 0, "bytes": 0})
        target, options = context.use_target(), context.options
        earlier = saved_by(context, recorded, target)
        if earlier.refused is not None:
            raise earlier.refused
        for name, value in (("target", target.address), ("mark", earlier.mark)):
            if name not in recorded.rollback_data:
                context.record_rollback(name, value)
        saving = Saving(
            target,
            manifest,
            context.use_staging(),
            mark=earlier.mark,
            record_many=context.record_rollback_many,
            report=context.set_progress,
            overwrite=options.if_exists == "overwrite",
            workers=options.concurrency,
            retries=options.retries,
            earlier=earlier,
        )
        saving.check(with_document=not layout.file)
        saving.save()
        if not layout.file:
            saving.save_document(retire=options.if_exists == "overwrite")
        manifest.keep()
        context.output_path = layout.output
        took = time.monotonic() - began
        rate = f" ({size_text(size / took)}/s)" if took > 0 and size else ""
        summary = f"{count_text(files, 'file')} at {layout.output} · {size_text(size)}{rate}"
        return StepResult(data={"summary": summary, "files": files, "bytes": size})

    def rollback(self, context: ExportContext, result: StepResult) -> None:
        # Without a target, it was another process that saved, and it may have been killed.
        undone = saved_by(context, result).run(killed=context.opened.target is None)
        # Another attempt has to save all of it again.
        if context.opened.manifest is not None:
            context.opened.manifest.reopen()
        context.log("undone", {"summary": undone.summary()})

    def preview_rollback(self, context: ExportContext, result: StepResult) -> Iterator[str]:
        return saved_by(context, result).preview()

    def preview(self, context: ExportContext) -> Iterator[str]:
        layout = context.layout
        yield f"save {layout.output}" if layout.file else f"save files in {layout.output}"


def saved_by(context: ExportContext, result: StepResult, target: Store | None = None) -> SaveUndo:
    """Parse the rollback data of `save_files` into its undo.

    Args:
        context: The context of the run.
        result: The result of the step, with its rollback data.
        target: The target, if it is open already.
    """
    notes = notes_of(result)
    site = site_of(context, notes)
    return SaveUndo.of(notes, site, target or site.open(), context.mark)
