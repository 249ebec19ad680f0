"""Discovers the installed packs: reads the metadata of all distributions on the path."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from handrail.errors import Problem
from handrail.frozen import frozen, replace, values_of
from handrail.packs.health import Health, broken, check_files, inspect
from handrail.packs.metadata import (
    bytes_of,
    contents,
    described,
    packages_of,
    plain,
    stem_of,
    text_of,
)
from handrail.packs.record import PREFIX, Extension, PackRecord
from handrail.packs.snapshot import Root, Snapshot, Stamp, stamp
from handrail.settings.pack_names import normalised

_MARK = PREFIX.encode()
_SECTION = re.compile(rb"^\s*\[\s*" + re.escape(PREFIX).encode(), re.MULTILINE)
# A group of a pack that others extend, such as `acme_ship.carriers`.
_EXTENDS = re.compile(rb"^\s*\[\s*([\w-]+\.[\w.-]+)\s*\]", re.MULTILINE)
_PLUGINS = re.compile(rb"^\s*\[\s*pydantic\s*\]", re.MULTILINE)


class _Installed:
    """A distribution that is a pack, or would be if its metadata could be read.

    Attributes:
        record: Its record.
        health: The state of its files.
        place: Real path of its metadata.
    """

    def __init__(self, *, record: PackRecord, health: Health, place: str) -> None:
        self.record = record
        self.health = health
        self.place = place


@frozen(eq=False)
class _Extending:
    """A distribution with entry points in groups like those of packs.

    Attributes:
        location: The folder or archive in which it is.
        info: Name of its metadata folder.
        groups: The groups.
        distribution: The distribution, if it has no metadata folder.
    """

    location: str
    info: str
    groups: set[str]
    distribution: Any


class Reading:
    """One reading of all distributions on the path.

    Attributes:
        path: Folders and archives.
        now: The snapshot of the path.
        with_others: Whether finders other than those of the path are used too.
        watched: Stamps of the files and folders on which the records depend.
        can_be_kept: Whether `watched` and the snapshot show every later change.
        has_plugins: Whether a distribution may have plugins of pydantic; known at the end.
    """

    def __init__(self, *, path: Sequence[str], now: Snapshot, with_others: bool = False) -> None:
        self.path = path
        self.now = now
        self.with_others = with_others
        self.watched: dict[str, Stamp] = {}
        self.can_be_kept = True
        self.has_plugins = False
        self._extending: list[_Extending] = []

    def records(self) -> tuple[PackRecord, ...]:
        """Return a record of every pack, sorted by id."""
        found: dict[str, list[_Installed]] = {}
        taken: set[str] = set()
        for root in self.now.roots:
            here: dict[str, list[_Installed]] = {}
            names: set[str] = set()
            each_of = self._archive(root) if root.is_archive else self._folder(root, taken, names)
            for each in each_of:
                here.setdefault(each.record.id, []).append(each)
            for name, group in here.items():
                # An earlier distribution of the same name, even if not a pack, hides this one.
                if name in found:
                    found[name].append(_one_of(group))
                elif name not in taken:
                    found[name] = [_one_of(group)]
            taken |= names
        if self.with_others:
            for each in self._others(taken | set(found)):
                found.setdefault(each.record.id, []).append(each)
        judged_all = (self._judged(found[name]) for name in sorted(found))
        return tuple(each for each in judged_all if each.entry_points or each.problems)

    def extensions(self, records: Sequence[PackRecord]) -> tuple[Extension, ...]:
        """Return the entry points in groups of these packs; called after `records`."""
        packages = {each.partition(".")[0] for record in records for each in record.packages}
        found: list[Extension] = []
        for each in self._extending:
            groups = {group for group in each.groups if group.partition(".")[0] in packages}
            if groups:
                distribution = each.distribution or _distribution_at(f"{each.location}/{each.info}")
                name, version = stem_of(each.location, each.info)
                record, _ = described(distribution, name, version, each.location, groups)
                found += [
                    Extension(distribution=record.name, **values_of(point))
                    for point in record.entry_points
                ]
        return tuple(found)

    def _folder(self, root: Root, taken: set[str], names: set[str]) -> Iterator[_Installed]:
        for info in root.infos:
            name = normalised(stem_of(root.path, info)[0])
            names.add(name)
            if self._mentions_us(root.path, info, hidden=name in taken):
                yield self._read(root.path, info)

    def _mentions_us(self, location: str, info: str, *, hidden: bool) -> bool:
        """Return whether a metadata folder is that of a pack, or possibly of a damaged one."""
        place = f"{location}/{info}"
        try:
            text = contents(f"{place}/entry_points.txt")
        except FileNotFoundError:
            # Most distributions have no entry points. One that requires us may have lost the file.
            return _needs_us(place) and b"/entry_points.txt" in bytes_of(f"{place}/RECORD")
        except OSError:
            self.has_plugins = True  # It may have some.
            return _needs_us(place) or os.path.basename(place).startswith("handrail_")
        if not hidden:
            self._note(text, location, info)
        return _MARK in text and _SECTION.search(text) is not None

    def _note(self, text: bytes, location: str, info: str, distribution: Any = None) -> None:
        """Note what a distribution, pack or not, offers to pydantic and to packs."""
        self.has_plugins |= _PLUGINS.search(text) is not None
        groups = {group.decode() for group in _EXTENDS.findall(text)}
        if groups:
            self._extending.append(
                _Extending(location=location, info=info, groups=groups, distribution=distribution)
            )

    def _read(self, location: str, info: str) -> _Installed:
        place = f"{location}/{info}"
        for name in ("", "/entry_points.txt", "/METADATA", "/PKG-INFO", "/RECORD"):
            self.watched[place + name] = stamp(place + name)
        distribution = _distribution_at(place)
        name, version = stem_of(location, info)
        record, faults = described(distribution, name, version, location)
        health = inspect(location, info, text_of(distribution, "RECORD"))
        record = replace(record, packages=packages_of(record, health, distribution))
        for code, fault in faults:
            record = broken(record, fault, code=code)
        return _Installed(record=record, health=health, place=os.path.realpath(place))

    def _archive(self, root: Root) -> Iterator[_Installed]:
        try:
            distributions = list(_library().distributions(path=[root.path]))
        except Exception:  # noqa: BLE001 - any file can lie on the path
            return
        yield from self._elsewhere(distributions, root.path)

    def _others(self, known: set[str]) -> Iterator[_Installed]:
        distributions = list(_library().distributions())
        for each in self._elsewhere(distributions, ""):
            if each.record.id not in known:
                yield each

    def _elsewhere(self, distributions: Sequence[Any], location: str) -> Iterator[_Installed]:
        """Yield the packs among distributions without a metadata folder."""
        for distribution in distributions:
            text = (text_of(distribution, "entry_points.txt") or "").encode(errors="replace")
            self._note(text, location, "", distribution)
            if _SECTION.search(text):
                record, faults = described(distribution, "", "", location)
                record = replace(record, packages=packages_of(record, Health(), distribution))
                for code, fault in faults:
                    record = broken(record, fault, code=code)
                if record.id and (faults or record.entry_points):
                    yield _Installed(record=record, health=Health(), place=f"{id(distribution)}")

    def _judged(self, group: list[_Installed]) -> PackRecord:
        first, *hidden = group
        record = first.record
        if record.status == "on":
            record = check_files(record, first.health, self.path)
            self.can_be_kept &= record.status == "on" or bool(first.health.gone)
        for folder in first.health.folders:
            self.watched.setdefault(folder, stamp(folder))
        for other in hidden:
            differs = other.record.entry_points != record.entry_points
            if other.place != first.place and differs:
                record = replace(record, problems=(*record.problems, _hides(record, other.record)))
        return record


def _distribution_at(place: str) -> Any:
    return plain(place) or _library().Distribution.at(place)


def _library() -> Any:
    # Imported here: slow, and rarely needed.
    import importlib_metadata  # noqa: PLC0415

    return importlib_metadata


def _needs_us(place: str) -> bool:
    return b"\nRequires-Dist: handrail" in bytes_of(f"{place}/METADATA")


def _one_of(group: list[_Installed]) -> _Installed:
    """Return the distribution of a name in a folder; if there are several, the intact one."""
    if len(group) == 1:
        return group[0]
    whole = [each for each in group if each.record.status == "on" and not each.health.gone]
    versions = " and ".join(sorted({each.record.version or "?" for each in group}))
    if len(whole) == 1 or len({each.record.entry_points for each in whole}) == 1 == len(
        {each.record.version for each in whole}
    ):
        chosen = whole[0]
        leftover = Problem(
            code="leftover-metadata",
            message=f"{chosen.record.origin}: there is metadata of {versions} in one folder",
            origins=(chosen.record.origin,),
            ways_out=(f"pip install --force-reinstall {chosen.record.id}",),
        )
        problems = (leftover,) if len(whole) < len(group) else ()
        chosen.record = replace(chosen.record, problems=problems)
        return chosen
    first = group[0]
    why = f"there are two of it in one folder: {versions}"
    first.record = broken(replace(first.record, version=versions), why, code="two-versions")
    return first


def _hides(record: PackRecord, other: PackRecord) -> Problem:
    return Problem(
        code="hidden-pack",
        message=(
            f"{record.origin} in {record.location} hides {other.origin} in {other.location}, "
            "which offers something else"
        ),
        origins=(record.origin, other.origin),
        ways_out=("uninstall one of them, or change the order of the path",),
    )
