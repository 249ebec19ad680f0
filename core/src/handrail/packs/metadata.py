"""Reads the metadata of a distribution with importlib-metadata, even if they are damaged."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import handrail
from handrail.own_points import CORE, points_in
from handrail.packs.pack_names import fits, normalised
from handrail.packs.record import GROUPS, EntryPoint, PackRecord

if TYPE_CHECKING:
    # It has the same names, and types.
    from importlib.metadata import Distribution, MetadataPathFinder
else:
    from importlib_metadata import Distribution, MetadataPathFinder

# The name in a requirement, and signs that the rest is not just a range of versions.
_NAME = re.compile(r"\s*[A-Za-z0-9][A-Za-z0-9._-]*\s*")
_MORE_THAN_A_RANGE = re.compile(r"[;@(\[]")


def distributions(path: Sequence[str], name: str | None = None) -> Iterable[Distribution]:
    """Return the distributions on a path, in its order.

    Args:
        path: Folders and archives.
        name: Of which name; None for all, as they are now and not as they were found before.
    """
    if name is None:
        MetadataPathFinder.invalidate_caches()  # They miss the second change within one tick.
    return Distribution.discover(name=name, path=list(path))


def searched(path: Sequence[object] | None = None) -> list[str]:
    """Return the folders and archives of a path that exist, each once: `lib64` may be a link.

    Args:
        path: The path; by default, `sys.path`, in which there may be anything.
    """
    texts = (each for each in (sys.path if path is None else path) if isinstance(each, str))
    places = [place for each in texts if os.path.exists(place := os.path.abspath(each))]
    return list({os.path.realpath(place): place for place in reversed(places)}.values())[::-1]


def text_of(distribution: Distribution, name: str) -> str | None:
    """Return the text of a metadata file of a distribution, or None if it cannot be read."""
    try:
        return distribution.read_text(name)
    except Exception:  # noqa: BLE001 - metadata may contain anything
        return None


def location_of(distribution: Distribution) -> str:
    """Return the folder or archive in which a distribution is; `""` if only its finder knows."""
    try:
        return os.path.normpath(str(distribution.locate_file("")))
    except NotImplementedError:
        return ""


def described(distribution: Distribution) -> tuple[PackRecord, list[str]]:
    """Return a record of the metadata of a distribution, and a sentence for each damage."""
    faults: list[str] = []
    name, version = stem_of(distribution)
    summary, requires = "", ()
    try:
        metadata = distribution.metadata
        given = {field: metadata.get_all(field) or [""] for field in ("Name", "Version", "Summary")}
        if not given["Name"][0]:
            missing = metadata.get_all("Metadata-Version") is None
            faults.append(f"METADATA {'is missing' if missing else 'has no Name'}")
        name = given["Name"][0] or name
        version = given["Version"][0] or version
        summary = given["Summary"][0]
        # `distribution.requires` is for eggs too, but would parse METADATA again.
        requires = tuple(metadata.get_all("Requires-Dist") or distribution.requires or ())
    except Exception as error:  # noqa: BLE001 - metadata may contain anything
        faults.append(f"METADATA cannot be read: {_reason(error)}")
    points, fault = _points_of(distribution)
    record = PackRecord(
        id=normalised(name),
        name=name,
        version=version,
        summary="" if summary == "UNKNOWN" else " ".join(summary.split()),
        entry_points=tuple(
            EntryPoint(group=group, name=name, value=value)
            for group, name, value in points
            if group in GROUPS
        ),
        requires=requires,
        unmet=unmet_range(requires),
        location=location_of(distribution),
    )
    return record, [*([fault] if fault else []), *faults]


def _points_of(distribution: Distribution) -> tuple[list[tuple[str, str, str]], str]:
    """Return group, name and value of each entry point, and a sentence about damage."""
    try:
        if distribution.read_text("entry_points.txt") is None:
            raise OSError("it is missing or no file")
        return [(each.group, each.name, each.value) for each in distribution.entry_points], ""
    except Exception as error:  # noqa: BLE001 - metadata may contain anything
        return _salvaged(distribution), f"entry_points.txt cannot be read: {_reason(error)}"


def _folder_of(distribution: Distribution) -> Path:
    """Return the folder with the metadata; the library has no public name for it."""
    return Path(str(getattr(distribution, "_path", "")))


def stem_of(distribution: Distribution) -> tuple[str, str]:
    """Return the name and the version in the name of a metadata folder."""
    folder = _folder_of(distribution)
    named = folder.parent if folder.name.lower() == "egg-info" else folder
    name, _, rest = named.stem.partition("-")
    return name, rest.partition("-py")[0]


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return " ".join(str(error).split()) or type(error).__name__


def _salvaged(distribution: Distribution) -> list[tuple[str, str, str]]:
    """Return the readable entry points of a damaged `entry_points.txt`."""
    try:
        text = (_folder_of(distribution) / "entry_points.txt").read_text(errors="replace")
    except OSError:
        return []
    return points_in(text)


def unmet_range(requires: Iterable[str]) -> str:
    """Return the first range of `handrail` in `requires` that this core does not satisfy, or ""."""
    for text in requires:
        name = _NAME.match(text)
        if name is not None and normalised(name[0]) == CORE:
            specifiers = text[name.end() :]
            try:
                if _MORE_THAN_A_RANGE.search(specifiers):
                    specifiers = _applying(text)
                if not fits(handrail.__version__, specifiers):
                    return specifiers
            except ValueError:
                continue  # Installers reject it anyway.
    return ""


def _applying(requirement: str) -> str:
    """Return the range of a requirement if it applies here without extras, or an empty string.

    Raises:
        ValueError: The requirement cannot be parsed.
    """
    # It takes longer to import than all else that a listing needs, and few packs need it.
    from packaging.requirements import Requirement  # noqa: PLC0415

    wanted = Requirement(requirement)
    applies = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
    return str(wanted.specifier) if applies else ""
