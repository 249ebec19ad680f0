"""Finds the installed packs by the metadata of all distributions on the path; imports none."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from handrail.errors import Problem
from handrail.frozen import frozen, replace
from handrail.own_points import CORE
from handrail.packs.health import broken, check_files, listed_files, owned
from handrail.packs.metadata import (
    described,
    distributions,
    location_of,
    searched,
    stem_of,
    text_of,
)
from handrail.packs.record import PREFIX, PackRecord

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_SECTION = re.compile(rf"^\s*\[\s*{re.escape(PREFIX)}", re.MULTILINE)


@frozen
class _Installed:
    """A distribution that is a pack, or would be if its metadata could be read.

    Attributes:
        record: Its record.
        gone: Files that its RECORD lists and that do not exist.
    """

    record: PackRecord
    gone: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it is missing or damaged."""
        return self.record.status == "on" and not self.gone


def read_packs(path: Sequence[str] | None = None) -> tuple[PackRecord, ...]:
    """Return a record of every installed pack, sorted by id; its status is `on` or `broken` here.

    Args:
        path: Folders and archives to search; by default, `sys.path`.
    """
    found = searched(path)
    packs: dict[str, list[_Installed]] = {}
    for distribution in distributions(found):
        # pip renames what it removes to a name that begins with a tilde.
        name = stem_of(distribution)[0]
        if name != CORE and _is_ours(distribution) and not name.startswith("~"):
            installed = _read(distribution)
            packs.setdefault(installed.record.id, []).append(installed)
    records: list[PackRecord] = []
    for name, same in sorted(packs.items()):
        # An earlier distribution of the same name, even if not a pack, hides this one.
        first = next(iter(distributions(found, name)), None)
        if first is None or location_of(first) == same[0].record.location:
            records.append(_judged(same, path))
    return tuple(each for each in records if each.entry_points or each.problems)


def _is_ours(distribution: Distribution) -> bool:
    """Return whether a distribution is a pack, or a pack that has lost its entry points."""
    text = text_of(distribution, "entry_points.txt")
    if text is not None:
        return PREFIX in text and _SECTION.search(text) is not None
    has_some = "/entry_points.txt" in (text_of(distribution, "RECORD") or "")
    return has_some and "\nRequires-Dist: handrail" in (text_of(distribution, "METADATA") or "")


def _read(distribution: Distribution) -> _Installed:
    record, faults = described(distribution)
    files = listed_files(text_of(distribution, "RECORD") or "")
    gone = [name for name in files if not os.path.lexists(f"{record.location}/{name}")]
    record = replace(record, packages=owned(files) or _packages_of(record, distribution))
    for fault in faults:
        record = broken(record, fault, code="metadata")
    # An archive has its files inside.
    return _Installed(record=record, gone=tuple(gone) if os.path.isdir(record.location) else ())


def _packages_of(record: PackRecord, distribution: Distribution) -> tuple[str, ...]:
    """Return the packages of a pack without RECORD: from `top_level.txt` and its entry points."""
    declared = (text_of(distribution, "top_level.txt") or "").split()
    modules = owned(f"{entry.module.replace('.', '/')}.py" for entry in record.entry_points)
    return tuple(sorted({*declared, *modules, *(each.partition(".")[0] for each in modules)}))


def _judged(installed: Sequence[_Installed], path: Sequence[str] | None) -> PackRecord:
    """Return the record of the first of these distributions of one name, with all problems."""
    location = installed[0].record.location
    here = [each for each in installed if each.record.location == location]
    chosen = here[0] if len(here) == 1 else _one_of(here)
    record = chosen.record
    if record.status == "on":
        record = check_files(record, chosen.gone, path)
    for other in (each.record for each in installed[len(here) :]):
        if other.entry_points != record.entry_points:
            record = replace(record, problems=(*record.problems, _hides(record, other)))
    return record


def _one_of(group: Sequence[_Installed]) -> _Installed:
    """Return the intact one of several distributions of a name in a folder, if there is one."""
    whole = [each for each in group if each.is_whole]
    versions = " and ".join(sorted({each.record.version or "?" for each in group}))
    if len(whole) == 1:
        record = whole[0].record
        leftover = Problem(
            code="leftover-metadata",
            message=f"{record.origin}: there is metadata of {versions} in one folder",
            origins=(record.origin,),
            ways_out=(f"pip install --force-reinstall {record.id}",),
        )
        return replace(whole[0], record=replace(record, problems=(leftover,)))
    record = replace(group[0].record, version=versions)
    why = f"there are two of it in one folder: {versions}"
    return replace(group[0], record=broken(record, why, code="two-versions"))


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
