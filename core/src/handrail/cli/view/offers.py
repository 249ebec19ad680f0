"""Offers of packs in listings: an action or a step as JSON, and where packs were looked for."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

from handrail.packs.local import description_of

if TYPE_CHECKING:
    from handrail.packs.record import EntryPoint, PackRecord


def offer_to_dict(record: PackRecord, entry: EntryPoint) -> dict[str, object]:
    """Return the JSON form of an action or a step in a listing."""
    return {
        "id": f"{record.id}:{entry.name}",
        "name": entry.name,
        "pack": record.id,
        "version": record.version,
        "does": description_of(record, entry),
        "target": entry.value,
        "status": record.status,
        "why": record.why,
    }


def environment() -> str:
    """Return the environment in which packs are looked for, and its Python."""
    return f"{sys.prefix} · Python {platform.python_version()}"


def none_found(what: str) -> tuple[str, ...]:
    """Return the lines for an empty listing: the searched places, and how to install packs."""
    return (
        what,
        f"searched {environment()}",
        "packs are called handrail-...; install one with pip",
    )
