"""`handrail packs`: the installed packs, why each is on or off, and their hooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from handrail.amounts import plural
from handrail.builtin.cli.command_group import as_typed
from handrail.builtin.cli.commands.steps import environment, none_found
from handrail.builtin.cli.session import Session, session_of, takes_json, warn
from handrail.builtin.cli.view.table import (
    Listing,
    Row,
    counts,
    names,
    pack_cell,
    reasons,
    versions,
)
from handrail.builtin.cli.view.text import one_line
from handrail.errors import PackError, SettingsError, describe
from handrail.frozen import as_json, frozen

if TYPE_CHECKING:
    from handrail.packs import PackRecord
    from handrail.packs.loader import Hook

_STYLES = {"off": "dim", "broken": "red", "incompatible": "red", "policy": "cyan"}
_NONE = "no packs are installed"
_BROKEN = "what is wrong, and what to do:  handrail doctor"


@frozen
class _Loaded:
    """A pack, its hooks in the order of its source, and why they cannot be used."""

    record: PackRecord
    hooks: tuple[Hook, ...] = ()
    error: PackError | SettingsError | None = None


@click.command()
@click.option("--hooks", is_flag=True, help="Import the packs that are on, and list their hooks.")
@takes_json
@click.pass_context
def packs(ctx: click.Context, hooks: bool) -> None:
    """List the installed packs, and why each is on or off.

    Reads metadata and imports nothing, so it works with broken packs too. With --hooks it imports
    the packs that are on, one by one, and shows the hooks of each, with file and line.

    \b
    on            used, unless a flag, a variable or the project says otherwise
    required      required by the project or a policy; without it, nothing runs
    policy        contains rules for every project, above flags and settings
    off           switched off by the flag, the variable or the line under WHY
    broken        cannot be read or imported; `handrail doctor` has the reason
    incompatible  made for another version of handrail
    """  # noqa: D301 - the escape tells click to keep the lines
    session = session_of(ctx)
    records = session.packs.records
    listing = _hooks([_load(session, each) for each in records]) if hooks else _packs(records)
    if not session.json:
        warn(session)
    session.show(listing)


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
                _names([each.name for each in record.actions]),
                str(len(record.steps) or "-"),
                _names([as_typed(each.name) for each in record.commands]),
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
        "actions": [each.name for each in record.actions],
        "steps": [each.name for each in record.steps],
        "commands": [each.name for each in record.commands],
        "hooks": [each.value for each in record.hooks],
        "location": record.location,
        "problems": as_json(record.problems),
    }


def _load(session: Session, record: PackRecord) -> _Loaded:
    """Load a pack by itself, if it is on and has hooks; a broken one is returned as such."""
    from handrail.packs.loader import load  # noqa: PLC0415 - a listing imports no pack

    if not record.is_used or not record.hooks:
        return _Loaded(record=record)
    try:
        hooks = load(record, session.packs.configuration.table(record)).hooks.values()
    except (PackError, SettingsError) as error:
        return _Loaded(record=record, error=error)
    return _Loaded(record=record, hooks=tuple(sorted(hooks, key=lambda hook: hook.origin.line)))


def _hooks(packs: Sequence[_Loaded]) -> Listing:
    def json() -> dict[str, object]:
        return {"packs": [_hooks_to_dict(each) for each in packs]}

    if not packs:
        return Listing(json=json, title=none_found(_NONE))
    imported = sum(bool(each.hooks) for each in packs)
    count = f"{plural(len(packs), 'pack')}, {imported} imported · {environment()}"
    broken = any(each.error is not None or each.record.problems for each in packs)
    return Listing(
        json=json,
        head=(names("PACK"), versions(), names("HOOK"), reasons("WHERE")),
        rows=[row for each in packs for row in _hook_rows(each)],
        foot=(count, _BROKEN) if broken else (count,),
    )


def _hook_rows(pack: _Loaded) -> list[Row]:
    record = pack.record
    first = (pack_cell(record.id), record.version or "?")
    if pack.hooks:
        return [
            (*(first if number == 0 else ("", "")), hook.name, hook.origin.place)
            for number, hook in enumerate(pack.hooks)
        ]
    if pack.error is not None:
        cause = pack.error.__cause__
        why = f"broken: {one_line(describe(cause) if cause else _reason(pack.error), limit=200)}"
    elif not record.is_used:
        why = f"{record.status}, not loaded: {record.why}"
    else:
        why = "has no hooks"
    return [(*first, "-", why)]


def _reason(error: PackError | SettingsError) -> str:
    return error.problems[0].message if error.problems else error.message


def _hooks_to_dict(pack: _Loaded) -> dict[str, object]:
    record, error = pack.record, pack.error
    return {
        "id": record.id,
        "version": record.version,
        "status": record.status if error is None else "broken",
        "why": record.why if error is None else _reason(error),
        "hooks": [
            {
                "name": hook.name,
                "takes": list(hook.parameters),
                "module": hook.origin.module,
                "file": hook.origin.file,
                "line": hook.origin.line,
            }
            for hook in pack.hooks
        ],
        "error": None if error is None else error.to_dict(),
    }
