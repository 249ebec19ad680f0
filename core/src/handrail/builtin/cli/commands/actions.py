"""`handrail actions`: the actions that can be run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from handrail.amounts import plural
from handrail.builtin.cli.commands.steps import offers_listing
from handrail.builtin.cli.session import session_of, takes_json, warn
from handrail.builtin.cli.view.table import Listing

if TYPE_CHECKING:
    from handrail.builtin.cli.session import Session


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
    if not offers:
        none = "no installed pack brings an action"
        own = "run one of your own:  handrail run flows.py:NAME"
        return Listing(json=lambda: {"actions": []}, title=(none, own))
    used = next((entry.name for record, entry in offers if record.is_used), None)
    hint = "" if used is None else f" · run one:  handrail run {used}"
    foot = f"{plural(len(offers), 'action')}{hint}"
    return offers_listing("actions", offers, foot)
