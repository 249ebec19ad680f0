"""`handrail packs --hooks`: which hooks each pack has, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handrail.cli.commands.packs import show_none, where
from handrail.cli.session import Session, warn
from handrail.cli.view.text import one_line, plural, table
from handrail.errors import PackError, SettingsError, describe
from handrail.packs.loader import load

if TYPE_CHECKING:
    from handrail.packs.hooks import Hook
    from handrail.packs.record import PackRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A pack, its hooks in the order of its source, and why they cannot be used."""

    record: PackRecord
    hooks: tuple[Hook, ...] = ()
    error: PackError | SettingsError | None = None

    @property
    def status(self) -> str:
        return "broken" if self.error is not None else self.record.status


def show_hooks(session: Session, *, as_json: bool) -> None:
    """Load every pack that is on, by itself, and list its hooks; a broken one is shown as such."""
    shown = [_shown(session, record) for record in session.packs.records]
    if as_json:
        session.console.json({"packs": [_to_dict(each) for each in shown]})
        return
    warn(session)
    if not shown:
        show_none(session, "no packs are installed")
        return
    rows = [row for each in shown for row in _rows(each)]
    for line in table(("PACK", "VERSION", "HOOK", "WHERE"), rows):
        session.console.print(line)
    imported = sum(bool(each.hooks) for each in shown)
    session.console.print(f"{plural(len(shown), 'pack')}, {imported} imported · {where()}")
    if any(each.error is not None or each.record.problems for each in shown):
        session.console.print("what is wrong, and what to do:  handrail doctor")


def _shown(session: Session, record: PackRecord) -> _Shown:
    if not record.is_used or not record.hooks:
        return _Shown(record=record)
    try:
        hooks = load(record, session.packs.settings).hooks.values()
    except (PackError, SettingsError) as error:
        return _Shown(record=record, error=error)
    return _Shown(record=record, hooks=tuple(sorted(hooks, key=lambda hook: hook.line)))


def _rows(shown: _Shown) -> list[tuple[str, ...]]:
    record = shown.record
    if shown.hooks:
        first = (record.id, record.version or "?")
        return [
            (*(first if number == 0 else ("", "")), hook.name, f"{hook.file}:{hook.line}")
            for number, hook in enumerate(shown.hooks)
        ]
    if shown.error is not None:
        cause = shown.error.__cause__
        why = f"broken: {one_line(describe(cause) if cause else _reason(shown.error), limit=60)}"
    elif not record.is_used:
        why = f"{record.status}, not loaded: {record.why}"
    else:
        why = "has no hooks"
    return [(record.id, record.version or "?", "-", why)]


def _reason(error: PackError | SettingsError) -> str:
    return error.problems[0].message if error.problems else error.message


def _to_dict(shown: _Shown) -> dict[str, object]:
    record = shown.record
    return {
        "id": record.id,
        "version": record.version,
        "status": shown.status,
        "why": record.why if shown.error is None else _reason(shown.error),
        "hooks": [
            {
                "name": hook.name,
                "takes": list(hook.parameters),
                "module": hook.module,
                "file": hook.file,
                "line": hook.line,
            }
            for hook in shown.hooks
        ],
        "error": None if shown.error is None else shown.error.to_dict(),
    }
