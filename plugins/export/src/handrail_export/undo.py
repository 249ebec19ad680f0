"""Undoes what an export has made and replaced, from what its steps have recorded alone.

What was recorded becomes checked values first; see `containment` and `site`. What does not pass is
not followed, and fails the undo once all the rest is undone.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from handrail_export.containment import Notes, identity, mapping
from handrail_export.errors import ContainmentError, ExportError, StorageError
from handrail_export.manifest import remove_manifest
from handrail_export.names import count_text, size_text
from handrail_export.site import Site
from handrail_export.storage import Owner, Target

_PAGE = 500
_WORKERS = 8
_LAG = 1.0  # Seconds for which a request of a process that was killed may be on its way.
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


@dataclass(slots=True)
class Undone:
    """What an undo has done.

    Attributes:
        deleted: Files that the run had made.
        restored: Files that are back in their place.
        foreign: Files that somebody else has put where the run had; they stay.
    """

    deleted: int = 0
    restored: int = 0
    foreign: int = 0

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

    target: Target
    mark: str
    keys: dict[str, list[Sequence[int] | None]]
    asides: dict[str, Aside]
    folders: list[str]
    refused: ContainmentError | None
    _failures: list[StorageError] = field(default_factory=list[StorageError])

    @classmethod
    def of(cls, notes: Notes, site: Site, target: Target, mark: str) -> SaveUndo:
        """Return the undo of what was recorded, as far as it stays where the run worked.

        Args:
            notes: The rollback data of `save_files`.
            site: Where the run works.
            target: Its target, opened.
            mark: The mark of the objects of this step, where none was recorded.
        """
        notes.all("target", site.target)
        mark = next(iter(notes.all("mark", site.mark)), mark)
        keys: dict[str, list[Sequence[int] | None]] = {}

        def known(noted: object) -> None:
            name, told = mapping(noted, "key", "identity")
            key, same = site.key(name), identity(told)
            keys.setdefault(key, []).append(same)

        def aside(noted: object) -> tuple[str, Aside]:
            given, name, version = mapping(noted, "key", "name", "version")
            key = site.key(given)
            kept = target.aside_name(key, mark.partition("/")[0])
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
        found: Owner = "absent"
        for known in self.keys.get(key) or [None]:
            found = self.target.owner(key, self.mark, known)
            if found != "foreign":
                return found
        return found

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
        if killed and absent and not self.target.keeps_staged and not self._failures:
            time.sleep(_LAG)
            self._all(absent, done)
        if not self._failures:
            self.target.remove_folders(self.folders)
        failed = self._failed()
        if failed is not None:
            raise failed
        return done

    def _failed(self) -> ExportError | None:
        """Return what could not be undone, as one error."""
        refused = [] if self.refused is None else [self.refused]
        failed = [*refused, *self._failures]
        if len(failed) < 2:
            return failed[0] if failed else None
        first = failed[0]
        text = f"{first.message}, and {len(failed) - 1:,} more"
        return type(first)(text, ways_out=first.ways_out)

    def preview(self) -> Iterator[str]:
        """Yield what `run` would do, with sizes where they are known here.

        An object storage is not asked, nor is each of very many files looked at.
        """
        keys = [*dict.fromkeys([*self.keys, *self.asides])]
        looks = self.target.keeps_staged and len(keys) <= _LOOKED_AT
        owners = {key: self._owner(key) if looks else "ours" for key in keys}
        failed = self._failed()
        if failed is not None:
            yield failed.message
        made = [key for key, owner in owners.items() if owner == "ours" and key not in self.asides]
        back = [key for key in self.asides if not looks or self._is_kept(key)]
        foreign = [key for key, owner in owners.items() if owner == "foreign"]
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
        with ThreadPoolExecutor(1 if self.target.keeps_staged else _WORKERS) as pool:
            for start in range(0, len(keys), _PAGE):
                page = keys[start : start + _PAGE]
                ours: list[str] = []
                owners: Iterable[Owner | None] = pool.map(self._owner, page)
                for key, owner in zip(page, owners, strict=True):
                    if owner is not None and key in self.asides:
                        self._restore(key, owner, done)
                    elif owner == "ours":
                        ours.append(key)
                    elif owner == "absent":
                        absent.append(key)
                    elif owner == "foreign":
                        done.foreign += 1
                self._delete(ours, done)
        return absent

    def _owner(self, key: str) -> Owner | None:
        if any(each.passing for each in self._failures):
            return None  # The storage is gone; asking about each key would take forever.
        try:
            return self.owner(key)
        except StorageError as error:
            self._failures.append(error)
            return None

    def _delete(self, keys: Sequence[str], done: Undone) -> None:
        if not keys:
            return
        try:
            self.target.delete(keys)
            done.deleted += len(keys)
        except StorageError as error:
            self._failures.append(error)

    def _restore(self, key: str, owner: Owner, done: Undone) -> None:
        aside, target = self.asides[key], self.target
        try:
            if owner != "foreign":
                done.restored += target.put_back(key, aside.name)
                return
            there, kept = target.stat(key), target.stat(aside.name)
            if kept is None:
                return  # It is back already, or was never set aside.
            if there is not None and _same(there.version, aside.version):
                target.delete([aside.name])
                return
            told = f"{key}: somebody else wrote there; what was there before is at {aside.name}"
            self._failures.append(StorageError(f"{told} (at {target.url})"))
        except StorageError as error:
            self._failures.append(error)


def _same(version: object, recorded: object) -> bool:
    """Compare a version with its JSON form."""
    if isinstance(version, tuple):
        return list(cast("tuple[object, ...]", version)) == recorded
    return version == recorded


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
    refused: ContainmentError | None

    @classmethod
    def of(cls, notes: Notes, site: Site) -> InitializeUndo:
        """Return the undo of what was recorded, as far as it stays where the run worked."""
        notes.all("target", site.target)
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
        if self.mark:
            ours = [each for each in self.probes if target.owner(each, self.mark, None) == "ours"]
            target.delete(ours)
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
    refused: ContainmentError | None

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
