"""save_files: give the files their final names at the target, and undo that."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from handrail import BaseStep, SourceChangedError, StepResult
from handrail_export.context import ExportContext
from handrail_export.errors import ExportError, PictureChangedError
from handrail_storage import count_text, size_text

if TYPE_CHECKING:
    from handrail_export.manifest import ExportedFile
    from handrail_export.undo import SaveUndo
    from handrail_storage.claims import Claim


_RETRIES = 2  # Of a preview, for which people wait.


class SaveFilesStep(BaseStep[ExportContext]):
    """Store what was converted, copy the pictures, and write the manifest last of all."""

    name = "save_files"
    progress_weight = 0.35

    def execute(self, context: ExportContext) -> StepResult:
        context.needs("initialize")
        context.needs("convert_data")
        return self._save(context, StepResult())

    def resume(self, context: ExportContext, result: StepResult) -> StepResult:
        """Save the missing files; those that may have arrived are looked at."""
        try:
            return self._save(context, result)
        except PictureChangedError as error:
            raise SourceChangedError(error.message, ways_out=error.ways_out) from error

    def _save(self, context: ExportContext, recorded: StepResult) -> StepResult:
        from handrail_export.claiming import CACHE, ask, claims_of, hold

        began = time.monotonic()
        manifest, layout = context.use_manifest(), context.layout
        files, size = manifest.totals()
        if not files:
            return StepResult(data={"summary": "nothing to save", "files": 0, "bytes": 0})
        earlier = saved_by(context, recorded)
        if earlier.refused is not None:
            raise earlier.refused
        target = context.use_target()
        if "target" not in recorded.rollback_data:
            context.record_rollback("target", target.address)
        claims = claims_of(context, target, context.options.folder.absolute() / CACHE)
        claim = ask(context, claims, earlier)
        if not claim.holds:  # What a killed process has completed may have been replaced since.
            hold(context, claim, _store(context, claim, resumed=earlier.asked))
        manifest.keep()
        context.output_path = layout.output
        took = time.monotonic() - began
        rate = f" ({size_text(size / took)}/s)" if took > 0 and size else ""
        summary = f"{count_text(files, 'file')} at {layout.output} · {size_text(size)}{rate}"
        return StepResult(data={"summary": summary, "files": files, "bytes": size})

    def rollback(self, context: ExportContext, result: StepResult) -> None:
        from handrail_export.claiming import claims_of
        from handrail_export.undo import made_in
        from handrail_storage.claims import undo_claimed

        saved = saved_by(context, result)
        _drop_copies(context)
        summary = "nothing had been saved"
        if saved.asked:
            target = saved.open()
            summary = undo_claimed(
                claims_of(context, target).undo(waiting=context.telling()),
                target,
                context.run,
                claimed=saved.claimed,
                made=made_in(context),
                # Without a target, it was another process that saved, and may have been killed.
                killed=context.opened.target is None,
                leave=lambda _: target.withdraw(
                    os.path.join(target.address, key) for key in saved.folders
                ),
                progress=lambda done, total: context.set_progress(done, total, "files"),
                noun="file",
                nothing=summary,
            )
        # Another attempt has to save all of it again.
        if context.opened.manifest is not None:
            context.opened.manifest.reopen()
        context.log("undone", {"summary": summary})
        if saved.refused is not None:
            raise saved.refused

    def preview_rollback(self, context: ExportContext, result: StepResult) -> Iterator[str]:
        from handrail_export.claiming import claims_of
        from handrail_export.undo import describe_undo

        saved = saved_by(context, result)
        if saved.refused is not None:
            yield saved.refused.message
        if saved.asked:
            target = saved.open(_RETRIES)
            yield from describe_undo(context, claims_of(context, target), target)

    def preview(self, context: ExportContext) -> Iterator[str]:
        layout = context.layout
        yield f"save {layout.output}" if layout.file else f"save files in {layout.output}"


def _store(context: ExportContext, claim: Claim, *, resumed: bool) -> ExportedFile | None:
    """Save all files; return manifest.json, if there is one."""
    from handrail_export.claiming import STEP
    from handrail_export.placing import Placing
    from handrail_export.saving import Saving

    options = context.options
    saving = Saving(
        context.use_target(),
        context.use_manifest(),
        context.use_staging(),
        run=context.run,
        placing=Placing(
            target=context.use_target(),
            claim=claim,
            mark=claim.mark(STEP),
            overwrite=options.if_exists == "overwrite",
            resumed=resumed,
        ),
        record_many=context.record_rollback_many,
        report=context.set_progress,
        workers=options.concurrency,
        retries=options.retries,
        on_status=context.set_status,
    )
    document = not context.layout.file
    if options.if_exists == "error":
        saving.check(with_document=document)
    saving.save()
    return saving.save_document() if document else None


def _drop_copies(context: ExportContext) -> None:
    """Delete the copies of pictures that wait, as a disk that is full has no room for an undo."""
    import shutil

    from handrail_export.saving import COPIES

    with suppress(ExportError):
        shutil.rmtree(context.use_staging() / COPIES, ignore_errors=True)


def saved_by(context: ExportContext, result: StepResult) -> SaveUndo:
    """Parse the rollback data of `save_files` into its undo.

    Args:
        context: The context of the run.
        result: The result of the step, with its rollback data.
    """
    from handrail_export.site import site_of
    from handrail_export.undo import SaveUndo

    notes = context.notes_of(result)
    return SaveUndo.of(notes, site_of(context, notes), context.known_capabilities())
