"""The available formats: entry points, and those of the project, listed without importing them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, cast

from handrail.errors import LocalCodeError, NotFoundError
from handrail.frozen import frozen, values_of
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
        pack: The distribution, `local` for the project, or "" if unknown.
        version: Its version.
        leads_to: Location of the format, as `module:name`.
    """

    name: str
    pack: str
    version: str
    leads_to: str

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form, with the same keys as the attributes."""
        return values_of(self)


def offers() -> list[Offer]:
    """Return the formats that there are, by name; nothing is imported.

    Raises:
        SettingsError: The settings of the project are not valid.
    """
    return sorted(_found(), key=lambda each: (each.name, each.pack))


def _found() -> dict[Offer, EntryPoint | LocalObject]:
    found: dict[Offer, EntryPoint | LocalObject] = dict(_installed(tuple(sys.path)))
    for each in local_objects("formats").values():
        offer = Offer(name=each.name, pack="local", version="", leads_to=each.target)
        found[offer] = each
    return found


def find_format(name: str) -> Format:
    """Return the format of that name.

    Raises:
        FormatError: There is no such format, several distributions offer it, or it cannot be used.
        SettingsError: The settings of the project are not valid.
        LocalCodeError: The file of the project that has it cannot be imported.
    """
    found = {offer: each for offer, each in _found().items() if offer.name == name}
    if not found:
        known = sorted({each.name for each in offers()})
        near = did_you_mean(name, known)
        raise FormatError(
            f"there is no format {name}{near and f'; {near}'}",
            ways_out=(f"formats: {listed(known)}", "handrail export formats lists them"),
        )
    if len(found) > 1:
        who = " and ".join(f"{each.pack} {each.version}".rstrip() for each in found)
        raise FormatError(
            f"the format {name} is offered by {who}",
            ways_out=("give one of them another name, or uninstall it",),
        )
    ((offer, point),) = found.items()
    return _load(point, offer)


def _load(point: EntryPoint | LocalObject, offer: Offer) -> Format:
    who = f"the format {offer.name} of {offer.pack} {offer.version}".rstrip()
    try:
        loaded: object = point.load()
        made = cast("object", loaded()) if isinstance(loaded, type) else loaded
    except (LocalCodeError, NotFoundError):
        raise
    except Exception as error:
        raise FormatError(
            f"{who} cannot be loaded: {type(error).__name__}: {error}",
            ways_out=(f"tell whoever maintains {offer.pack}: {offer.leads_to}",),
        ) from error
    if not isinstance(made, (RowFormat, CollectionFormat)):
        raise FormatError(
            f"{who} is neither a RowFormat nor a CollectionFormat: {offer.leads_to}",
        )
    return made


def ending_of(name: str) -> str | None:
    """Return the name of the format for an ending such as `.csv`, or None."""
    known: Sequence[str] = [each.name for each in offers()]
    bare = name.rpartition(".")[2].lower() if "." in name else ""
    aliases = {"pq": "parquet", "ndjson": "jsonl", "feather": "arrow", "ipc": "arrow"}
    bare = aliases.get(bare, bare)
    return bare if bare in known else None


@lru_cache(maxsize=1)
def _installed(_path: tuple[str, ...]) -> Mapping[Offer, EntryPoint]:
    """Return the formats of installed distributions; cached, since each search takes a while."""
    return {_offer(point): point for point in entry_points(group=GROUP)}


def _offer(point: EntryPoint) -> Offer:
    dist = point.dist
    return Offer(
        name=point.name,
        pack="" if dist is None else str(dist.name),
        version="" if dist is None else str(dist.version),
        leads_to=point.value,
    )
