"""`handrail steps`: the steps that packs offer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from handrail.cli.commands.packs import offer_to_dict, show_none, where
from handrail.cli.session import Session, session_of, warn
from handrail.cli.view.text import plural, table
from handrail.packs.local import description_of

if TYPE_CHECKING:
    from handrail.packs.record import PackRecord


def _status(record: PackRecord) -> str:
    if record.status == "off":
        return f"off {record.why}"
    if record.status in ("broken", "incompatible"):
        return f"{record.status}: see doctor"
    return record.status


def _complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    offered = session_of(ctx).packs.catalog.offers("steps")
    return [entry.name for _, entry in offered if entry.name.startswith(incomplete)]


@click.command()
@click.argument("name", required=False, shell_complete=_complete)
@click.option("--all", "show_all", is_flag=True, help="Also those of packs that are off or broken.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_context
def steps(ctx: click.Context, name: str | None, show_all: bool, as_json: bool) -> None:
    """List the steps that packs offer; with NAME show one of them.

    Reads what is installed, and imports none of it. A step of several packs is named with its pack,
    `acme-scan:scan_files`.
    """
    session = session_of(ctx)
    if name is not None:
        _show(session, name, as_json=as_json)
        return
    offered = session.packs.catalog.offers("steps")
    shown = [
        (record, entry)
        for record, entry in offered
        if show_all or as_json or record.status != "off"
    ]
    if as_json:
        listed = [offer_to_dict(record, entry) for record, entry in shown]
        session.console.json({"steps": listed})
        return
    warn(session)
    if not offered:
        show_none(session, "no installed pack offers steps")
        return
    rows = [
        (
            entry.name,
            record.id,
            record.version,
            description_of(record, entry) or "-",
            _status(record),
        )
        for record, entry in shown
    ]
    for line in table(("STEP", "PACK", "VERSION", "DOES", "STATUS"), rows):
        session.console.print(line)
    count = f"{len(shown)} of {plural(len(offered), 'step')}"
    more = " (--all)" if len(shown) < len(offered) else ""
    owners = len({record.id for record, _ in offered if not record.is_local})
    session.console.print(f"{count}{more} · {plural(owners, 'pack')}, none imported · {where()}")


def _show(session: Session, name: str, *, as_json: bool) -> None:
    record, entry = session.packs.catalog.find("steps", name)
    if as_json:
        session.console.json(offer_to_dict(record, entry))
        return
    console = session.console
    console.print(console.style(entry.name, "bold"))
    console.print(f"  {description_of(record, entry) or 'no description'}")
    console.print(f"  from     {record.why if record.is_local else record.origin}")
    console.print(f"  status   {_status(record)}")
    console.print(f"  is       {entry.value}")
    console.print(f"  in full  {record.id}:{entry.name}")
