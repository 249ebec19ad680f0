"""Site: the places of an export according to its params; recorded data is checked against them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import handrail_storage
from handrail.frozen import frozen
from handrail_export.errors import ContainmentError
from handrail_export.layout import Layout, layout_to_undo
from handrail_export.manifest import Manifest
from handrail_export.target import CALLER
from handrail_storage import relative_path
from handrail_storage.containment import PLAIN, Folder, Notes, folders_of, key, text

if TYPE_CHECKING:
    from handrail_export.context import ExportContext


@frozen
class Site(handrail_storage.Site):
    """The target of a run and its state folder; the run creates files only there.

    Attributes:
        file: The key of the only file; empty if the export is the whole folder.
    """

    file: str

    def folder_key(self, noted: object) -> str:
        """Return the path of a folder in the target as a key.

        Raises:
            ValueError: The path leads elsewhere, or to Handrail's own files there.
        """
        if self.folder is None or self.file:
            raise ValueError("this export makes no folders")
        return key(self.folder.key(noted))

    def staging(self, noted: object) -> Path:
        """Return the folder for files that are not yet saved.

        Raises:
            ValueError: The folder is not that of this run, or is a link.
        """
        if self.folder is not None:
            pattern = rf"\.handrail-(?P<run>{PLAIN})"
            return Path(self.folder.child(noted, pattern, self.run))
        return Path(self.state.child(noted, f"(?P<run>{PLAIN})", self.run))

    def written(self, noted: object) -> Path:
        """Return the folder into which files are converted.

        Raises:
            ValueError: The folder is not that of this run, or is a link.
        """
        above, name = os.path.split(text(noted))
        path = self.staging(above) / "files"
        if name != path.name:
            raise ValueError(f"it is not {path}")
        if path.is_symlink():
            raise ValueError("it is a link")
        return path

    def manifest(self, noted: object) -> Path:
        """Return the manifest of the run.

        Raises:
            ValueError: The file is not that of this run, or is not a manifest.
        """
        path = Path(self.state.child(noted, rf"(?P<run>{PLAIN})\.db", self.run))
        found = Manifest.what_else(path, self.run)
        if found is not None:
            raise ValueError(f"it is {found}")
        return path


def site_of(context: ExportContext, notes: Notes | None = None) -> Site:
    """Return the places of the run of a context.

    Args:
        context: The context.
        notes: The rollback data of a step; it shows the former working folder, if it was moved.
    """
    options, notes = context.options, notes or Notes({})
    layout = layout_to_undo(options.format, options.target, bool(options.partition_by))
    staged = [*notes.raw("staging"), *folders_of(notes.raw("written")), context.staging]
    manifests = [*notes.raw("manifest"), context.manifest_path]
    folder: Folder | None = None
    if layout.place.local:
        given = relative_path(options.target)
        if given is not None and layout.file:
            given = os.path.dirname(os.path.normpath(given)) or "."
        folder = Folder.of(layout.folder, given, [*notes.raw("target"), *folders_of(staged)])
    noted = [*folders_of(manifests), *reversed(notes.raw("folders"))]
    noted += [] if folder is not None else folders_of(staged)
    state = str(options.folder)
    return Site(
        place=layout.place,
        folder=folder,
        state=Folder.of(os.path.abspath(state), relative_path(state), noted),
        run=None if context.run_id is None else context.run,
        retries=options.retries,
        caller=CALLER,
        file=layout.file,
    )


def staging_of(layout: Layout, state: Path, run: str) -> str:
    """Return the folder in which the files of a run wait.

    For a local target it is in the target, since a file can only be linked within its file system.
    """
    if layout.place.local:
        return os.path.join(layout.folder, f".handrail-{run}")
    return str(state.absolute() / run)


def refuse_links(folder: Path) -> None:
    """Refuse a folder in which Handrail writes, and in which something leads elsewhere.

    Raises:
        ContainmentError: There is a link in it.
    """
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise ContainmentError.about("in the folder of the run", entry.path, "it is a link")
