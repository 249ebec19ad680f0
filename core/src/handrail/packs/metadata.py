"""Reads the metadata of a distribution, even if it is damaged.

Importing `importlib_metadata`, and the `email` parser with which it reads METADATA, takes 39 of the
158 ms of a cold `handrail packs` with 50 packs among 1000 distributions: 1.72 x one scan of them
with `importlib_metadata`, and 1.28 x with `plain` (`benchmarks/discovery.py`, Python 3.11). So
files in the usual form are read here, and all others by the library. The formats are specified by
PyPA's core metadata and entry points specifications.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any

import handrail
from handrail.packs.health import Health, owned
from handrail.packs.record import CORE, GROUPS, EntryPoint, PackRecord
from handrail.settings.pack_names import normalised
from handrail.settings.requirements import fits

_AT_ONCE = 1 << 16

# A header line, an entry point, and characters with a special meaning, which are not handled here.
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]*): ?(.*)")
_POINT = re.compile(r"([\w.-]+)\s*=\s*([\w.]+(?::[\w.]+)?)")
_SECTION = re.compile(r"\[([\w.-]+)\]")
_NEEDED = ("Metadata-Version", "Name", "Version", "Summary", "Requires-Dist")

# The name and the rest of a requirement, and signs that the rest is not just a range of versions.
_PARTS = re.compile(r"(?s)\s*([A-Za-z0-9][A-Za-z0-9._-]*)(.*)")
_MORE_THAN_A_RANGE = re.compile(r"[;@(\[]")


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
    distribution: Any,
    name: str,
    version: str,
    location: str,
    groups: Collection[str] = GROUPS,
) -> tuple[PackRecord, list[tuple[str, str]]]:
    """Return a record of the metadata, and what could not be read, as `(code, sentence)`.

    Args:
        distribution: The distribution.
        name: Its name, if METADATA has none.
        version: Its version, if METADATA has none.
        location: The folder or archive in which it is.
        groups: The groups of its entry points in the record.
    """
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
            if each.group in groups
        ]
    except Exception as error:  # noqa: BLE001 - metadata may contain anything
        faults.insert(0, ("metadata", f"entry_points.txt cannot be read: {_reason(error)}"))
        points = _salvaged(location, distribution, groups)
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


def _salvaged(location: str, distribution: Any, groups: Collection[str]) -> list[EntryPoint]:
    """Return the readable entry points of a damaged `entry_points.txt`."""
    place = getattr(distribution, "_path", location)
    points: list[EntryPoint] = []
    group = ""
    for line in bytes_of(f"{place}/entry_points.txt").decode(errors="replace").splitlines():
        name, equals, value = (part.strip() for part in line.partition("="))
        if line.strip().startswith("["):
            group = line.strip().strip("[]")
        elif equals and name and group in groups:
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


class PlainDistribution:
    """The part of `importlib_metadata.Distribution` that packs need.

    Attributes:
        metadata: The fields of METADATA.
        entry_points: The entry points of all groups.
    """

    requires = None

    def __init__(
        self, place: str, metadata: PlainMetadata, entry_points: Sequence[EntryPoint]
    ) -> None:
        self._path = place
        self.metadata = metadata
        self.entry_points = entry_points

    def read_text(self, name: str) -> str | None:
        """Return the text of a file in the folder, or None; raise UnicodeDecodeError if invalid."""
        try:
            return contents(f"{self._path}/{name}").decode().replace("\r\n", "\n")
        except OSError:
            return None


class PlainMetadata:
    """The part of `importlib_metadata`'s metadata that packs need."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def get(self, name: str) -> str | None:
        """Return the first value of a field, or None."""
        return next(iter(self._fields.get(name, ())), None)

    def get_all(self, name: str) -> list[str] | None:
        """Return all values of a field, or None if there are none."""
        return self._fields.get(name)


def plain(place: str) -> PlainDistribution | None:
    """Return the distribution with this metadata folder; None if it is not in the usual form."""
    if not place.endswith(".dist-info"):
        return None
    try:
        head, _, _ = contents(f"{place}/METADATA").partition(b"\n\n")
        fields = _fields(head.decode())
        points = _points(contents(f"{place}/entry_points.txt").decode())
    except (OSError, UnicodeDecodeError):
        return None
    if fields is None or points is None:
        return None
    return PlainDistribution(place, PlainMetadata(fields), points)


def _fields(head: str) -> dict[str, list[str]] | None:
    fields: dict[str, list[str]] = {}
    needed = False
    for line in head.rstrip("\n").split("\n"):
        if line[:1] in (" ", "\t"):
            if needed:
                return None  # A continuation line.
            continue
        found = _FIELD.fullmatch(line)
        if found is None:
            return None
        name, value = found.groups()
        needed = name in _NEEDED
        if needed:
            if not value or value != value.strip() or "=?" in value or not value.isprintable():
                return None
            fields.setdefault(name, []).append(value)
        elif name.title() in _NEEDED:
            return None  # Field names are case-insensitive.
    once = all(len(fields.get(name, ())) == 1 for name in ("Metadata-Version", "Name", "Version"))
    return fields if once else None


def _points(text: str) -> list[EntryPoint] | None:
    points: list[EntryPoint] = []
    group = ""
    for line in text.split("\n"):
        if not line or line.startswith("#"):
            continue
        section, point = _SECTION.fullmatch(line), _POINT.fullmatch(line)
        if section is not None:
            group = section[1]
        elif point is not None and group:
            points.append(EntryPoint(group=group, name=point[1], value=point[2]))
        else:
            return None
    return points


def unmet_range(requires: Iterable[str]) -> str:
    """Return the first range of `handrail` in `requires` that this core does not satisfy, or ""."""
    return next(filter(None, (_unmet(text, handrail.__version__) for text in requires)), "")


@lru_cache(maxsize=256)  # Many packs have the same requirement.
def _unmet(requirement: str, version: str) -> str:
    parts = _PARTS.fullmatch(requirement)
    if parts is None or normalised(parts[1]) != CORE:
        return ""
    specifiers = parts[2].strip()
    try:
        if _MORE_THAN_A_RANGE.search(specifiers):
            specifiers = _applying(requirement)
        return "" if fits(version, specifiers) else specifiers
    except ValueError:
        # An unreadable requirement is ignored; installers reject it anyway.
        return ""


def _applying(requirement: str) -> str:
    """Return the range of a requirement if it applies here without extras, or an empty string.

    Raises:
        ValueError: The requirement cannot be parsed.
    """
    # Imported here: it takes 14 ms more than `packaging.specifiers`, and few packs need it.
    from packaging.requirements import Requirement  # noqa: PLC0415

    wanted = Requirement(requirement)
    applies = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
    return str(wanted.specifier) if applies else ""
