"""initialize: open the target and the catalogue, and prove that both can be written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from handrail import BaseStep, StepResult
from handrail_storage import count_text
from handrail_upload.context import UploadContext, collection_of
from handrail_upload.errors import SourceError, StorageError
from handrail_upload.params import UploadParams

if TYPE_CHECKING:
    from handrail_storage.containment import Notes
    from handrail_upload.recorded import RecordedSetup
    from handrail_upload.storage import Storage


class InitializeStep(BaseStep[UploadContext]):
    """Open the target, prove it is writable, open the catalogue."""

    name = "initialize"
    progress_weight = 0.05

    def execute(self, context: UploadContext) -> StepResult:
        options = context.options
        check_sources(options)
        context.collection = collection_of(options)
        self._open_manifest(context)
        capabilities = self._prove_target(context)
        empty = False
        if options.registers:
            context.prepare_catalogue()
            empty = context.use_catalogue().is_empty()
        context.use_manifest().describe(
            run=context.run,
            number=context.run_number,
            sources={role: str(path.absolute()) for role, path in options.folders.items()},
            target=context.use_storage().address,
            collection=context.collection,
            catalogue=context.catalogue_address,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        honoured = "honoured" if capabilities["create_only"] else "not honoured: looked at instead"
        summary = f"{context.use_storage().url} is writable, create-only {honoured}"
        return StepResult(data={"summary": summary, **capabilities, "empty_catalogue": empty})

    def _open_manifest(self, context: UploadContext) -> None:
        from handrail_upload.manifest import Manifest

        folder = Path(context.site().state.path)
        for path in reversed([folder, *folder.parents]):
            if not path.exists():
                context.record_rollback("folders", str(path))
                path.mkdir(exist_ok=True)
        path = folder / f"{context.run}.db"
        context.record_rollback("manifest", str(path))
        context.close()
        context.manifest_path = str(path)
        context.manifest = Manifest(path)

    def _prove_target(self, context: UploadContext) -> dict[str, bool]:
        storage, mark = context.use_storage(), context.mark
        storage.reach()
        context.record_rollback("target", storage.address)
        context.record_rollback("mark", mark)
        storage.prepare(lambda name: context.record_rollback("made", name))
        probe = f".handrail-probe-{context.run}"
        context.record_rollback("probe", probe)
        try:
            context.capabilities = storage.probe(probe, mark).to_dict()
        except StorageError as error:
            if not error.passing:
                # Usually nothing was created, and a check would be refused as well.
                context.record_rollback("refused", probe)
            raise
        context.record_rollback("cleared", probe)  # So the undo need not ask.
        return context.capabilities

    def rollback(self, context: UploadContext, result: StepResult) -> None:
        from handrail_storage.claims import forget_cache
        from handrail_upload.catalogue import open_catalogue
        from handrail_upload.claiming import CACHE
        from handrail_upload.manifest import forget_files_caches
        from handrail_upload.recorded import read_setup

        recorded = read_setup(result.rollback_data, context.site)
        try:
            for made in recorded.catalogues:
                with open_catalogue(
                    made.url, known=True, on_status=context.set_status
                ) as catalogue:
                    catalogue.withdraw(made.run, made.made)
        finally:
            _leave_target(recorded, context.options.retries)
        context.close()
        if recorded.manifest is not None:
            _remove_manifest(recorded.manifest, recorded.notes)
        if context.site().state.path in recorded.folders:
            forget_cache(Path(context.site().state.path, CACHE))
            forget_files_caches(Path(context.site().state.path))
        for folder in reversed(recorded.folders):
            with suppress(OSError):
                os.rmdir(folder)
        recorded.notes.check()

    def preview_rollback(self, context: UploadContext, result: StepResult) -> Iterator[str]:
        from handrail_upload.catalogue import open_catalogue
        from handrail_upload.recorded import read_setup

        recorded = read_setup(result.rollback_data, context.site)
        for made in recorded.catalogues:
            with open_catalogue(made.url) as catalogue:  # Nothing connects to it.
                what = "deleted" if "file" in made.made else "left without its tables"
                yield f"{catalogue.shown} {what}, if nothing is registered there any more"
        if recorded.manifest is not None and recorded.manifest.exists():
            yield f"the list of files {recorded.manifest} deleted"
        folders = [*recorded.made, *recorded.folders]
        if folders:
            yield f"{count_text(len(folders), 'folder')} removed, if nothing else is there"
        yield from recorded.notes.refusals

    def preview(self, context: UploadContext) -> Iterator[str]:
        check_sources(context.options)
        context.collection = collection_of(context.options)
        context.use_storage().reach()
        yield f"open the target {context.use_storage().url}, and write and delete a probe there"
        if context.options.registers:
            yield f"open the catalogue {context.catalogue_url}"


def _leave_target(recorded: RecordedSetup, retries: int) -> None:
    from handrail_upload.storage import open_storage

    if not recorded.target:
        return
    storage = open_storage(recorded.target, retries=retries)
    probe, mark = recorded.probe, recorded.mark
    if probe and not (recorded.refused and not _is_there(storage, probe)):
        storage.clear_probe(probe, mark)
    storage.withdraw(recorded.made)


def _is_there(storage: Storage, probe: str) -> bool:
    try:
        return storage.stat(probe) is not None
    except StorageError as error:
        if error.passing:
            raise
        return False


def check_sources(options: UploadParams) -> None:
    """Check that no source is the target itself.

    Raises:
        SourceError: One is.
    """
    from handrail_upload.storage import parse_target

    target = parse_target(options.target)
    for folder in options.folders.values():
        source = os.path.realpath(folder)
        if target.scheme == "file" and os.path.realpath(target.path) == source:
            raise SourceError(
                f"source and target are the same folder: {folder}",
                ways_out=("give another target",),
            )


def _remove_manifest(path: Path, notes: Notes) -> None:
    """Delete a manifest and its SQLite side files, if they exist.

    Args:
        path: Path of the manifest of the run.
        notes: Record the refusal, if the file is something else.
    """
    from handrail_storage.manifests import remove_manifest
    from handrail_upload.manifest import Manifest

    found = Manifest.what_else(path, path.stem)
    if found is None:
        remove_manifest(path)
    else:
        notes.refuse("manifest", str(path), f"it is {found}")
