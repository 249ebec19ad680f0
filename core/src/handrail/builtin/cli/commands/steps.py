"""`handrail steps`: the steps that packs offer; and how `handrail actions` lists what they do."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from handrail.amounts import plural
from handrail.builtin.cli.session import Session, session_of, takes_json, warn
from handrail.builtin.cli.view.table import Listing, names, pack_cell, reasons, versions
from handrail.builtin.project.docstrings import description_of

if TYPE_CHECKING:
    from handrail.packs import EntryPoint, PackRecord


@click.command()
@click.option(
    "--all", "show_all", is_flag=True, help="Include steps of packs that are off or broken."
)
@takes_json
@click.pass_context
def steps(ctx: click.Context, show_all: bool) -> None:
    """List the steps that packs offer.

    Reads metadata and imports nothing. If several packs offer a step, name the pack too:
    `acme-scan:scan_files`.
    """
    session = session_of(ctx)
    if not session.json:
        warn(session)
    session.show(_all(session, show_all=show_all or session.json))


def _all(session: Session, *, show_all: bool) -> Listing:
    offered = session.packs.catalog.offers("steps")
    if not offered:
        none = none_found("no installed pack offers steps")
        return Listing(json=lambda: {"steps": []}, title=none)
    shown = [(record, entry) for record, entry in offered if show_all or record.status != "off"]
    count = f"{len(shown)} of {plural(len(offered), 'step')}"
    more = " (--all)" if len(shown) < len(offered) else ""
    owners = len({record.id for record, _ in offered if not record.is_local})
    foot = f"{count}{more} · {plural(owners, 'pack')}, none imported · {environment()}"
    return offers_listing("steps", shown, foot)


def offers_listing(
    kind: str,
    offers: Sequence[tuple[PackRecord, EntryPoint]],
    foot: str,
) -> Listing:
    """Return the listing of offers.

    Args:
        kind: What is offered: `actions` or `steps`.
        offers: The offers, each with its pack.
        foot: The line below.
    """
    return Listing(
        json=lambda: {kind: [offer_to_dict(record, entry) for record, entry in offers]},
        head=(
            names(kind.upper().removesuffix("S")),
            reasons("STATUS"),
            names("PACK"),
            versions(),
            names("DOES"),
        ),
        rows=(
            (
                entry.name,
                _status(record),
                pack_cell(record.id),
                record.version,
                description_of(record, entry) or "-",
            )
            for record, entry in offers
        ),
        foot=[foot],
    )


def _status(record: PackRecord) -> str:
    if record.status == "off":
        return f"off {record.why}"
    if record.status in ("broken", "incompatible"):
        return f"{record.status}: see doctor"
    return record.status


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
