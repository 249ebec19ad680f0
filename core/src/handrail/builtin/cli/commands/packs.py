"""`handrail packs`: the installed packs, and why each is on or off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from handrail.amounts import plural
from handrail.builtin.cli.command_group import as_typed
from handrail.builtin.cli.commands.steps import environment, none_found
from handrail.builtin.cli.session import session_of, takes_json, warn
from handrail.builtin.cli.view.table import Listing, counts, names, pack_cell, reasons, versions
from handrail.frozen import as_json

if TYPE_CHECKING:
    from handrail.packs import PackRecord

_STYLES = {"off": "dim", "broken": "red", "incompatible": "red", "policy": "cyan"}
_NONE = "no packs are installed"
_BROKEN = "what is wrong, and what to do:  handrail doctor"


@click.command()
@takes_json
@click.pass_context
def packs(ctx: click.Context) -> None:
    """List the installed packs, and why each is on or off.

    Reads metadata and imports nothing, so it works with broken packs too.

    \b
    on            used, unless a flag, a variable or the project says otherwise
    required      required by the project or a policy; without it, nothing runs
    policy        contains rules for every project, above flags and settings
    off           switched off by the flag, the variable or the line under WHY
    broken        cannot be read or imported; `handrail doctor` has the reason
    incompatible  made for another version of handrail
    """  # noqa: D301 - the escape tells click to keep the lines
    session = session_of(ctx)
    if not session.json:
        warn(session)
    session.show(_packs(session.packs.records))


def _packs(records: Sequence[PackRecord]) -> Listing:
    def json() -> dict[str, object]:
        return {"packs": [_to_dict(record) for record in records]}

    if not records:
        return Listing(json=json, title=none_found(_NONE))
    broken = any(record.status in ("broken", "incompatible") for record in records)
    count = f"{plural(len(records), 'pack')}, none imported · {environment()}"
    return Listing(
        json=json,
        head=(
            names("PACK"),
            counts("STATUS"),
            versions(),
            names("ACTIONS"),
            counts("STEPS"),
            names("COMMANDS"),
            reasons("WHY"),
        ),
        rows=(
            (
                pack_cell(record.id),
                record.status,
                record.version or "?",
                _names([each.name for each in record.offered("actions")]),
                str(len(record.offered("steps")) or "-"),
                _names([as_typed(each.name) for each in record.offered("commands")]),
                record.why,
            )
            for record in records
        ),
        styles=[_STYLES.get(record.status, "") for record in records],
        foot=(count, _BROKEN) if broken else (count,),
    )


def _names(names: Sequence[str]) -> str:
    """Return up to two names, or their number, or a dash."""
    return (", ".join(names) if len(names) <= 2 else str(len(names))) or "-"


def _to_dict(record: PackRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "name": record.id,
        "version": record.version,
        "summary": record.summary,
        "status": record.status,
        "why": record.why,
        "actions": [each.name for each in record.offered("actions")],
        "steps": [each.name for each in record.offered("steps")],
        "commands": [each.name for each in record.offered("commands")],
        "hooks": [each.value for each in record.hooks],
        "location": record.location,
        "problems": as_json(record.problems),
    }
