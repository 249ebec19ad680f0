"""Holds plans against the project's lock, and against those of the last runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from handrail.cli.local import as_action, looks_like_file
from handrail.errors import HandrailError, LockError, PlanDriftedError, Problem
from handrail.events import Event, RunStarted
from handrail.packs.digest import record_digest
from handrail.plan.lock import Change, LockedAction, changes, drift, outline
from handrail.settings.atomic import OWN_FOLDER, own_folder, replace_file
from handrail.settings.lockfile import LOCK_FILE, lock_text, parse_lock, read_lock

if TYPE_CHECKING:
    from handrail.cli.local import Target
    from handrail.cli.session import Session
    from handrail.plan.plan import Plan

_MOST_CHANGES = 5  # Lines about the last run, before `handrail plan` is named instead.


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a plan stands to the project's lock.

    Attributes:
        exists: Whether there is a lock.
        problems: How the plan differs from it.
    """

    exists: bool
    problems: tuple[Problem, ...] = ()

    @property
    def told(self) -> str:
        """The same in a few words; empty where there is no lock."""
        if not self.exists:
            return ""
        if any(problem.code == "not-locked" for problem in self.problems):
            return f"not in {LOCK_FILE}"
        return f"{'differs from' if self.problems else 'matches'} {LOCK_FILE}"


def project_folder(session: Session) -> Path:
    """Return the folder of the project, which the lock lies in."""
    return session.packs.settings.project.folder


def locked_name(session: Session, target: Target) -> str:
    """Return what a lock calls `target`, from whichever folder it is run.

    An installed action is called what its pack calls it, one in a file by the way to it from the
    project's folder.
    """
    if target.origin.pack is not None:
        return target.action_class.action_name
    head, _, attribute = target.name.rpartition(":")
    file = head if head and looks_like_file(head) else ""
    if not file and looks_like_file(target.name):
        file, attribute = target.name, ""
    elif not file and target.origin.module == "__main__":
        file, attribute = target.origin.file, ""
    if not file:
        return target.name
    return f"{_from(project_folder(session), file)}:{attribute or _attribute_of(target)}"


def typed_name(session: Session, target: Target) -> str:
    """Return the name under which a person reaches `target` from the working folder."""
    is_program = target.origin.module == "__main__"
    return locked_name(session, target) if is_program else target.name


def _from(folder: Path, file: str) -> str:
    try:
        return Path(os.path.relpath(os.path.abspath(file), folder)).as_posix()
    except ValueError:  # Another drive.
        return Path(file).name


def _attribute_of(target: Target) -> str:
    module = sys.modules.get(target.action_class.__module__)
    for name, value in dict(vars(module) if module else {}).items():
        if as_action(value) is target.action_class:
            return name
    return target.action_class.action_name


def outline_of(
    session: Session,
    target: Target,
    plan: Plan,
    *,
    params: Sequence[str] = (),
    with_files: bool = True,
) -> LockedAction:
    """Return what a lock would hold of the plan of `target`.

    Args:
        session: The call.
        target: The action.
        plan: Its plan.
        params: What was given for it, as `key=value`.
        with_files: Whether to look at what is known of the files of packs.
    """
    records = {record.id: record for record in session.packs.records}

    def record_of(pack: str) -> str:
        known = records.get(pack) if with_files else None
        return "missing" if known is None else record_digest(known)

    return outline(
        plan,
        name=locked_name(session, target),
        pack=target.origin.pack,
        params=params,
        asked=[pack.origin for pack in session.packs.contributors()] if plan.steps else [],
        record_of=record_of,
    )


def compare(session: Session, target: Target, plan: Plan) -> Comparison:
    """Hold the plan of `target` against the project's lock.

    Raises:
        LockError: The lock cannot be read.
    """
    locked = read_lock(project_folder(session))
    if locked is None:
        return Comparison(exists=False)
    now = outline_of(session, target, plan)
    found = find(locked, now.name, now.pack)
    return Comparison(
        exists=True, problems=(not_locked(now.name),) if found is None else drift(found, now)
    )


def find(actions: Sequence[LockedAction], name: str, pack: str | None) -> LockedAction | None:
    """Return the action of that name and pack, or None."""
    return next((each for each in actions if (each.name, each.pack) == (name, pack)), None)


def not_locked(name: str) -> Problem:
    """Return the problem of an action that a lock says nothing of."""
    return Problem(code="not-locked", message=f"{name} is not in {LOCK_FILE}")


def held(
    session: Session, target: Target, plan: Plan, *, no_lock: bool = False, forced_by: str = ""
) -> Plan:
    """Return `plan` with whether it is locked, or refuse to run it.

    Args:
        session: The call.
        target: The action.
        plan: Its plan, the whole of it.
        no_lock: Whether to leave the lock aside.
        forced_by: Who says that every run has to be locked, such as a policy; it forbids `no_lock`.

    Raises:
        PlanDriftedError: The plan is not what the lock holds.
        LockError: The lock cannot be read, or there has to be one.
    """
    if no_lock and not forced_by:
        exists = (project_folder(session) / LOCK_FILE).exists()
        return replace(plan, locked=False if exists else None)
    if no_lock:
        raise LockError(
            f"--no-lock is not allowed: {forced_by} wants every run locked",
            ways_out=("run it without --no-lock",),
        )
    comparison = compare(session, target, plan)
    again = f"handrail lock {typed_name(session, target)}"
    if not comparison.exists and forced_by:
        raise LockError(
            f"{forced_by} wants every run locked, and there is no {LOCK_FILE}",
            ways_out=(f"lock the plan as it is:  {again}",),
        )
    if comparison.problems:
        anyway = () if forced_by else ("for this run only:  --no-lock",)
        raise PlanDriftedError(
            plan.action,
            comparison.problems,
            ways_out=(f"if the plan is meant to be as it is now:  {again}", *anyway),
        )
    return replace(plan, locked=True if comparison.exists else None)


class LastPlan:
    """The plan with which an action was last run in this project.

    It is kept in a file of its own, which nothing depends on: one that is damaged or cannot be
    written is passed over. As an observer it writes the file when the run starts.

    Attributes:
        action: What the action is called.
    """

    def __init__(self, session: Session, target: Target, plan: Plan) -> None:
        self._project = project_folder(session)
        self._now = outline_of(session, target, plan, with_files=False)
        name = f"{self._now.pack}:{self._now.name}" if self._now.pack else self._now.name
        self.action = typed_name(session, target)
        self._name = f"{quote(name, safe='')[-200:]}.toml"

    def changes(self) -> list[Change]:
        """Return what has changed since then; nothing where there was no run."""
        try:
            kept = parse_lock((self._project / OWN_FOLDER / "plans" / self._name).read_bytes())
        except (OSError, HandrailError):
            return []
        return changes(kept[0], self._now) if len(kept) == 1 else []

    def __call__(self, event: Event) -> None:
        """Keep the plan when the run starts."""
        if not isinstance(event, RunStarted):
            return
        try:
            folder = own_folder(self._project) / "plans"
            folder.mkdir(exist_ok=True)
            text = lock_text([self._now], head="# The plan of the last run; made by handrail.\n")
            replace_file(folder / self._name, text.encode(), mode=0o600)
        except OSError:
            return


def tell_changes(session: Session, last: LastPlan) -> None:
    """Say what has changed since the last run of the action."""
    found = last.changes()
    if not found:
        return
    console = session.console
    console.note(f"changed since the last run of {last.action}:")
    for change in found[:_MOST_CHANGES]:
        console.note(f"  {change.mark} {change}")
    if len(found) > _MOST_CHANGES:
        console.note(f"  and {len(found) - _MOST_CHANGES} more:  handrail plan {last.action}")


def unpinned_note(action: LockedAction) -> str:
    """Return a sentence about the packs whose files a lock cannot pin; empty where there are none.

    Their version is locked, and that of an editable install says little.
    """
    loose = [f"{pack} ({pack.record})" for pack in action.packs if not pack.is_pinned]
    return f"only the version is locked of {', '.join(loose)}" if loose else ""
