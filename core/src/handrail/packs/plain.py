"""Reads metadata folders in their usual form, without the `email` parser.

Importing `importlib_metadata`, and the `email` parser with which it reads METADATA, takes 39 of the
158 ms of a cold `handrail packs` with 50 packs among 1000 distributions: 1.72 x one scan of them
with `importlib_metadata`, and 1.28 x with this module (`benchmarks/discovery.py`, Python 3.11). So
files in the usual form are read here, and all others by the library. The formats are specified by
PyPA's core metadata and entry points specifications.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from handrail.packs.metadata import contents
from handrail.packs.record import EntryPoint

# A header line, an entry point, and characters with a special meaning, which are not handled here.
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]*): ?(.*)")
_POINT = re.compile(r"([\w.-]+)\s*=\s*([\w.]+(?::[\w.]+)?)")
_SECTION = re.compile(r"\[([\w.-]+)\]")
_NEEDED = ("Metadata-Version", "Name", "Version", "Summary", "Requires-Dist")


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
