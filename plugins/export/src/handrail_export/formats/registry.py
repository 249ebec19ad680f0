"""The available formats: entry points, and those of the project, listed without importing them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, cast

from handrail.errors import LocalCodeError, NotFoundError
from handrail.frozen import frozen
from handrail.local import local_objects
from handrail.suggest import did_you_mean
from handrail_export.errors import FormatError
from handrail_export.formats.format import CollectionFormat, Format, RowFormat
from handrail_export.names import listed

if TYPE_CHECKING:
    from handrail.local import LocalObject

GROUP = "handrail_export.formats"


@frozen
class Offer:
    """A format that a distribution or the project offers.

    Attributes:
        name: Its name for `--format`.
        pack: The distribution with its version, or `local` for the project.
        point: What loads it.
    """

    name: str
    pack: str
    point: EntryPoint | LocalObject


def offers() -> list[Offer]:
    """Return the formats that there are, by name; nothing is imported.

    Raises:
        SettingsError: The settings of the project are not valid.
    """
    found = [
        Offer(name=each.name, pack=_pack_of(each), point=each) for each in _installed(*sys.path)
    ]
    local = local_objects("formats").values()
    found += [Offer(name=each.name, pack="local", point=each) for each in local]
    return sorted(found, key=lambda each: (each.name, each.pack))


@lru_cache(maxsize=1)
def _installed(*_path: str) -> tuple[EntryPoint, ...]:
    """Return the formats of installed distributions; cached, since each search takes a while."""
    return tuple(entry_points(group=GROUP))


def _pack_of(point: EntryPoint) -> str:
    return "" if point.dist is None else f"{point.dist.name} {point.dist.version}"


def find_format(name: str) -> Format:
    """Return the format of that name.

    Raises:
        FormatError: There is no such format, several distributions offer it, or it cannot be used.
        SettingsError: The settings of the project are not valid.
        LocalCodeError: The file of the project that has it cannot be imported.
    """
    known = offers()
    found = [each for each in known if each.name == name]
    if not found:
        names = sorted({each.name for each in known})
        near = did_you_mean(name, names)
        raise FormatError(
            f"there is no format {name}{near and f'; {near}'}",
            ways_out=(f"formats: {listed(names)}", "handrail export formats lists them"),
        )
    if len(found) > 1:
        raise FormatError(
            f"the format {name} is offered by {' and '.join(each.pack for each in found)}",
            ways_out=("give one of them another name, or uninstall it",),
        )
    (offer,) = found
    who = f"the format {name} of {offer.pack}"
    try:
        loaded: object = offer.point.load()
        made = cast("object", loaded()) if isinstance(loaded, type) else loaded
    except (LocalCodeError, NotFoundError):
        raise
    except Exception as error:
        raise FormatError(
            f"{who} cannot be loaded: {type(error).__name__}: {error}",
            ways_out=(f"tell whoever maintains {offer.pack}",),
        ) from error
    if not isinstance(made, (RowFormat, CollectionFormat)):
        raise FormatError(f"{who} is neither a RowFormat nor a CollectionFormat")
    return made


def ending_of(name: str) -> str | None:
    """Return the name of the format for an ending such as `.csv`, or None."""
    known: Sequence[str] = [each.name for each in offers()]
    bare = name.rpartition(".")[2].lower() if "." in name else ""
    aliases = {"pq": "parquet", "ndjson": "jsonl", "feather": "arrow", "ipc": "arrow"}
    bare = aliases.get(bare, bare)
    return bare if bare in known else None
