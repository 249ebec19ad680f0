"""Reads the metadata of a distribution, even if it is damaged."""

from __future__ import annotations

import os
from typing import Any

from handrail.packs.health import Health, owned
from handrail.packs.record import GROUPS, EntryPoint, PackRecord
from handrail.packs.requirements import unmet_range
from handrail.settings.names import normalised

_AT_ONCE = 1 << 16


def bytes_of(file: str) -> bytes:
    """Return the contents of a file; `b""` if it cannot be read."""
    try:
        return contents(file)
    except OSError:
        return b""


def contents(file: str) -> bytes:
    """Return the contents of a file.

    Raises:
        OSError: The file cannot be read.
    """
    # Without file objects, a thousand small files are read in half the time.
    number = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        whole = b""
        while part := os.read(number, _AT_ONCE):
            whole += part
    finally:
        os.close(number)
    return whole


def stem_of(location: str, info: str) -> tuple[str, str]:
    """Return the name and the version in the name of a metadata folder."""
    stem = info.rpartition(".")[0]
    if info.lower() == "egg-info":
        stem = os.path.basename(location).rpartition(".")[0]
    name, _, rest = stem.partition("-")
    return name, rest.partition("-py")[0]


def text_of(distribution: Any, name: str) -> str | None:
    """Return the text of a metadata file of a distribution, or None."""
    try:
        text: str | None = distribution.read_text(name)
    except Exception:  # noqa: BLE001 - metadata may contain anything
        return None
    return text


def described(
    distribution: Any, name: str, version: str, location: str
) -> tuple[PackRecord, list[tuple[str, str]]]:
    """Return a record of the metadata, and what could not be read, as `(code, sentence)`."""
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
        # `distribution.requires` would work for eggs too, but parse METADATA again.
        listed = metadata.get_all("Requires-Dist")
        requires = tuple(distribution.requires or () if listed is None else listed)
    except Exception as error:  # noqa: BLE001 - metadata may contain anything
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
    except Exception as error:  # noqa: BLE001 - metadata may contain anything
        faults.insert(0, ("metadata", f"entry_points.txt cannot be read: {_reason(error)}"))
        points = _salvaged(location, distribution)
    record = PackRecord(
        id=normalised(name),
        name=name,
        version=version,
        summary="" if summary == "UNKNOWN" else " ".join(summary.split()),
        entry_points=tuple(points),
        requires=requires,
        unmet=unmet_range(requires),
        location=location,
    )
    return record, faults


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return " ".join(str(error).split()) or type(error).__name__


def _salvaged(location: str, distribution: Any) -> list[EntryPoint]:
    """Return the readable entry points of a damaged `entry_points.txt`."""
    place = getattr(distribution, "_path", location)
    points: list[EntryPoint] = []
    group = ""
    for line in bytes_of(f"{place}/entry_points.txt").decode(errors="replace").splitlines():
        name, equals, value = (part.strip() for part in line.partition("="))
        if line.strip().startswith("["):
            group = line.strip().strip("[]")
        elif equals and name and group in GROUPS:
            points.append(EntryPoint(group=group, name=name, value=value))
    return points


def packages_of(record: PackRecord, health: Health, distribution: Any) -> tuple[str, ...]:
    """Return the packages of a pack: from RECORD, `top_level.txt`, or else its entry points."""
    if health.packages:
        return health.packages
    declared = (text_of(distribution, "top_level.txt") or "").split()
    modules = owned(f"{entry.module.replace('.', '/')}.py" for entry in record.entry_points)
    tops = {module.partition(".")[0] for module in modules}
    return tuple(sorted({*declared, *modules, *tops}))
