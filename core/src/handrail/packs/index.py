"""Which packs are installed, from metadata only.

The records are kept in a file, which is believed only when it fits what is installed. When it does
not, `importlib_metadata` reads the distributions that mention us; nothing else imports that.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from handrail.errors import Problem
from handrail.packs.health import Health, broken, inspect, judged, owned
from handrail.packs.record import GROUPS, PREFIX, EntryPoint, PackRecord
from handrail.packs.snapshot import Root, Stamp, has_other_finders, look, stamp
from handrail.packs.store import default_folder, index_file, keep, restore
from handrail.settings.names import normalised

_SECTION = re.compile(rb"^\s*\[\s*" + re.escape(PREFIX).encode(), re.MULTILINE)


def read_index(
    path: Sequence[str] | None = None, *, cache: Path | Literal["default"] | None = "default"
) -> tuple[PackRecord, ...]:
    """Return a record of every installed pack, sorted by id; imports none of them.

    The status of a record is `on` or `broken` here.

    Args:
        path: Folders and archives to look in; `sys.path` by default.
        cache: Folder for the file that keeps the index; None keeps nothing.
    """
    folder = default_folder(os.environ) if cache == "default" else cache
    others = path is None and has_other_finders()
    # Other things than strings can be on the path, and the import system passes them over.
    searched: list[str] = list(filter(_is_text, sys.path if path is None else path))
    if folder is None or others:
        return _Reading(path=searched, with_others=others).records()
    file = index_file(folder, searched)
    now = look(searched)
    kept = restore(file, searched, now)
    if kept is not None:
        return kept
    reading = _Reading(path=searched)
    records = reading.records()
    # What changed while we read it, or hangs on folders that we cannot watch, is not kept.
    if reading.can_be_kept and look(searched) == now:
        keep(file, searched, now, reading.watched, records)
    return records


def _is_text(entry: object) -> bool:
    return isinstance(entry, str)


@dataclass(slots=True, kw_only=True)
class _Installed:
    """One distribution that is a pack, or would be if it could be read.

    Attributes:
        record: What is known of it.
        health: What is known of its files.
        place: Real path of its metadata.
    """

    record: PackRecord
    health: Health
    place: str


@dataclass(slots=True, kw_only=True)
class _Reading:
    """One look at everything on the path.

    Attributes:
        path: Folders and archives.
        with_others: Whether other finders than those of the path are asked too.
        watched: Stamps of the files and folders that the records depend on.
        can_be_kept: Whether `watched` and the listing of the path show every change.
    """

    path: Sequence[str]
    with_others: bool = False
    watched: dict[str, Stamp] = field(default_factory=dict[str, Stamp])
    can_be_kept: bool = True

    def records(self) -> tuple[PackRecord, ...]:
        found: dict[str, list[_Installed]] = {}
        taken: set[str] = set()
        for root in look(self.path).roots:
            here: dict[str, list[_Installed]] = {}
            names: set[str] = set()
            for each in self._archive(root) if root.is_archive else self._folder(root, names):
                here.setdefault(each.record.id, []).append(each)
            for name, group in here.items():
                # An earlier distribution of the same name that is no pack hides this one.
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

    def _folder(self, root: Root, names: set[str]) -> Iterator[_Installed]:
        for info in root.infos:
            names.add(normalised(_stem(root.path, info)[0]))
            if _mentions_us(f"{root.path}/{info}"):
                yield self._read(root.path, info)

    def _read(self, location: str, info: str) -> _Installed:
        import importlib_metadata  # noqa: PLC0415 - slow to import, and seldom needed

        place = f"{location}/{info}"
        for name in ("", "/entry_points.txt", "/METADATA", "/PKG-INFO", "/RECORD"):
            self.watched[place + name] = stamp(place + name)
        distribution = importlib_metadata.Distribution.at(place)
        name, version = _stem(location, info)
        record, faults = _described(distribution, name, version, location)
        health = inspect(location, info, _text(distribution, "RECORD"))
        record = replace(record, packages=_packages(record, health, distribution))
        for code, fault in faults:
            record = broken(record, fault, code=code)
        return _Installed(record=record, health=health, place=os.path.realpath(place))

    def _archive(self, root: Root) -> Iterator[_Installed]:
        import importlib_metadata  # noqa: PLC0415 - slow to import, and seldom needed

        try:
            distributions: list[Any] = list(importlib_metadata.distributions(path=[root.path]))
        except Exception:  # noqa: BLE001 - any file can lie on the path
            return
        yield from self._elsewhere(distributions, root.path)

    def _others(self, known: set[str]) -> Iterator[_Installed]:
        import importlib_metadata  # noqa: PLC0415 - slow to import, and seldom needed

        distributions: list[Any] = list(importlib_metadata.distributions())
        for each in self._elsewhere(distributions, ""):
            if each.record.id not in known:
                yield each

    def _elsewhere(self, distributions: Sequence[Any], location: str) -> Iterator[_Installed]:
        """Yield the packs among distributions that are not folders."""
        for distribution in distributions:
            text = _text(distribution, "entry_points.txt")
            if text and _SECTION.search(text.encode(errors="replace")):
                record, faults = _described(distribution, "", "", location)
                record = replace(record, packages=_packages(record, Health(), distribution))
                for code, fault in faults:
                    record = broken(record, fault, code=code)
                if record.id and (faults or record.entry_points):
                    yield _Installed(record=record, health=Health(), place=f"{id(distribution)}")

    def _judged(self, group: list[_Installed]) -> PackRecord:
        first, *hidden = group
        record = first.record
        if record.status == "on":
            record = judged(record, first.health, self.path)
            self.can_be_kept &= record.status == "on" or bool(first.health.gone)
        for folder in first.health.folders:
            self.watched.setdefault(folder, stamp(folder))
        for other in hidden:
            differs = other.record.entry_points != record.entry_points
            if other.place != first.place and differs:
                record = replace(record, problems=(*record.problems, _hides(record, other.record)))
        return record


def _mentions_us(place: str) -> bool:
    """Whether a metadata folder is that of a pack, or may be that of one that is damaged."""
    try:
        with open(f"{place}/entry_points.txt", "rb") as stream:
            return _SECTION.search(stream.read()) is not None
    except FileNotFoundError:
        # Most distributions have none. One that needs us and has lost it is worth a closer look.
        return _needs_us(place) and b"/entry_points.txt" in _bytes(f"{place}/RECORD")
    except OSError:
        return _needs_us(place) or os.path.basename(place).startswith("handrail_")


def _needs_us(place: str) -> bool:
    return b"\nRequires-Dist: handrail" in _bytes(f"{place}/METADATA")


def _bytes(file: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def _stem(location: str, info: str) -> tuple[str, str]:
    """Return name and version from the name of a metadata folder."""
    stem = info.rpartition(".")[0]
    if info.lower() == "egg-info":
        stem = os.path.basename(location).rpartition(".")[0]
    name, _, rest = stem.partition("-")
    return name, rest.partition("-py")[0]


def _text(distribution: Any, name: str) -> str | None:
    try:
        text: str | None = distribution.read_text(name)
    except Exception:  # noqa: BLE001 - the metadata of others may hold anything
        return None
    return text


def _described(
    distribution: Any, name: str, version: str, location: str
) -> tuple[PackRecord, list[tuple[str, str]]]:
    """Return what the metadata says, and what cannot be read of it as `(code, sentence)`."""
    faults: list[tuple[str, str]] = []
    summary, requires = "", ()
    try:
        metadata = distribution.metadata
        given = metadata.get("Name")
        if not given:
            missing = metadata.get("Metadata-Version") is None
            faults.append(("metadata", f"METADATA {'is missing' if missing else 'has no Name'}"))
        name = given or name
        version = metadata.get("Version") or version
        summary = metadata.get("Summary") or ""
        requires = tuple(distribution.requires or ())
    except Exception as error:  # noqa: BLE001 - the metadata of others may hold anything
        faults.append(("metadata", f"METADATA cannot be read: {_reason(error)}"))
    points: list[EntryPoint] = []
    try:
        text = distribution.read_text("entry_points.txt")
        if text is None:
            raise OSError("it is missing or no file")
        points = [
            EntryPoint(group=each.group, name=each.name, value=each.value)
            for each in distribution.entry_points
            if each.group in GROUPS
        ]
    except Exception as error:  # noqa: BLE001 - the metadata of others may hold anything
        faults.insert(0, ("metadata", f"entry_points.txt cannot be read: {_reason(error)}"))
        points = _salvaged(location, distribution)
    record = PackRecord(
        id=normalised(name),
        name=name,
        version=version,
        summary="" if summary == "UNKNOWN" else " ".join(summary.split()),
        entry_points=tuple(points),
        requires=requires,
        location=location,
    )
    return record, faults


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return " ".join(str(error).split()) or type(error).__name__


def _salvaged(location: str, distribution: Any) -> list[EntryPoint]:
    """Return what can be made out in an `entry_points.txt` that is damaged."""
    place = getattr(distribution, "_path", location)
    points: list[EntryPoint] = []
    group = ""
    for line in _bytes(f"{place}/entry_points.txt").decode(errors="replace").splitlines():
        name, equals, value = (part.strip() for part in line.partition("="))
        if line.strip().startswith("["):
            group = line.strip().strip("[]")
        elif equals and name and group in GROUPS:
            points.append(EntryPoint(group=group, name=name, value=value))
    return points


def _packages(record: PackRecord, health: Health, distribution: Any) -> tuple[str, ...]:
    """Return what the pack owns: from RECORD, `top_level.txt`, or else where it leads."""
    if health.packages:
        return health.packages
    declared = (_text(distribution, "top_level.txt") or "").split()
    modules = owned(f"{entry.module.replace('.', '/')}.py" for entry in record.entry_points)
    tops = {module.partition(".")[0] for module in modules}
    return tuple(sorted({*declared, *tops}))


def _one_of(group: list[_Installed]) -> _Installed:
    """Return the one distribution of a name in a folder; with several, the one that is whole."""
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
