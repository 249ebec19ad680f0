"""Remembers the plan of each action's last run, to show the changes since then."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from handrail.atomic import OWN_FOLDER, own_folder, replace_file
from handrail.builtin.project.differences import Change, changes
from handrail.builtin.project.lock_file import lock_text, parse_lock, read_lock
from handrail.errors import HandrailError
from handrail.events import Event, RunStarted
from handrail.trust import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from handrail.builtin.project.lock_file import LockedAction

_FOLDER = "plans"
_HEAD = "# The plan of the last run; made by handrail.\n"


def known_steps(project: Path, called: str) -> dict[str, str]:
    """Return the steps of an action as it was locked or run last, each with its pack.

    Args:
        project: The project's folder.
        called: The name of the action on the command line.
    """
    name = called.rpartition(":")[2]
    for action in (*_locked(project), *_remembered(project)):
        # An action of the project's code has its file in its name, which may be left out of it.
        if action.name in (called, name) or action.name.startswith(f"{called}:"):
            return {step.name: step.pack or "" for step in action.steps}
    return {}


def _locked(project: Path) -> Iterable[LockedAction]:
    try:
        return read_lock(project) or ()
    except HandrailError:
        return ()


def _remembered(project: Path) -> Iterator[LockedAction]:
    for path in sorted((project / OWN_FOLDER / _FOLDER).glob("*.toml")):
        yield from _read(path)


def _read(path: Path) -> tuple[LockedAction, ...]:
    try:
        raw, distrusted = read_file(path)
        return () if distrusted is not None else parse_lock(raw)
    except (OSError, HandrailError):
        return ()


class LastPlan:
    """The plan of an action's last run in a project.

    It is stored in a file on which nothing depends: if that is damaged or cannot be written, it is
    ignored. As an observer, it writes the file when a run starts.

    Args:
        project: The project's folder.
        now: The current plan, without digests of packs' files.
    """

    def __init__(self, project: Path, now: LockedAction) -> None:
        self._project = project
        self._now = now
        name = f"{now.pack}:{now.name}" if now.pack else now.name
        self._name = f"{quote(name, safe='')[-200:]}.toml"

    def changes(self, off: Mapping[str, str]) -> list[Change]:
        """Return the changes since the last run; none if there was no run.

        Args:
            off: The reason for each installed pack that is off, by its id.
        """
        kept = _read(self._project / OWN_FOLDER / _FOLDER / self._name)
        return changes(kept[0], self._now, off) if len(kept) == 1 else []

    def __call__(self, event: Event) -> None:
        """Store the plan when the run starts."""
        if not isinstance(event, RunStarted):
            return
        try:
            folder = own_folder(self._project) / _FOLDER
            folder.mkdir(exist_ok=True)
            text = lock_text([self._now], head=_HEAD)
            replace_file(folder / self._name, text.encode(), mode=0o600)
        except OSError:
            return
