"""Undoes the effects of an export, from the rollback data of its steps alone.

Recorded data is converted to checked values first; see `containment` and `site`. Rejected data is
ignored, and fails the undo after all the rest is undone.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import handrail_storage
from handrail.errors import HandrailError
from handrail_export.errors import StorageError
from handrail_export.site import Site
from handrail_export.target import aside_name
from handrail_storage import (
    ObjectsUndo,
    Owner,
    Store,
    Stored,
    count_text,
    first_of,
    size_text,
)
from handrail_storage.backend import bare
from handrail_storage.containment import Notes, identity, mapping
from handrail_storage.manifests import remove_manifest

_LOOKED_AT = 10_000  # Files that a preview checks; for more, it shows the recorded ones.


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A replaced object, kept under another name.

    Attributes:
        name: That name.
        version: Its version, to distinguish it from its replacement.
    """

    name: str
    version: object


class Undone(handrail_storage.Undone):
    """The result of an undo."""

    __slots__ = ()

    def summary(self) -> str:
        """Return it as one line."""
        told = [f"{count_text(self.deleted, 'file')} deleted"] if self.deleted else []
        told += [f"{self.restored:,} put back"] if self.restored else []
        told += [f"{self.foreign:,} of others left alone"] if self.foreign else []
        return ", ".join(told) or "nothing had been saved"


@dataclass(slots=True, kw_only=True)
class SaveUndo:
    """The undo of `save_files`, from its rollback data.

    Attributes:
        target: The target.
        mark: The mark of its objects.
        keys: The objects that it has or may have stored, with their identities.
        asides: The objects that it has or may have replaced.
        folders: The keys of the folders that it has created.
        refused: The error for rejected data, if any.
    """

    target: Store
    mark: str
    keys: dict[str, list[Sequence[int] | None]]
    asides: dict[str, Aside]
    folders: list[str]
    refused: handrail_storage.ContainmentError | None
    _objects: ObjectsUndo = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._objects = ObjectsUndo(store=self.target, mark=self.mark, known=self.keys)

    @classmethod
    def of(cls, notes: Notes, site: Site, target: Store, mark: str) -> SaveUndo:
        """Return the undo for the recorded data within the places of the run.

        Args:
            notes: The rollback data of `save_files`.
            site: The places of the run.
            target: Its target, opened.
            mark: The mark of the objects of this step, if none was recorded.
        """
        notes.all("target", site.address)
        mark = next(iter(notes.all("mark", site.mark)), mark)
        keys: dict[str, list[Sequence[int] | None]] = {}

        def known(noted: object) -> None:
            name, told = mapping(noted, "key", "identity")
            # With marks, there is no identity.
            key, same = site.key(name), None if told is None else identity(told)
            keys.setdefault(key, []).append(same)

        def aside(noted: object) -> tuple[str, Aside]:
            given, name, version = mapping(noted, "key", "name", "version")
            key = site.key(given)
            kept = aside_name(target, key, mark.partition("/")[0])
            if name != kept:
                raise ValueError(f"this run keeps it as {kept}")
            return key, Aside(name=kept, version=version)

        notes.all("keys", known)
        return cls(
            target=target,
            mark=mark,
            keys=keys,
            asides=dict(notes.all("asides", aside)),
            folders=notes.all("folders", site.folder_key),
            refused=notes.refused,
        )

    def owner(self, key: str) -> Owner:
        """Return the owner of the object under a key.

        Raises:
            StorageError: The storage failed or refused.
        """
        return self._objects.owner(key)

    def run(self, *, killed: bool = False) -> Undone:
        """Delete the objects of the run, and restore those it has replaced.

        Args:
            killed: Whether a killed process may have left requests in flight.

        Raises:
            StorageError: An object could not be undone; all the rest was.
            ContainmentError: Recorded data leads elsewhere; all the rest was undone.
        """
        done = Undone()
        keys = list(dict.fromkeys([*self.keys, *self.asides]))
        absent = self._all(keys[::-1], done)
        if killed and absent and self.target.lag and not self._objects.failures:
            time.sleep(self.target.lag)
            self._all(absent, done)
        if not self._objects.failures:
            self.target.remove_folders(self.folders)
        failed = self._failed()
        if failed is not None:
            raise failed
        return done

    def _failed(self) -> HandrailError | None:
        """Return the first failure of the undo, or None."""
        refused = [] if self.refused is None else [self.refused]
        return first_of([*refused, *self._objects.failures])

    def preview(self) -> Iterator[str]:
        """Yield the effects of `run`, with sizes if they are known locally.

        No object storage is queried, nor is each of very many files checked.
        """
        keys = [*dict.fromkeys([*self.keys, *self.asides])]
        looks = self.target.local and len(keys) <= _LOOKED_AT
        found = [(key, "ours") for key in keys]
        if looks:
            found = [each for page in self._objects.owners(keys) for each in page]
        failed = self._failed()
        if failed is not None:
            yield failed.message
        made = [key for key, owner in found if owner == "ours" and key not in self.asides]
        back = [key for key in self.asides if not looks or self._is_kept(key)]
        foreign = [key for key, owner in found if owner == "foreign"]
        size = sum(known[2] for key in made for known in self.keys[key][-1:] if known is not None)
        some = f" ({size_text(size)})" if size else ""
        told = [f"{count_text(len(made), 'file')} deleted{some}"] if made else []
        told += [f"{len(back):,} put back"] if back else []
        told += [f"{len(foreign):,} of others left alone"] if foreign else []
        if told:
            most = "" if looks else "up to "
            yield f"at {self.target.url}: {most}{', '.join(told)}"

    def _is_kept(self, key: str) -> bool:
        return self.target.stat(self.asides[key].name) is not None

    def _all(self, keys: Sequence[str], done: Undone) -> list[str]:
        """Undo the objects under these keys; return the keys without an object."""
        absent: list[str] = []
        for page in self._objects.owners(keys):
            ours: list[str] = []
            for key, owner in page:
                if key in self.asides:
                    self._objects.trying(partial(self._restore, key, owner, done))
                elif owner == "ours":
                    ours.append(key)
                elif owner == "absent":
                    absent.append(key)
                else:
                    done.foreign += 1
            done.deleted += len(self._objects.delete(ours))
        return absent

    def _restore(self, key: str, owner: Owner, done: Undone) -> None:
        aside, target = self.asides[key], self.target
        if owner != "foreign":
            done.restored += target.put_back(key, aside.name)
            return
        there, kept = target.stat(key), target.stat(aside.name)
        if kept is None:
            return  # It is back already, or was never set aside.
        if there is not None and _same(there, aside.version):
            target.delete([aside.name])
            return
        told = f"{key}: somebody else wrote there; what was there before is at {aside.name}"
        raise StorageError(f"{told} (at {target.url})")


def _same(found: Stored, recorded: object) -> bool:
    """Compare the version of an object with its JSON form."""
    if found.identity is not None:
        return list(found.identity) == recorded
    # Earlier versions recorded an ETag with its quotes.
    return found.etag == (bare(recorded) if isinstance(recorded, str) else recorded)


@dataclass(slots=True, kw_only=True)
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
        """Remove the created objects; replaced ones that were not restored stay.

        Raises:
            StorageError: An object could not be undone.
            ContainmentError: Recorded data leads elsewhere; all the rest was undone.
        """
        for staging in self.staging:
            _clear(staging)
        try:
            self._leave_target()
        finally:
            for path in self.manifests:
                remove_manifest(path)
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


@dataclass(slots=True, kw_only=True)
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


def _clear(staging: Path) -> None:
    """Remove the folder of the run, unless it still contains a replaced file.

    Raises:
        StorageError: The folder still contains a replaced file.
    """
    aside = staging / "aside"
    inside = () if aside.is_symlink() else aside.rglob("*")
    kept = next((path for path in inside if path.is_symlink() or not path.is_dir()), None)
    if kept is None:
        shutil.rmtree(staging, ignore_errors=True)
        return
    for path in staging.iterdir():
        if path != aside:
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)
    raise StorageError(
        f"what was replaced could not be put back, and is kept in {aside}",
        ways_out=("make room for it where it was, and roll back again",),
    )
