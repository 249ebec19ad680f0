"""UploadContext: the shared state of the steps of an upload, for packs too."""

from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handrail import ActionContext
from handrail_storage import StorageContext
from handrail_storage.manifests import RUN
from handrail_upload.errors import ContainmentError
from handrail_upload.names import readable
from handrail_upload.params import UploadParams

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from handrail_storage.claims import Claim, Claims, Holding, Undoing
    from handrail_storage.containment import Notes
    from handrail_upload.catalogue import Catalogue
    from handrail_upload.manifest import Manifest
    from handrail_upload.recorded import RecordedTransfer
    from handrail_upload.site import Site
    from handrail_upload.source import ObjectSource
    from handrail_upload.specification import Specification
    from handrail_upload.storage import Storage
    from handrail_upload.transfer import Transfer

    P = TypeVar("P", bound=UploadParams, covariant=True, default=UploadParams)
else:
    from typing import TypeVar

    P = TypeVar("P", bound=UploadParams, covariant=True)

_TRANSIENT = {"transient": True}


@dataclass(slots=True, weakref_slot=True)
class Opened:
    """The objects of this process, which are not stored.

    Attributes:
        catalogue: The catalogue, once used.
        transfer: The transfer in progress.
        claims: The claims of the run at its target, by name.
        holdings: What the run holds, by the names of its claims, once that is looked at.
        undoings: The undos of claims that have begun, by name; None where there is no claim.
        previews: Claims for what only looks at the target, by name.
        scratch: Removes the manifest of a dry run; at the latest when the context is deleted.
        source: The place with the files, if they are no files of this machine, once it is read.
        here: The working folder from which relative paths lead; a step may change it meanwhile.
    """

    catalogue: Catalogue | None = None
    transfer: Transfer | None = None
    claims: dict[str, Claim] = field(default_factory=dict[str, "Claim"])
    holdings: dict[str, Holding] = field(default_factory=dict[str, "Holding"])
    undoings: dict[str, Undoing | None] = field(default_factory=dict[str, "Undoing | None"])
    previews: dict[str, Claims] = field(default_factory=dict[str, "Claims"])
    scratch: Callable[[], object] | None = None
    source: ObjectSource | None = None
    here: str = ""


@dataclass
class UploadContext(StorageContext, ActionContext[P]):
    """State of an upload.

    Fields that are not transient have values of JSON types. The target, the manifest and the
    catalogue are opened when they are first used.

    Attributes:
        params: The params of the action, as a plain dict. The default steps read `options`, which
            are `UploadParams`, or those of `UploadContext[MyParams]` that are derived from them.
        collection: Name of the collection in the catalogue; once `initialize` is over, never None.
        data_collection: The specification of the collection, as a dict; None without one.
        manifest_path: The file that lists the files of the upload; empty until `initialize`.
        capabilities: The result of probing the target; empty until `initialize`.
        storage: The target, once it is open; transient.
        manifest: The list of files, once it is open; transient.
        organized_files: One dict for each file that was found; read from the manifest.
        uploaded_files: One dict for each file that this run has stored; read from the manifest.
        data_units: One dict for each data unit that is stored; read from the manifest.
        project: For workflows of your own.
        metadata: For workflows of your own.
    """

    _containment_error = ContainmentError
    _run_pattern = RUN
    _storing_step = "upload_files"

    params: dict[str, Any] = field(default_factory=dict[str, Any])
    collection: str | None = None
    data_collection: Any = None
    manifest_path: str = ""
    capabilities: dict[str, bool] = field(default_factory=dict[str, bool])
    project: Any = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    storage: Storage | None = field(default=None, metadata=_TRANSIENT)
    manifest: Manifest | None = field(default=None, metadata=_TRANSIENT)
    organized_files: Sequence[dict[str, Any]] = field(
        default_factory=list[dict[str, Any]], metadata=_TRANSIENT
    )
    uploaded_files: Sequence[dict[str, Any]] = field(
        default_factory=list[dict[str, Any]], metadata=_TRANSIENT
    )
    data_units: Sequence[dict[str, Any]] = field(
        default_factory=list[dict[str, Any]], metadata=_TRANSIENT
    )
    opened: Opened = field(
        default_factory=Opened, init=False, repr=False, compare=False, metadata=_TRANSIENT
    )

    @property
    def specification(self) -> Specification | None:
        """The specification of the collection, or None without one."""
        if self.data_collection is None:
            return None
        from handrail_upload.specification import Specification

        return Specification.from_dict(self.data_collection)

    def use_source(self) -> ObjectSource | None:
        """Return where the files are read, opened; None if they are files of this machine.

        Raises:
            StorageError: The credentials are malformed.
        """
        about = self.use_manifest().description() if self.opened.source is None else {}
        if "source" in about:
            from handrail_storage import open_store
            from handrail_upload.source import CALLER, ObjectSource

            address, retries = about["source"], self.options.retries
            store = open_store(address, CALLER, retries=retries, on_status=self.set_status)
            self.opened.source = ObjectSource(store=store)
        return self.opened.source

    def use_storage(self) -> Storage:
        """Return the target, opened.

        Raises:
            StorageError: The target is malformed.
        """
        if self.storage is None:
            self.storage = self.open_target(self.options.target)
        return self.storage

    def open_target(self, target: str) -> Storage:
        """Open a target, such as that of the rollback data of a transfer.

        Raises:
            StorageError: It, or its credentials, are malformed.
        """
        from handrail_upload.storage import Capabilities, open_storage

        storage = open_storage(target, retries=self.options.retries, on_status=self.set_status)
        if self.capabilities:
            storage.capabilities = Capabilities(**self.capabilities)
        return storage

    def transfers(self) -> Iterator[RecordedTransfer]:
        """Yield the rollback data of the steps that have uploaded, the last one first."""
        from handrail_upload.recorded import read_transfer

        for result in reversed(list(self.results.values())):
            if "claim" in result.rollback_data:
                yield read_transfer(result.rollback_data, self.site)

    def begin_undo(self, recorded: RecordedTransfer | None = None) -> Undoing | None:
        """Ask the target whether the run may be undone, before anything of it is.

        Args:
            recorded: The rollback data of a transfer; of the last one unless given.

        Returns:
            None if the transfer has no claim.

        Raises:
            ClaimRefusedError: Another run is in the way; nothing was undone.
            StorageError: The storage failed or refused.
        """
        from handrail_upload.claiming import claims_of

        recorded = recorded or next(self.transfers(), None)
        if recorded is None or not recorded.claim:
            return None
        undoings, name = self.opened.undoings, recorded.claim
        if name not in undoings:
            claims = claims_of(self, name, self.open_target(recorded.target))
            self.set_status(f"reading the claims at {claims.url}")
            undoings[name] = claims.undo(waiting=self.telling())
            self.set_status(None)
        return undoings[name]

    def use_manifest(self) -> Manifest:
        """Return the open manifest; before `initialize` a temporary one of this process.

        Raises:
            UploadError: The file cannot be used.
        """
        import tempfile

        from handrail_upload.manifest import Manifest

        if self.manifest is None:
            if self.manifest_path:
                # A resumed run must not use an empty list in place of a deleted one.
                self.manifest = Manifest(self.manifest_file(), make=False)
            else:
                folder = tempfile.mkdtemp(prefix="handrail-upload-")
                self.manifest = manifest = Manifest(Path(folder, "manifest.db"))
                self.opened.scratch = weakref.finalize(self.opened, _throw_away, manifest, folder)
        return self.manifest

    def manifest_file(self) -> Path:
        """Return where the manifest is.

        Raises:
            ContainmentError: The journal has another path than that of this run.
        """
        from handrail_storage.containment import Notes
        from handrail_upload.manifest import Manifest

        if self.run_id is None:  # A step that is tested by itself.
            return Path(self.manifest_path)
        site = self.site(Notes({"manifest": [self.manifest_path]}))

        def manifest(noted: object) -> Path:
            path = site.manifest(noted)
            found = Manifest.what_else(path, self.run)
            if found is not None:
                raise ValueError(f"it is {found}")
            return path

        return self.checked_field("manifest_path", manifest)

    def use_files_cache(self, *, make: bool = True) -> None:
        """Let the manifest use what is known of the files that were uploaded to this target.

        Args:
            make: Whether the files cache is made if it is not there.
        """
        from handrail_upload.manifest import FILES_CACHE

        storage = self.use_storage()
        if storage.lasting:
            name = hashlib.sha256(os.fsencode(storage.address)).hexdigest()[:32]
            path = Path(self.site().state.path, FILES_CACHE, f"{name}.db")
            self.use_manifest().use_cache(path, make=make)

    def use_catalogue(self) -> Catalogue:
        """Return the catalogue, opened.

        Raises:
            CatalogueError: The catalogue cannot be opened.
        """
        # It may load a database driver, which a step without a catalogue does not need.
        from handrail_upload.catalogue import open_catalogue

        if self.opened.catalogue is None:
            self.opened.catalogue = open_catalogue(
                self.catalogue_address,
                known="initialize" in self.results,
                on_status=self.set_status,
            )
        return self.opened.catalogue

    def prepare_catalogue(self) -> None:
        """Create what the catalogue lacks; the running step has to withdraw it in its undo.

        Raises:
            CatalogueError: The catalogue cannot be opened or written.
        """
        missing = self.use_catalogue().missing()
        if missing:
            made = {"url": self.catalogue_address, "made": missing, "run": self.run}
            self.record_rollback("catalogue", made)
            # Its file may be deleted since it was opened, by the undo of the run that made it.
            self.use_catalogue().close()
            self.opened.catalogue = None
        self.use_catalogue().prepare(self.run)

    def site(self, notes: Notes | None = None) -> Site:
        """Return the places of the run according to its params.

        Args:
            notes: The rollback data of a step, to find the working folder if it was moved.

        Raises:
            ContainmentError: The run id is not a valid name.
        """
        from handrail_upload.site import Site

        return Site.of(notes, options=self.options, run=self.run_id, here=self._here)

    @property
    def _here(self) -> str:
        self.opened.here = self.opened.here or os.getcwd()
        return self.opened.here

    @property
    def catalogue_url(self) -> str:
        """The catalogue of the params, or a file named after the target; empty without one."""
        from handrail_upload.site import catalogue_of

        return catalogue_of(self.options)

    @property
    def catalogue_address(self) -> str:
        """The catalogue, independent of the working folder; empty without one."""
        url = self.catalogue_url
        if not url or "://" in url:
            return url
        return os.path.normpath(os.path.join(self._here, os.path.expanduser(url)))

    def show_units(self, manifest: Manifest | Path) -> None:
        """Let `data_units` read the data units that are stored."""
        from handrail_upload.manifest import STORED
        from handrail_upload.manifest.views import units_in

        location = readable(self.use_storage().address)
        self.data_units = units_in(manifest, location, *STORED)

    def close(self) -> None:
        """Close all open objects. Calling it twice is harmless."""
        if self.opened.catalogue is not None:
            self.opened.catalogue.close()
        if self.manifest is not None:
            self.manifest.close()
        if self.opened.scratch is not None:
            self.opened.scratch()
        self.opened.catalogue = self.manifest = self.opened.scratch = self.storage = None


def _throw_away(manifest: Manifest, folder: str) -> None:
    import shutil

    manifest.close()
    shutil.rmtree(folder, ignore_errors=True)


def collection_of(options: UploadParams) -> str:
    """Return the name of the collection: as given, of the specification, or of the target."""
    from handrail_upload.storage.target import target_name

    named = options.collection
    if named is None and options.specification is not None:
        from handrail_upload.specification import read_specification

        named = read_specification(options.specification).name
    return readable(named) if named else target_name(options.target)
