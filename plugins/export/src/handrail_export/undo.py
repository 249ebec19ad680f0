"""Undoes the effects of an export, from the rollback data of its steps alone.

Recorded data is converted to checked values first; see `containment` and `site`. Rejected data is
ignored, and fails the undo after all the rest is undone.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import handrail_storage
from handrail.frozen import record, replace
from handrail_export.claiming import CACHE, made_by
from handrail_export.errors import ExportError
from handrail_export.manifest import count_files, made_files
from handrail_export.site import Site
from handrail_storage import Capabilities, StorageError, Store, count_text, size_text
from handrail_storage.claims import Claims, ClaimStaysError, Held, forget_cache
from handrail_storage.containment import Notes
from handrail_storage.manifests import remove_manifest

if TYPE_CHECKING:
    from handrail_export.context import ExportContext


@record
class SaveUndo:
    """The undo of `save_files`, from its rollback data.

    Attributes:
        site: The places of the run.
        capabilities: Those of its target, if known.
        asked: Whether the run has asked for a claim.
        claimed: Whether it has got the claim.
        folders: The keys of the folders that it has created.
        refused: The error for rejected data, if any.
    """

    site: Site
    capabilities: Capabilities | None
    asked: bool
    claimed: bool
    folders: list[str]
    refused: handrail_storage.ContainmentError | None

    @classmethod
    def of(cls, notes: Notes, site: Site, capabilities: Capabilities | None) -> SaveUndo:
        """Return the undo for the recorded data within the places of the run.

        Args:
            notes: The rollback data of `save_files`.
            site: The places of the run.
            capabilities: Those of its target, if known.
        """
        notes.all("target", site.address)
        return cls(
            site=site,
            capabilities=capabilities,
            asked=bool(notes.all("claim", site.claim)),
            claimed=bool(notes.all("claimed", site.claim)),
            folders=notes.all("folders", site.folder_key),
            refused=notes.refused,
        )

    def open(self, retries: int | None = None) -> Store:
        """Return the target, opened.

        Args:
            retries: The most retries when the storage fails for a moment; by default, those of the
                run.

        Raises:
            StorageError: The credentials are malformed.
        """
        most = self.site.retries if retries is None else min(retries, self.site.retries)
        target = replace(self.site, retries=most).open()
        target.capabilities = self.capabilities or target.capabilities
        return target


def made_in(context: ExportContext) -> Mapping[str, Held] | None:
    """Return what a run has saved by its manifest, by key; None if that is gone or damaged."""
    if context.opened.manifest is not None:
        return made_by(context.opened.manifest)
    with suppress(ExportError, sqlite3.Error):
        return {
            path: Held(key=path, size=size, sha256=sha256, etag=etag)
            for path, size, sha256, etag in made_files(context.manifest_file())
        }
    return None


def describe_undo(context: ExportContext, claims: Claims, target: Store) -> Iterator[str]:
    """Yield what an undo would do now, and which run would be in its way.

    Args:
        context: The context of the run.
        claims: The claims of the target.
        target: The target.
    """
    try:
        found = claims.preview(made_in(context))
    except StorageError as error:
        with suppress(ExportError, sqlite3.Error):
            most = count_text(count_files(context.manifest_file()), "file")
            yield f"at {target.url}: up to {most} deleted"
        yield error.message
        return
    if found is None:
        yield f"the run has no claim at {target.url}, so nothing there is deleted"
        return
    if isinstance(found.obstacle, ClaimStaysError):
        yield f"it would be refused: {found.obstacle.message}"
        return
    size = f" ({size_text(found.would_be.size)})" if found.would_be.size else ""
    told = ", ".join(found.would_be.summary(found.state.claimant, "file", size))
    if told:
        yield f"at {target.url}: {told}"
    if found.obstacle is not None:
        yield f"the undo would be refused: {found.obstacle.message}"


@record
class InitializeUndo:
    """The undo of `initialize`, from its rollback data.

    Attributes:
        site: The places of the run.
        mark: The mark of its objects.
        probes: The keys of probes that it may have left at the target.
        made: The folders of the target that it has created.
        staging: The folder for files that are not yet saved.
        manifests: The manifest.
        folders: The folders that it has created for the manifest.
        refused: The error for rejected data, if any.
    """

    site: Site
    mark: str
    probes: list[str]
    made: list[str]
    staging: list[Path]
    manifests: list[Path]
    folders: list[str]
    refused: handrail_storage.ContainmentError | None

    @classmethod
    def of(cls, notes: Notes, site: Site) -> InitializeUndo:
        """Return the undo for the recorded data within the places of the run."""
        notes.all("target", site.address)
        cleared = notes.all("cleared", site.probe)
        return cls(
            site=site,
            mark=next(iter(notes.all("mark", site.mark)), ""),
            probes=[each for each in notes.all("probe", site.probe) if each not in cleared],
            made=notes.all("made", site.made),
            staging=notes.all("staging", site.staging),
            manifests=notes.all("manifest", site.manifest),
            folders=notes.all("folders", site.state.itself_or_above),
            refused=notes.refused,
        )

    def run(self) -> None:
        """Remove the created objects.

        Raises:
            StorageError: The target failed or refused.
            ContainmentError: Recorded data leads elsewhere; all the rest was undone.
        """
        for staging in self.staging:
            shutil.rmtree(staging, ignore_errors=True)
        try:
            self._leave_target()
        finally:
            for path in self.manifests:
                remove_manifest(path)
            if self.folders:
                forget_cache(Path(self.site.state.path, CACHE))
            for folder in reversed(self.folders):
                with suppress(OSError):
                    os.rmdir(folder)
        if self.refused is not None:
            raise self.refused

    def _leave_target(self) -> None:
        if not (self.probes or self.made):
            return
        target = self.site.open()
        if self.mark and not target.local:
            for probe in self.probes:
                target.clear_probe(probe, self.mark)
        target.withdraw(self.made)

    def preview(self) -> Iterator[str]:
        """Yield the effects of `run`; no object storage is queried."""
        if self.refused is not None:
            yield self.refused.message
        for path in self.manifests:
            if path.exists():
                yield f"the manifest {path.name} deleted from {self.site.state.path}"


@record
class ConvertUndo:
    """The undo of `convert_data`, from its rollback data.

    Attributes:
        written: The folder of its files.
        refused: The error for rejected data, if any.
    """

    written: list[Path]
    refused: handrail_storage.ContainmentError | None

    @classmethod
    def of(cls, notes: Notes, site: Site) -> ConvertUndo:
        """Return the undo for the recorded data within the places of the run."""
        return cls(written=notes.all("written", site.written), refused=notes.refused)

    def run(self) -> None:
        """Remove the written files.

        Raises:
            ContainmentError: Recorded data leads elsewhere; all the rest was undone.
        """
        for folder in self.written:
            shutil.rmtree(folder, ignore_errors=True)
        if self.refused is not None:
            raise self.refused

    def preview(self) -> Iterator[str]:
        """Yield the effects of `run`."""
        if self.refused is not None:
            yield self.refused.message
        for folder in self.written:
            sizes = [path.lstat().st_size for path in folder.rglob("*") if path.is_file()]
            if sizes:
                files = count_text(len(sizes), "file")
                yield f"{files} deleted ({size_text(sum(sizes))}) that wait in {folder.parent}"
