"""`handrail actions`: the actions that can be run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from handrail.amounts import plural
from handrail.cli.session import session_of, takes_json, warn
from handrail.cli.view.listing import Listing
from handrail.cli.view.offers import offer_to_dict
from handrail.cli.view.table import descriptions, names, pack_cell, reasons, versions
from handrail.packs.local import description_of

if TYPE_CHECKING:
    from handrail.cli.session import Session


@click.command()
@takes_json
@click.pass_context
def actions(ctx: click.Context) -> None:
    """List the actions that can be run.

    Reads metadata and the project's settings, and imports nothing. Your own actions in other files
    or modules are not listed: run them by name, `handrail run flows.py:nightly`.
    """
    session = session_of(ctx)
    warn(session)
    session.show(_listing(session))


def _listing(session: Session) -> Listing:
    offers = session.packs.catalog.offers("actions")

    def json() -> dict[str, object]:
        return {"actions": [offer_to_dict(record, entry) for record, entry in offers]}

    if not offers:
        none = "no installed pack brings an action"
        return Listing(json=json, title=(none, "run one of your own:  handrail run flows.py:NAME"))
    used = next((entry.name for record, entry in offers if record.is_used), None)
    hint = "" if used is None else f" · run one:  handrail run {used}"
    return Listing(
        json=json,
        head=(
            names("ACTION"),
            reasons("STATUS"),
            names("PACK"),
            versions(),
            descriptions("DOES"),
        ),
        rows=(
            (
                entry.name,
                record.status if record.is_used else f"{record.status} {record.why}",
                pack_cell(record.id),
                record.version,
                description_of(record, entry) or "-",
            )
            for record, entry in offers
        ),
        foot=[f"{plural(len(offers), 'action')}{hint}"],
    )
