"""Finds the installed packs by the metadata of all distributions on the path; imports none."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from handrail.errors import Problem
from handrail.frozen import replace
from handrail.own_points import CORE, points_in
from handrail.packs.record import GROUPS, PREFIX, EntryPoint, PackRecord, normalised, ways_out

if TYPE_CHECKING:
    # It has the same names, and types.
    from importlib.metadata import Distribution, MetadataPathFinder
else:
    from importlib_metadata import Distribution, MetadataPathFinder


def read_packs(path: Sequence[str] | None = None) -> tuple[PackRecord, ...]:
    """Return a record of every installed pack, sorted by id; its status is `on` or `broken` here.

    Of distributions of one name, the first on the path counts, even if it is no pack.

    Args:
        path: Folders and archives to search; by default, `sys.path`.
    """
    found: dict[str, list[Distribution]] = {}
    for distribution in _distributions(path):
        name = _stem_of(distribution)[0].lower().replace(".", "_")
        # pip renames what it removes to a name that begins with a tilde.
        if not name.startswith("~") and name != CORE:
            found.setdefault(name, []).append(distribution)
    records = [record for same in found.values() if (record := _read(same, path)) is not None]
    packs = [record for record in records if record.entry_points or record.problems]
    return tuple(sorted(packs, key=attrgetter("id")))


def _distributions(path: Sequence[object] | None = None) -> Iterable[Distribution]:
    """Return the distributions on a path, in its order, as they are now.

    A folder counts once, though `lib64` may be a link to it; in `sys.path` there may be anything.
    """
    texts = (each for each in (sys.path if path is None else path) if isinstance(each, str))
    places = [place for each in texts if os.path.exists(place := os.path.abspath(each))]
    folders = {os.path.realpath(place): place for place in reversed(places)}
    MetadataPathFinder.invalidate_caches()  # They miss the second change within one tick.
    return Distribution.discover(path=list(folders.values())[::-1])


def _stem_of(distribution: Distribution) -> tuple[str, str]:
    """Return the name and the version in the name of a metadata folder."""
    # The library has no public name for that folder.
    name, _, version = Path(str(getattr(distribution, "_path", ""))).stem.partition("-")
    return name, version


def _read(same: Sequence[Distribution], path: Sequence[str] | None) -> PackRecord | None:
    """Return the record of the first of several distributions of a name; None if it is no pack."""
    if len(same) > 1:
        same = [each for each in same if _location_of(each) == _location_of(same[0])]
    packs = [each for each in same if _is_pack(each)]
    if not packs:
        return None
    record, fault = _described(packs[0])
    if len(same) > 1:
        versions = " and ".join(sorted(_stem_of(each)[1] for each in same))
        record = replace(record, version=versions)
        return _broken(record, f"there are two of it in one folder: {versions}", "two-versions")
    if fault:
        return _broken(record, fault, "metadata")
    record, gone = _checked(record, path), _gone(packs[0], record.location)
    if gone and not record.problems:
        files = "1 file that is" if gone == 1 else f"{gone} files that are"
        return _broken(record, f"RECORD names {files} gone", "files-gone")
    return record


def _gone(distribution: Distribution, location: str) -> int:
    """Return how many of the files in the RECORD of a pack are gone; 0 if it is no table."""
    if not os.path.isdir(location):
        return 0  # An archive has its files inside.
    rows = csv.reader((_text_of(distribution, "RECORD") or "").splitlines())
    try:
        names = [row[0].replace("\\", "/") for row in rows if row]
    except csv.Error:
        return 0
    return sum(
        not name.endswith((".pyc", ".pyo"))
        and not name.startswith(("../", "/"))
        and ".dist-info/" not in name
        and not os.path.lexists(f"{location}/{name}")
        for name in names
    )


def _is_pack(distribution: Distribution) -> bool:
    """Return whether a distribution is a pack, or a pack that has lost its entry points."""
    text = _text_of(distribution, "entry_points.txt")
    if text is not None:
        return f"[{PREFIX}" in text
    has_some = "/entry_points.txt" in (_text_of(distribution, "RECORD") or "")
    return has_some and "\nRequires-Dist: handrail" in (_text_of(distribution, "METADATA") or "")


def _text_of(distribution: Distribution, name: str) -> str | None:
    try:
        return distribution.read_text(name)
    except Exception:  # noqa: BLE001 - metadata may contain anything
        return None


def _location_of(distribution: Distribution) -> str:
    """Return the folder or archive in which a distribution is; `""` if only its finder knows."""
    try:
        return os.path.normpath(str(distribution.locate_file("")))
    except NotImplementedError:
        return ""


def _described(distribution: Distribution) -> tuple[PackRecord, str]:
    """Return a record of the metadata of a distribution, and what cannot be read of them."""
    name, version = _stem_of(distribution)
    summary, requires = "", list[str]()
    points, fault = _points_of(distribution)
    try:
        metadata = distribution.metadata
        fields = {key: metadata.get_all(key) or [""] for key in ("Name", "Version", "Summary")}
        fault = fault or ("" if fields["Name"][0] else "METADATA has no Name")
        name = fields["Name"][0] or name
        version = fields["Version"][0] or version
        summary = fields["Summary"][0]
        requires = metadata.get_all("Requires-Dist") or []
    except Exception as error:  # noqa: BLE001 - metadata may contain anything
        fault = _unreadable("METADATA", error)
    record = PackRecord(
        id=normalised(name),
        name=name,
        version=version,
        summary=" ".join(summary.split()),
        entry_points=tuple(points),
        requires=tuple(requires),
        location=_location_of(distribution),
        modules=tuple(dict.fromkeys(each.module for each in points)),
    )
    return record, fault


def _points_of(distribution: Distribution) -> tuple[list[EntryPoint], str]:
    """Return the entry points in our groups, and why they cannot be read."""
    file = "entry_points.txt"
    try:
        text = distribution.read_text(file)
    except Exception as error:  # noqa: BLE001 - metadata may contain anything
        return [], _unreadable(file, error)
    points = [EntryPoint(group=g, name=n, value=v) for g, n, v in points_in(text or "")]
    return [each for each in points if each.group in GROUPS], "" if text else f"{file} is missing"


def _unreadable(file: str, error: Exception) -> str:
    return f"{file} cannot be read: {' '.join(str(error).split()) or type(error).__name__}"


def _checked(record: PackRecord, path: Sequence[str] | None) -> PackRecord:
    """Return a record, marked as broken if a module of its entry points does not exist."""
    policies = [entry.module for entry in record.offered("policy")]  # Of one, a file is read.
    for module in record.modules:
        try:
            found = find_module(module, path)
        except ModuleNotFoundError as error:
            fault = str(error)
        else:
            # Python imports what is left of a package, its folder, as an empty one.
            is_folder = found.origin is None and found.submodule_search_locations is not None
            fault = "it has no __init__.py" if is_folder and module not in policies else ""
        if fault:
            entry = next(each for each in record.entry_points if each.module == module)
            why = f"{entry.group} {entry.name} leads to {module}, and {fault}"
            return _broken(record, why, "target-missing")
    return record


def _broken(record: PackRecord, why: str, code: str) -> PackRecord:
    """Return a record marked as broken, with a problem for the reason and its ways out."""
    problem = Problem(
        code=code,
        message=f"{record.origin} is broken: {why}",
        origins=(record.origin,),
        ways_out=ways_out(
            record.id, f"install it again:  pip install --force-reinstall {record.id}"
        ),
    )
    return replace(record, status="broken", why=why, problems=(problem,))


def find_module(name: str, path: Sequence[str] | None = None) -> ModuleSpec:
    """Return the specification of a module.

    Args:
        name: Its dotted name.
        path: Folders and archives to search; by default, `sys.path`.

    Raises:
        ModuleNotFoundError: There is no such module, or no package that it would be in.
    """
    parts = name.split(".")
    # Editable installs may have a finder of their own for what is not in a package.
    finders = [each for each in sys.meta_path if hasattr(each, "find_spec")]
    search = None if path is None else list(path)
    spec = ModuleSpec(name, None)
    for depth, part in enumerate(parts, 1):
        # By its last part: with a dotted name, the import system would import the packages.
        specs = (finder.find_spec(part, search) for finder in finders)
        try:
            spec = next(filter(None, specs))
        except (StopIteration, ImportError, OSError, ValueError):
            missing = ".".join(parts[:depth])
            raise ModuleNotFoundError(f"there is no {missing}", name=missing) from None
        finders, search = [PathFinder], list(spec.submodule_search_locations or ())
    return spec
