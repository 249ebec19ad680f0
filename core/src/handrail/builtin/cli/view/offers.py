"""Offers of packs in listings: an action or a step as JSON, and where packs were looked for."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from handrail.builtin.cli.view.listing import Listing
from handrail.builtin.cli.view.table import descriptions, names, pack_cell, reasons, versions
from handrail.builtin.project.local_names import description_of

if TYPE_CHECKING:
    from handrail.packs import EntryPoint, PackRecord


def offers_listing(
    kind: str,
    offers: Sequence[tuple[PackRecord, EntryPoint]],
    *,
    state: Callable[[PackRecord], str],
    foot: str,
) -> Listing:
    """Return the listing of offers.

    Args:
        kind: What is offered: `actions` or `steps`.
        offers: The offers, each with its pack.
        state: Returns what stands in the column STATUS.
        foot: The line below.
    """
    return Listing(
        json=lambda: {kind: [offer_to_dict(record, entry) for record, entry in offers]},
        head=(
            names(kind.upper().removesuffix("S")),
            reasons("STATUS"),
            names("PACK"),
            versions(),
            descriptions("DOES"),
        ),
        rows=(
            (
                entry.name,
                state(record),
                pack_cell(record.id),
                record.version,
                description_of(record, entry) or "-",
            )
            for record, entry in offers
        ),
        foot=[foot],
    )


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
