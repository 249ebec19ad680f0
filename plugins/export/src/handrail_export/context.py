"""ExportContext: the shared state of the steps of an export, for packs too."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from handrail import ActionContext
from handrail_export.errors import ContainmentError, ExportError
from handrail_export.params import ExportParams
from handrail_storage import StorageContext

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from handrail_export.layout import Layout
    from handrail_export.manifest import Manifest
    from handrail_export.rows import Rows
    from handrail_storage import Capabilities, Store

    P = TypeVar("P", bound=ExportParams, covariant=True, default=ExportParams)
else:
    from typing import TypeVar

    P = TypeVar("P", bound=ExportParams, covariant=True)

_TRANSIENT = {"transient": True}


@dataclass(slots=True, weakref_slot=True)
class Opened:
    """The objects of this process, which are not stored.

    Attributes:
        layout: The layout of the target, once computed.
        manifest: The manifest, once open.
        target: The target, once open.
        rows: The rows, once open.
        scratch: The temporary folder of a run without one, such as a dry run.
        cleaner: Removes that folder; at the latest when the context is deleted.
    """

    layout: Layout | None = None
    manifest: Manifest | None = None
    target: Store | None = None
    rows: Rows | None = None
    scratch: str = ""
    cleaner: Callable[[], object] | None = None


@dataclass
class ExportContext(StorageContext, ActionContext[P]):
    """State of an export.

    Fields that are not transient have values of JSON types. The source, the target and the manifest
    are opened when they are first used.

    Attributes:
        params: The params of the action, as a plain dict. The default steps read `options`, which
            are `ExportParams`, or those of `ExportContext[MyParams]` that are derived from them.
        collection: Name of the collection, where a catalogue is exported; once `fetch_results` is
            over.
        schema: Name and type of each column that is exported, once `fetch_results` is over.
        source_files: Size, and time of change or ETag, of each file of the source, by its name
            below the folder of the source, once `fetch_results` is over; empty for a database.
        manifest_path: The file that lists the files of the export; empty until `initialize`.
        staging: The folder in which files wait until they are saved; empty until `initialize`.
        capabilities: The result of probing the target; empty until `initialize`.
        total_count: Number of rows or pictures found.
        exported_count: Number of those that are exported.
        failed_count: Number of those that are invalid.
        output_path: The location of the result, once `save_files` is over; None if there was
            nothing.
    """

    _containment_error = ContainmentError
    _storing_step = "save_files"

    params: dict[str, Any] = field(default_factory=dict[str, Any])
    collection: str | None = None
    schema: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    source_files: dict[str, list[int | str]] = field(default_factory=dict[str, "list[int | str]"])
    manifest_path: str = ""
    staging: str = ""
    capabilities: dict[str, bool] = field(default_factory=dict[str, bool])
    total_count: int = 0
    exported_count: int = 0
    failed_count: int = 0
    output_path: str | None = None
    opened: Opened = field(
        default_factory=Opened, init=False, repr=False, compare=False, metadata=_TRANSIENT
    )

    @property
    def layout(self) -> Layout:
        """How the target is laid out.

        Raises:
            FormatError: The format does not exist, or does not fit the target.
        """
        from handrail_export.layout import lay_out

        if self.opened.layout is None:
            given = self.options
            found, _ = lay_out(given.format, given.target, bool(given.partition_by))
            self.opened.layout = found
        return self.opened.layout

    def use_target(self) -> Store:
        """Return the target, opened.

        Raises:
            StorageError: The target is malformed.
        """
        from handrail_export.target import open_target

        if self.opened.target is None:
            place = self.layout.place
            target = open_target(place, retries=self.options.retries, on_status=self.set_status)
            target.capabilities = self.known_capabilities() or target.capabilities
            self.opened.target = target
        return self.opened.target

    def known_capabilities(self) -> Capabilities | None:
        """Return what the target has shown when it was probed; None before that."""
        from handrail_storage import Capabilities

        try:
            return Capabilities(**{name: bool(each) for name, each in self.capabilities.items()})
        except (TypeError, AttributeError):
            return None

    def use_manifest(self) -> Manifest:
        """Return the manifest, opened.

        Raises:
            ExportError: The file cannot be used, or `initialize` has not run.
            ContainmentError: The path is not that of this run.
        """
        from handrail_export.manifest import Manifest

        if self.opened.manifest is None:
            if not self.manifest_path:
                raise ExportError("there is no manifest: the step initialize has not run")
            # A resumed run must not use an empty list in place of a deleted one.
            self.opened.manifest = Manifest(self.manifest_file(), make=False)
        return self.opened.manifest

    def manifest_file(self) -> Path:
        """Return the file of the manifest.

        Raises:
            ContainmentError: The path is not that of this run.
        """
        return self._own("manifest_path")

    def use_staging(self) -> Path:
        """Return the folder for files that are not yet saved.

        Raises:
            ExportError: There is no folder, because `initialize` has not run.
            ContainmentError: The path is not that of this run, or something in it leads elsewhere.
        """
        if not self.staging:
            raise ExportError("there is no folder for files: the step initialize has not run")
        return self._own("staging")

    def use_rows(self) -> Rows:
        """Return the rows of the source, which can be read once; they are opened again after that.

        Raises:
            SourceError: The source cannot be read.
            ChoiceError: The columns or the filter do not fit it.
        """
        from handrail_export.choice import Choice
        from handrail_export.rows import Rows
        from handrail_export.sources import make_source

        if self.opened.rows is None:
            options = self.options
            scratch = str(self.use_staging()) if self.staging else self._scratch()
            source, self.collection = make_source(options, scratch, self.set_status)
            limit = None if self._limits_pictures() else options.limit
            self.opened.rows = Rows(
                source,
                Choice(columns=tuple(options.columns), where=options.where, limit=limit),
                memory=options.memory,
                scratch=scratch,
                report=self._report,
            )
        return self.opened.rows

    def close_rows(self) -> None:
        """Close the source. Calling it twice is harmless."""
        if self.opened.rows is not None:
            self.opened.rows.close()
        self.opened.rows = None

    def close(self) -> None:
        """Close all open objects. Calling it twice is harmless."""
        self.close_rows()
        if self.opened.manifest is not None:
            self.opened.manifest.close()
        if self.opened.cleaner is not None:
            self.opened.cleaner()
        self.opened.manifest = self.opened.target = self.opened.cleaner = None
        self.opened.scratch = ""

    def _limits_pictures(self) -> bool:
        """Whether the limit is about pictures, of which each has several rows."""
        from handrail_export.formats import CollectionFormat, find_format

        return isinstance(find_format(self.layout.format), CollectionFormat)

    def _report(self, done: float, total: float) -> None:
        if self.current_step is not None:
            self.set_progress(done, total, "rows" if total != 100.0 else None)

    def _scratch(self) -> str:
        import shutil
        import tempfile

        if not self.opened.scratch:
            self.opened.scratch = folder = tempfile.mkdtemp(prefix="handrail-export-")
            self.opened.cleaner = weakref.finalize(self.opened, shutil.rmtree, folder, True)
        return self.opened.scratch

    def _own(self, name: Literal["staging", "manifest_path"]) -> Path:
        from handrail_export.site import refuse_links, site_of

        site = site_of(self)
        if name == "manifest_path":
            return self.checked_field(name, site.manifest)
        folder = self.checked_field(name, site.staging)
        refuse_links(folder)
        return folder
