"""Checks the plan of a run against the lock of its project."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from handrail.errors import LockError, PlanDriftedError, Problem
from handrail.frozen import as_json, frozen, replace
from handrail.lock.differences import drift, is_part
from handrail.lock.file import LOCK_FILE, read_lock
from handrail.lock.model import LockedAction, LockName, LockUse, find

if TYPE_CHECKING:
    from pathlib import Path

    from handrail.plan.plan import Plan


@frozen
class Comparison:
    """The result of comparing a plan with the project's lock.

    Attributes:
        exists: Whether there is a lock.
        problems: The differences.
    """

    exists: bool
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if not self.exists:
            return ""
        if any(problem.code == "not-locked" for problem in self.problems):
            return f"not in {LOCK_FILE}"
        return f"{'differs from' if self.problems else 'matches'} {LOCK_FILE}"

    def to_dict(self) -> dict[str, object] | None:
        """Return the JSON form, `matches` and `problems`; None if there is no lock."""
        if not self.exists:
            return None
        return {
            "matches": not self.problems,
            "problems": as_json(self.problems),
        }


@frozen
class ProjectLock:
    """The lock of a project; each call reads the file.

    Attributes:
        folder: The project's folder.
        forced_by: The setting or policy that requires every run to be locked, or `""`.
        outline: Returns the lock entry for a plan.
        names: Returns all names that a lock may have for an action class.
        off: The reason for each installed pack that is off, by its id.
    """

    folder: Path
    forced_by: str
    outline: Callable[[LockName, Plan], LockedAction]
    names: Callable[[type], Sequence[LockName]]
    off: Mapping[str, str]

    def compare(self, name: LockName, plan: Plan) -> Comparison:
        """Compare a whole plan with the action's entry in the lock.

        Raises:
            LockError: The lock cannot be read.
        """
        locked = read_lock(self.folder)
        if locked is None:
            return Comparison(exists=False)
        return Comparison(exists=True, problems=self._problems(locked, name, plan))

    def check(
        self, plan: Plan, action: type, whole: Callable[[], Plan], use: LockUse | None = None
    ) -> Plan:
        """Check `plan` against the lock; return a copy with `locked` set.

        A program may run an action without a name, such as one made inside a function. It cannot be
        in a lock, so its run is not locked.

        Args:
            plan: The plan to run, or a part of it.
            action: The class of the action.
            whole: Returns the whole plan, of which `plan` may be a part.
            use: How to apply the lock; by default, as for a program without flags.

        Raises:
            PlanDriftedError: The plan differs from the locked one and is not a part of it.
            LockError: The lock cannot be read; or a setting or policy requires a lock, and it is
                missing or ignored.
        """
        use = use or LockUse()
        if use.no_lock or (use.left_aside and not self.forced_by):
            return self._left_aside(plan)
        locked = read_lock(self.folder)
        if locked is None and not self.forced_by:
            return plan if plan.locked is None else replace(plan, locked=None)
        names = self.names(action) if use.name is None else [use.name]
        if not names:
            return self._nameless(plan)
        name = next((each for each in names if find(locked or (), each.key)), names[0])
        again = f"handrail lock {name.shown}"
        if locked is None:
            raise LockError(
                f"{self.forced_by} wants every run locked, and there is no {LOCK_FILE}",
                ways_out=(f"lock the plan as it is:  {again}",),
            )
        problems = self._problems_of_part(locked, name, plan, whole)
        if problems:
            anyway = use.name is not None and not self.forced_by
            ways_out = (
                f"if the plan is meant to be as it is now:  {again}",
                *(("for this run only:  --no-lock",) if anyway else ()),
            )
            raise PlanDriftedError(plan.action, problems, ways_out=ways_out)
        return replace(plan, locked=True)

    def _left_aside(self, plan: Plan) -> Plan:
        if self.forced_by:
            raise LockError(
                f"--no-lock is not allowed: {self.forced_by} wants every run locked",
                ways_out=("run it without --no-lock",),
            )
        return replace(plan, locked=False if (self.folder / LOCK_FILE).exists() else None)

    def _nameless(self, plan: Plan) -> Plan:
        if self.forced_by:
            raise LockError(
                f"{self.forced_by} wants every run locked, and {plan.action} has no name to lock "
                "it by",
                ways_out=("give it one: assign it to a name in a module, outside of functions",),
            )
        return replace(plan, locked=False)

    def _problems(
        self, locked: Sequence[LockedAction], name: LockName, plan: Plan
    ) -> tuple[Problem, ...]:
        found = find(locked, name.key)
        if found is None:
            return (not_locked(name.name),)
        return drift(found, self.outline(name, plan), self.off)

    def _problems_of_part(
        self,
        locked: Sequence[LockedAction],
        name: LockName,
        plan: Plan,
        whole: Callable[[], Plan],
    ) -> tuple[Problem, ...]:
        problems = self._problems(locked, name, plan)
        if not problems:
            return ()
        entire = whole()
        fits = is_part(self.outline(name, plan), self.outline(name, entire))
        return self._problems(locked, name, entire) or (() if fits else problems)


def not_locked(name: str) -> Problem:
    """Return the problem for an action that is not in the lock."""
    return Problem(code="not-locked", message=f"{name} is not in {LOCK_FILE}")
