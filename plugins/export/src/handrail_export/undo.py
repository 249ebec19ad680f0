"""Undoes what an export has made and replaced, from what its steps have recorded alone.

What was recorded becomes checked values first; see `containment` and `site`. What does not pass is
not followed, and fails the undo once all the rest is undone.
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

_LOOKED_AT = 10_000  # Files that a preview looks at; of more it tells what was recorded.


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Something that is replaced, and kept under another name.

    Attributes:
        name: That name.
        version: What tells it from what comes in its place.
    """

    name: str
    version: object


class Undone(handrail_storage.Undone):
    """What an undo has done."""

    __slots__ = ()

    def summary(self) -> str:
        """Return it as one line."""
        told = [f"{count_text(self.deleted, 'file')} deleted"] if self.deleted else []
        told += [f"{self.restored:,} put back"] if self.restored else []
        told += [f"{self.foreign:,} of others left alone"] if self.foreign else []
        return ", ".join(told) or "nothing had been saved"


@dataclass(slots=True, kw_only=True)
class SaveUndo:
    """What `save_files` has recorded before it made something at its target.

    Attributes:
        target: The target.
        mark: What its objects are marked with.
        keys: What it made or was about to make, with what tells that it is the same.
        asides: What it replaced or was about to replace.
        folders: The keys of the folders that it made.
        refused: What of the recorded leads elsewhere, if anything does.
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
        """Return the undo of what was recorded, as far as it stays where the run worked.

        Args:
            notes: The rollback data of `save_files`.
            site: Where the run works.
            target: Its target, opened.
            mark: The mark of the objects of this step, where none was recorded.
        """
        notes.all("target", site.address)
        mark = next(iter(notes.all("mark", site.mark)), mark)
        keys: dict[str, list[Sequence[int] | None]] = {}

        def known(noted: object) -> None:
            name, told = mapping(noted, "key", "identity")
            # Where there are marks, there is none.
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
        """Return whose file is stored under a key.

        Raises:
            StorageError: The storage failed or refused.
        """
        return self._objects.owner(key)

    def run(self, *, killed: bool = False) -> Undone:
        """Delete what the run has made, and put back what it has replaced.

        Args:
            killed: Whether a process that was killed may have left requests under way.

        Raises:
            StorageError: Something could not be undone; all the rest was.
            ContainmentError: Something that was recorded leads elsewhere; all the rest was undone.
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
        """Return what could not be undone, as one error."""
        refused = [] if self.refused is None else [self.refused]
        return first_of([*refused, *self._objects.failures])

    def preview(self) -> Iterator[str]:
        """Yield what `run` would do, with sizes where they are known here.

        An object storage is not asked, nor is each of very many files looked at.
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
        """Undo what is stored under these keys; return those under which nothing was."""
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
    """What `initialize` has recorded before it made something.

    Attributes:
        site: Where the run works.
        mark: What its objects are marked with.
        probes: What it may have left at the target to prove that it can write there.
        made: The folders of the target that it made.
        staging: The folder in which files wait.
        manifests: The manifest.
        folders: The folders that it made for the manifest.
        refused: What of the recorded leads elsewhere, if anything does.
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
        """Return the undo of what was recorded, as far as it stays where the run worked."""
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
        """Remove what was made; what was replaced and is not back stays.

        Raises:
            StorageError: Something could not be undone.
            ContainmentError: Something that was recorded leads elsewhere; all the rest was undone.
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
        """Yield what `run` would do; an object storage is not asked."""
        if self.refused is not None:
            yield self.refused.message
        for path in self.manifests:
            if path.exists():
                yield f"the manifest {path.name} deleted from {self.site.state.path}"


@dataclass(slots=True, kw_only=True)
class ConvertUndo:
    """What `convert_data` has recorded before it wrote something.

    Attributes:
        written: The folder into which it wrote.
        refused: What of the recorded leads elsewhere, if anything does.
    """

    written: list[Path]
    refused: handrail_storage.ContainmentError | None

    @classmethod
    def of(cls, notes: Notes, site: Site) -> ConvertUndo:
        """Return the undo of what was recorded, as far as it stays where the run worked."""
        return cls(written=notes.all("written", site.written), refused=notes.refused)

    def run(self) -> None:
        """Remove what was written.

        Raises:
            ContainmentError: Something that was recorded leads elsewhere; all the rest was undone.
        """
        for folder in self.written:
            shutil.rmtree(folder, ignore_errors=True)
        if self.refused is not None:
            raise self.refused

    def preview(self) -> Iterator[str]:
        """Yield what `run` would do."""
        if self.refused is not None:
            yield self.refused.message
        for folder in self.written:
            sizes = [path.lstat().st_size for path in folder.rglob("*") if path.is_file()]
            if sizes:
                files = count_text(len(sizes), "file")
                yield f"{files} deleted ({size_text(sum(sizes))}) that wait in {folder.parent}"


def _clear(staging: Path) -> None:
    """Remove the folder of the run, unless something that was replaced is still in it.

    Raises:
        StorageError: Something is.
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
