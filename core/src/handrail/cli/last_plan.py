"""Remembers the plan with which each action was last run, to tell what has changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from handrail.errors import HandrailError
from handrail.events import Event, RunStarted
from handrail.lock_names import Locked
from handrail.locking import outline_of
from handrail.plan.lock import Change, changes
from handrail.settings.atomic import OWN_FOLDER, own_folder, replace_file
from handrail.settings.lockfile import lock_text, parse_lock
from handrail.settings.trust import read_file

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.plan.plan import Plan

_FOLDER = "plans"
_HEAD = "# The plan of the last run; made by handrail.\n"
_MOST_CHANGES = 5  # Lines about the last run, before `handrail plan` is named instead.


class LastPlan:
    """The plan with which an action was last run in this project.

    It is kept in a file of its own, which nothing depends on: one that is damaged or cannot be
    written is passed over. As an observer it writes the file when the run starts.
    """

    def __init__(self, session: Session, action: Locked, plan: Plan) -> None:
        self._session = session
        self._action = action
        self._project = session.packs.settings.project.folder
        self._now = outline_of(session.packs, action, plan, with_files=False)
        name = f"{action.pack}:{action.name}" if action.pack else action.name
        self._name = f"{quote(name, safe='')[-200:]}.toml"

    def changes(self) -> list[Change]:
        """Return what has changed since then; nothing where there was no run."""
        try:
            raw, distrusted = read_file(self._project / OWN_FOLDER / _FOLDER / self._name)
            kept = () if distrusted is not None else parse_lock(raw)
        except (OSError, HandrailError):
            return []
        return changes(kept[0], self._now) if len(kept) == 1 else []

    def tell(self) -> None:
        """Say what has changed since then, on standard error."""
        found = self.changes()
        if not found:
            return
        console = self._session.console
        called = self._action.shown
        console.note(f"changed since the last run of {called}:")
        for change in found[:_MOST_CHANGES]:
            console.note(f"  {change.mark} {change}")
        if len(found) > _MOST_CHANGES:
            console.note(f"  and {len(found) - _MOST_CHANGES} more:  handrail plan {called}")

    def __call__(self, event: Event) -> None:
        """Keep the plan when the run starts."""
        if not isinstance(event, RunStarted):
            return
        try:
            folder = own_folder(self._project) / _FOLDER
            folder.mkdir(exist_ok=True)
            text = lock_text([self._now], head=_HEAD)
            replace_file(folder / self._name, text.encode(), mode=0o600)
        except OSError:
            return
