"""`handrail packs`: what is installed, and why each pack is on or off."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

import click

from handrail.cli.session import Session, session_of, warn
from handrail.cli.view.text import plural, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handrail.packs.record import EntryPoint, PackRecord

STYLES = {
    "on": "green",
    "off": "dim",
    "broken": "red",
    "incompatible": "red",
    "required": "green",
    "policy": "cyan",
}


def names(entries: Sequence[EntryPoint]) -> str:
    """Return up to three names of entry points, or their number, or a dash."""
    listed = [entry.name for entry in entries]
    if not listed:
        return "-"
    return ", ".join(listed) if len(listed) <= 2 else str(len(listed))


def to_dict(record: PackRecord) -> dict[str, object]:
    """Return the JSON form of a pack in a listing."""
    return {
        "id": record.id,
        "name": record.id,
        "version": record.version,
        "summary": record.summary,
        "status": record.status,
        "why": record.why,
        "actions": [each.name for each in record.actions],
        "steps": [each.name for each in record.steps],
        "commands": [each.name for each in record.commands],
        "hooks": [each.value for each in record.hooks],
        "location": record.location,
        "problems": [problem.to_dict() for problem in record.problems],
    }


def offer_to_dict(record: PackRecord, entry: EntryPoint) -> dict[str, object]:
    """Return the JSON form of an action or a step in a listing."""
    # Not for listing packs.
    from handrail.packs.local import description_of  # noqa: PLC0415

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


@click.command()
@click.option("--hooks", is_flag=True, help="Load the packs that are on, and list their hooks.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_context
def packs(ctx: click.Context, hooks: bool, as_json: bool) -> None:
    """List the installed packs, and why each is on or off.

    Reads what is installed, and imports none of it, so it works with broken packs too. With --hooks
    it imports those that are on, one by one, and shows which hooks each has, with file and line.

    \b
    on            used, unless a flag, a variable or the project says otherwise
    required      the project or a policy wants it; nothing can be run without it
    policy        says what is required of every project, and stands above flags and settings
    off           WHY has the flag, the variable or the line that says so
    broken        cannot be read or imported; `handrail doctor` has the reason
    incompatible  made for another version of handrail
    """  # noqa: D301 - the escape tells click to keep the lines
    session = session_of(ctx)
    records = session.packs.records
    if hooks:
        from handrail.cli.hooks import show_hooks  # noqa: PLC0415 - it loads packs

        show_hooks(session, as_json=as_json)
        return
    if as_json:
        session.console.json({"packs": [to_dict(record) for record in records]})
        return
    warn(session)
    if not records:
        show_none(session, "no packs are installed")
        return
    rows = [
        (
            record.id,
            record.version or "?",
            names(record.actions),
            str(len(record.steps) or "-"),
            names(record.commands),
            record.status,
            record.why,
        )
        for record in records
    ]
    head = ("PACK", "VERSION", "ACTIONS", "STEPS", "COMMANDS", "STATUS", "WHY")
    lines = table(head, rows)
    session.console.print(lines[0])
    for record, line in zip(records, lines[1:], strict=True):
        style = STYLES.get(record.status)
        text = line
        if style is not None and style != "green":
            text = session.console.style(line, style)
        session.console.print(text)
    session.console.print(f"{plural(len(records), 'pack')}, none imported · {where()}")
    if any(record.status in ("broken", "incompatible") for record in records):
        session.console.print("what is wrong, and what to do:  handrail doctor")


def show_none(session: Session, what: str) -> None:
    """Say that there is nothing to list, where it was looked for, and how to get some."""
    session.console.print(what)
    session.console.print(f"searched {where()}")
    session.console.print("packs are called handrail-...; install one with pip")


def where() -> str:
    """Return the environment that was searched, and its Python."""
    return f"{sys.prefix} · Python {platform.python_version()}"
