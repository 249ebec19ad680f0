"""Holds the plan of an action against the project's lock, for whoever is about to run it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from handrail.errors import LockError, PlanDriftedError, Problem
from handrail.lock.file import LOCK_FILE, read_lock
from handrail.lock.model import LockedAction, drift, is_part, outline
from handrail.packs.action_names import Locked, names_of
from handrail.packs.digest import record_digest

if TYPE_CHECKING:
    from handrail.packs.installed import InstalledPacks
    from handrail.plan.plan import Plan


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

    def to_dict(self) -> dict[str, object] | None:
        """Return the JSON form: `matches` and `problems`; None where there is no lock."""
        if not self.exists:
            return None
        return {
            "matches": not self.problems,
            "problems": [problem.to_dict() for problem in self.problems],
        }


def outline_of(
    packs: InstalledPacks,
    action: Locked,
    plan: Plan,
    *,
    params: Sequence[str] = (),
    with_files: bool = True,
) -> LockedAction:
    """Return what a lock would hold of a plan.

    Args:
        packs: The packs that it was made with.
        action: The action.
        plan: Its plan, the whole of it.
        params: What was given for it, as `key=value`.
        with_files: Whether to look at what is known of the files of packs.
    """
    records = {record.id: record for record in packs.records}

    def record_of(pack: str) -> str:
        known = records.get(pack) if with_files else None
        return "missing" if known is None else record_digest(known)

    return outline(
        plan,
        name=action.name,
        pack=action.pack,
        params=params,
        # Nobody is asked about an action without steps.
        asked=[pack.origin for pack in packs.contributors()] if plan.steps else [],
        record_of=record_of,
    )


def compare(packs: InstalledPacks, action: Locked, plan: Plan) -> Comparison:
    """Hold a plan against the lock of the project that the settings of `packs` are from.

    Raises:
        LockError: The lock cannot be read.
    """
    return _comparison(read_lock(packs.settings.project.folder), packs, action, plan)


def _comparison(
    locked: Sequence[LockedAction] | None, packs: InstalledPacks, action: Locked, plan: Plan
) -> Comparison:
    if locked is None:
        return Comparison(exists=False)
    found = find(locked, action)
    if found is None:
        return Comparison(exists=True, problems=(not_locked(action.name),))
    return Comparison(exists=True, problems=drift(found, outline_of(packs, action, plan)))


def held(
    packs: InstalledPacks,
    action: Locked,
    plan: Plan,
    *,
    no_lock: bool = False,
    forced_by: str = "",
) -> Plan:
    """Return `plan` with whether it is locked, or refuse to run it.

    Args:
        packs: The packs that it was made with.
        action: The action.
        plan: Its plan, the whole of it.
        no_lock: Whether to leave the lock aside.
        forced_by: Who says that every run has to be locked, such as a policy; it forbids `no_lock`.

    Raises:
        PlanDriftedError: The plan is not what the lock holds.
        LockError: The lock cannot be read, or there has to be one.
    """
    if no_lock and forced_by:
        raise LockError(
            f"--no-lock is not allowed: {forced_by} wants every run locked",
            ways_out=("run it without --no-lock",),
        )
    if no_lock:
        exists = (packs.settings.project.folder / LOCK_FILE).exists()
        return replace(plan, locked=False if exists else None)
    anyway = () if forced_by else ("for this run only:  --no-lock",)
    return _held_to(compare(packs, action, plan), action, plan, forced_by, anyway)


def held_in_program(
    packs: InstalledPacks, action_class: type, plan: Plan, whole: Callable[[], Plan]
) -> Plan:
    """Return `plan`, which a program is about to run, with whether it is locked, or refuse it.

    An action that nobody can name, such as one that is made inside a function, cannot be in a
    lock. It runs, and its run says that it is not locked.

    Args:
        packs: The packs that it was made with.
        action_class: The class of the action.
        plan: Its plan, or a part of it; one that was held before is left as it is.
        whole: Makes the whole plan.

    Raises:
        PlanDriftedError: The plan is not what the lock holds, nor a part of it.
        LockError: The lock cannot be read, or there has to be one.
    """
    forced_by = packs.settings.locked_by
    if plan.locked or (plan.locked is False and not forced_by):
        return plan
    locked = read_lock(packs.settings.project.folder)
    if locked is None and not forced_by:
        return plan
    names = names_of(packs, action_class)
    if not names and forced_by:
        raise LockError(
            f"{forced_by} wants every run locked, and {plan.action} has no name to lock it by",
            ways_out=("give it one: assign it to a name in a module, outside of functions",),
        )
    if not names:
        return replace(plan, locked=False)
    action = next((each for each in names if find(locked or (), each)), names[0])
    comparison = _comparison(locked, packs, action, plan)
    if comparison.problems:
        entire = whole()
        _held_to(_comparison(locked, packs, action, entire), action, entire, forced_by)
        if is_part(outline(plan, name=action.name), outline(entire, name=action.name)):
            return replace(plan, locked=True)
    return _held_to(comparison, action, plan, forced_by)


def _held_to(
    comparison: Comparison,
    action: Locked,
    plan: Plan,
    forced_by: str,
    anyway: tuple[str, ...] = (),
) -> Plan:
    again = f"handrail lock {action.shown}"
    if not comparison.exists and forced_by:
        raise LockError(
            f"{forced_by} wants every run locked, and there is no {LOCK_FILE}",
            ways_out=(f"lock the plan as it is:  {again}",),
        )
    if comparison.problems:
        raise PlanDriftedError(
            plan.action,
            comparison.problems,
            ways_out=(f"if the plan is meant to be as it is now:  {again}", *anyway),
        )
    return replace(plan, locked=True if comparison.exists else None)


def find(actions: Sequence[LockedAction], action: Locked) -> LockedAction | None:
    """Return what a lock has of an action, or None."""
    same = (each for each in actions if (each.name, each.pack) == (action.name, action.pack))
    return next(same, None)


def not_locked(name: str) -> Problem:
    """Return the problem of an action that a lock says nothing of."""
    return Problem(code="not-locked", message=f"{name} is not in {LOCK_FILE}")
