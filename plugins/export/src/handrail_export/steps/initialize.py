"""initialize: open the target, prove that it can be written, and begin the manifest."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from handrail import BaseStep, StepResult
from handrail_export.context import ExportContext

if TYPE_CHECKING:
    from handrail_export.undo import InitializeUndo


class InitializeStep(BaseStep[ExportContext]):
    """Open the target, prove it is writable, make the folder in which files wait."""

    name = "initialize"
    progress_weight = 0.05

    def execute(self, context: ExportContext) -> StepResult:
        from handrail_export.layout import lay_out
        from handrail_export.sources.address import parse_source

        options = context.options
        layout, _ = lay_out(options.format, options.target, bool(options.partition_by))
        context.opened.layout = layout
        context.close()
        self._prove_target(context)
        self._open_manifest(context)
        self._make_staging(context)
        context.use_manifest().describe(
            run=context.run,
            number=context.run_number,
            source=parse_source(options.source).shown,
            target=context.use_target().address,
            output=layout.output,
            file=layout.file,
            format=layout.format,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        context.use_manifest().keep()
        return StepResult(data={"summary": f"{layout.output} can be written as {layout.format}"})

    def _prove_target(self, context: ExportContext) -> None:
        target, mark = context.use_target(), context.mark
        context.record_rollback("target", target.address)
        context.record_rollback("mark", mark)
        target.reach()
        target.prepare(lambda name: context.record_rollback("made", name))
        probe = f".handrail-probe-{context.run}"
        context.record_rollback("probe", probe)
        if not target.local:  # In a folder the files that are staged show it.
            context.capabilities = target.probe(probe, mark).to_dict()
        context.record_rollback("cleared", probe)  # So the undo need not ask.

    def _open_manifest(self, context: ExportContext) -> None:
        from handrail_export.manifest import Manifest
        from handrail_export.staging import convert_disk_errors

        folder = context.options.folder.absolute()
        path = folder / f"{context.run}.db"
        with convert_disk_errors(folder):
            _make_folders(folder, lambda name: context.record_rollback("folders", name))
            context.record_rollback("manifest", str(path))
            context.opened.manifest = Manifest(path)
        context.manifest_path = str(path)

    def _make_staging(self, context: ExportContext) -> None:
        from handrail_export.site import staging_of
        from handrail_export.staging import convert_disk_errors

        staging = staging_of(context.layout, context.options.folder, context.run)
        context.record_rollback("staging", staging)
        with convert_disk_errors(Path(staging)):
            os.mkdir(staging, 0o700)
        context.staging = staging

    def rollback(self, context: ExportContext, result: StepResult) -> None:
        context.close()
        self._undo(context, result).run()

    def preview_rollback(self, context: ExportContext, result: StepResult) -> Iterator[str]:
        return self._undo(context, result).preview()

    def _undo(self, context: ExportContext, result: StepResult) -> InitializeUndo:
        from handrail_export.site import site_of
        from handrail_export.undo import InitializeUndo

        notes = context.notes_of(result)
        return InitializeUndo.of(notes, site_of(context, notes))

    def preview(self, context: ExportContext) -> Iterator[str]:
        layout = context.layout
        yield f"open the target {layout.shown}, and prove that it can be written"
        yield f"write {layout.format} to {layout.output}"


def _make_folders(folder: Path, record: Callable[[str], None]) -> None:
    for path in reversed([folder, *folder.parents]):
        if not os.path.lexists(path):
            record(str(path))
            path.mkdir()
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
