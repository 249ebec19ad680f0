"""The upload of handrail-upload in the place of the steps that send files to the service.

The steps of handrail-upload do their work with a context of their own, which is tied to the same
run: what they record, their claim at the target, their rows in the catalogue and their undo are
those of this run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import handrail_upload
from handrail import StepResult, StepWrapper
from handrail.inspection import link_run, run_of
from handrail_synapse.contexts import UploadContext
from handrail_synapse.steps import BaseStep
from handrail_synapse.storages.session import on_this_machine
from handrail_synapse.upload.steps import generated, name_groups, uploaded
from handrail_synapse.upload.strategies import existing
from handrail_upload.manifest import STORED, SourceFile
from handrail_upload.names import readable

if TYPE_CHECKING:
    from handrail_synapse.settings import StoreSettings
    from handrail_synapse.upload.strategies import Group


class OpenStore(BaseStep[UploadContext]):
    """Opens the target and the catalogue, and proves that both can be written.

    Args:
        settings: Where files go.
    """

    name = "open_store"
    progress_weight = 0.05

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings

    def execute(self, context: UploadContext) -> StepResult:
        return handrail_upload.InitializeStep().execute(context_in(context, self._settings))

    def rollback(self, context: UploadContext, result: StepResult) -> None:
        own = context_in(context, self._settings)
        handrail_upload.InitializeStep().rollback(own, result)

    def preview(self, context: UploadContext) -> str:
        return f"open the target {self._settings.target}, and a catalogue"

    def preview_rollback(self, context: UploadContext, result: StepResult) -> Iterator[str]:
        own = context_in(context, self._settings)
        yield from handrail_upload.InitializeStep().preview_rollback(own, result)


class _Stored(StepWrapper[Any]):
    """A layer in the place of a step, which does not run.

    Args:
        inner: The step.
        settings: Where files go.
    """

    changes = True

    def __init__(self, inner: BaseStep[Any], settings: StoreSettings) -> None:
        super().__init__(inner)
        self._settings = settings

    def context(self, context: UploadContext) -> handrail_upload.UploadContext:
        """Return the context for the steps of handrail-upload."""
        return context_in(context, self._settings)


class StoreFiles(_Stored):
    """Stores the files of an upload at the target."""

    def execute(self, context: UploadContext) -> StepResult:
        name_groups(context)
        own = self.context(context)
        manifest = own.use_manifest()
        sources = dict(_sources(context.organized_files))
        manifest.add(file for files in sources.values() for file in files)
        manifest.add_metadata(
            (files[0].name, line, _about(context.organized_files[line - 1]))
            for line, files in sources.items()
        )
        manifest.keep()
        done = handrail_upload.UploadFilesStep().execute(own)
        sums = {file.id: file for file in manifest.files(*STORED)}
        there = {(file.unit, file.role): file for file in sums.values()}
        arrived = [
            _arrived(context, context.organized_files[line - 1], there, files)
            for line, files in sources.items()
            if all((file.unit, file.role) in there for file in files)
        ]
        result = uploaded(context, arrived)
        result.data |= done.data
        return result

    def rollback(self, context: UploadContext, result: StepResult) -> None:
        handrail_upload.UploadFilesStep().rollback(self.context(context), result)
        context.uploaded_files = []

    def preview(self, context: UploadContext) -> str:
        return f"store the files at {self._settings.target}"

    def preview_rollback(self, context: UploadContext, result: StepResult) -> Iterator[str]:
        yield from handrail_upload.UploadFilesStep().preview_rollback(self.context(context), result)


class RegisterUnits(_Stored):
    """Registers the stored files in the catalogue, as data units."""

    undo_before = ("upload_files", OpenStore.name)

    def execute(self, context: UploadContext) -> StepResult:
        own = self.context(context)
        done = handrail_upload.GenerateDataUnitsStep().execute(own)
        result = generated(context, [dict(unit) for unit in context.uploaded_files])
        result.data |= done.data
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        own.use_manifest().describe(finished=finished)
        own.close()
        return result

    def rollback(self, context: UploadContext, result: StepResult) -> None:
        handrail_upload.GenerateDataUnitsStep().rollback(self.context(context), result)
        context.data_units = []

    def preview(self, context: UploadContext) -> str:
        return f"register the data units in {self.context(context).catalogue_url}"

    def preview_rollback(self, context: UploadContext, result: StepResult) -> Iterator[str]:
        yield from handrail_upload.GenerateDataUnitsStep().preview_rollback(
            self.context(context), result
        )


def context_in(context: UploadContext, settings: StoreSettings) -> handrail_upload.UploadContext:
    """Return the context for the steps of handrail-upload, tied to the run of a migrated upload."""
    own: handrail_upload.UploadContext | None = context.stored
    if own is None:
        own = handrail_upload.UploadContext(
            runtime_ctx=context.runtime_ctx, params=_params(context, settings)
        )
        context.stored = own
    run = run_of(context)
    if run is not None:
        link_run(own, run)
        manifest = own.site().manifest_of(own.run)
        if not own.manifest_path and manifest.exists():  # Of an earlier process.
            own.manifest_path = str(manifest)
    own.current_step = context.current_step
    return own


def _params(context: UploadContext, settings: StoreSettings) -> dict[str, Any]:
    collection: Mapping[str, Any] = context.data_collection or {}
    number = context.params.get("data_collection")
    source = context.pathlib_cwd
    return {
        # Files of another storage are copied to this machine.
        "source": str(source if isinstance(source, Path) else os.getcwd()),
        "target": settings.target,
        "catalogue": settings.catalogue,
        "collection": str(collection.get("name") or f"collection-{number}"),
    }


def _sources(groups: list[Group]) -> Iterator[tuple[int, list[SourceFile]]]:
    """Yield the number of each group, from 1, and its files as handrail-upload lists them."""
    taken: set[str] = set()
    for line, group in enumerate(groups, 1):
        files = existing(group)
        if not files:
            continue
        # The stem of the first, because files made of one source have its key in common.
        unit = stem = next(iter(files.values())).stem
        count = 1
        while unit in taken:
            count += 1
            unit = f"{stem}-{count}"
        taken.add(unit)
        yield line, [_source(role, unit, path) for role, path in files.items()]


def _source(role: str, unit: str, given: Path) -> SourceFile:
    path = on_this_machine(given)
    status = path.stat()
    name = f"{role}/{unit}{path.suffix}"
    return SourceFile(
        path=str(path.absolute()),
        name=readable(name),
        key=readable(name),
        unit=readable(unit),
        role=role,
        size=status.st_size,
        mtime=status.st_mtime_ns,
        dev=status.st_dev,
        ino=status.st_ino,
        ctime=status.st_ctime_ns,
    )


def _about(group: Group) -> dict[str, Any]:
    """Return the metadata of a group in JSON types, with the names of its groups."""
    about: dict[str, Any] = {**(group.get("meta") or {})}
    if group.get("groups"):
        about["groups"] = group["groups"]
    # With the time at which it was grouped, no unit would be the same again.
    about.pop("created_at", None)
    made: dict[str, Any] = json.loads(json.dumps(about, default=str))
    return made


def _arrived(
    context: UploadContext,
    group: Group,
    there: Mapping[tuple[str, str], SourceFile],
    files: list[SourceFile],
) -> Group:
    paths = existing(group)
    unit: Group = {
        "data_collection": context.params.get("data_collection"),
        "files": {
            file.role: {
                "checksum": there[file.unit, file.role].sha256,
                "path": str(paths[file.role]),
            }
            for file in files
        },
        "meta": group.get("meta", {}),
        "id": files[0].unit,
    }
    return {**unit, "groups": group["groups"]} if group.get("groups") else unit
