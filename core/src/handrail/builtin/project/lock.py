"""Checks the plan of a run against the lock of its project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from handrail.builtin.project.differences import drift, is_part
from handrail.builtin.project.digest import record_digest
from handrail.builtin.project.lock_file import (
    LockedAction,
    LockedPack,
    LockedStep,
    LockName,
    find,
    read_lock,
)
from handrail.builtin.project.project import LOCK_FILE
from handrail.builtin.project.settings import settings_of
from handrail.builtin.project.targets import lock_name, names_of
from handrail.errors import LockError, PlanDriftedError, Problem
from handrail.frozen import as_json, frozen

if TYPE_CHECKING:
    from handrail import Plan, PlannedStep
    from handrail.packs import CheckedRun, InstalledPacks


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
        packs: The installed packs, under the settings of the project.
        forced_by: The setting or policy that requires every run to be locked, or `""`.
    """

    packs: InstalledPacks
    forced_by: str

    @classmethod
    def of(cls, packs: InstalledPacks) -> ProjectLock:
        """Return the lock of the project under whose settings packs were found."""
        return cls(packs=packs, forced_by=settings_of(packs).locked_by)

    @property
    def folder(self) -> Path:
        """The folder of the project."""
        return Path(self.packs.configuration.where)

    def compare(self, name: LockName, plan: Plan) -> Comparison:
        """Compare a whole plan with the action's entry in the lock.

        Raises:
            LockError: The lock cannot be read.
        """
        locked = read_lock(self.folder)
        if locked is None:
            return Comparison(exists=False)
        return Comparison(exists=True, problems=self._problems(locked, name, plan))

    def check(self, run: CheckedRun) -> bool | None:
        """Check the plan of a run against the lock; return whether it is locked.

        None if there is no lock, False if it is left aside. A program may run an action without a
        name, such as one made inside a function. It cannot be in a lock, so its run is not locked.

        Raises:
            PlanDriftedError: The plan differs from the locked one and is not a part of it.
            LockError: The lock cannot be read; or a setting or policy requires a lock, and it is
                missing or ignored.
        """
        if run.no_lock or (run.left_aside and not self.forced_by):
            if self.forced_by:
                raise self._refused("--no-lock is given", "run it without --no-lock")
            return False if (self.folder / LOCK_FILE).exists() else None
        locked = read_lock(self.folder)
        if locked is None and not self.forced_by:
            return None
        names = self._locked_as(run)
        if not names and self.forced_by:
            way = "give it a name: assign it to one in a module, outside of functions"
            raise self._refused(f"{run.plan.action} has no name to lock it by", way)
        if not names:
            return False
        name = next((each for each in names if find(locked or (), each.key)), names[0])
        again = f"handrail lock {name.shown}"
        if locked is None:
            raise self._refused(f"there is no {LOCK_FILE}", f"lock the plan as it is:  {again}")
        problems = self._problems_of_part(locked, name, run)
        if problems:
            anyway = run.target is not None and not self.forced_by
            ways_out = (
                f"if the plan is meant to be as it is now:  {again}",
                *(("for this run only:  --no-lock",) if anyway else ()),
            )
            raise PlanDriftedError(run.plan.action, problems, ways_out=ways_out)
        return True

    def _locked_as(self, run: CheckedRun) -> list[LockName]:
        """Return all names that the lock may have for the action of a run."""
        if run.target is not None:
            return [lock_name(run.target, self.packs)]
        return names_of(self.packs, run.action_class)

    def _refused(self, why: str, way: str) -> LockError:
        return LockError(f"{self.forced_by} wants every run locked, and {why}", ways_out=(way,))

    def _problems(
        self, locked: Sequence[LockedAction], name: LockName, plan: Plan
    ) -> tuple[Problem, ...]:
        found = find(locked, name.key)
        if found is None:
            return (not_locked(name.name),)
        return drift(found, outline_of(self.packs, name, plan), self.packs.off)

    def _problems_of_part(
        self, locked: Sequence[LockedAction], name: LockName, run: CheckedRun
    ) -> tuple[Problem, ...]:
        problems = self._problems(locked, name, run.plan)
        if not problems:
            return ()
        whole = run.whole()
        part, entire = (outline_of(self.packs, name, each) for each in (run.plan, whole))
        return self._problems(locked, name, whole) or (() if is_part(part, entire) else problems)


def outline_of(
    packs: InstalledPacks,
    name: LockName,
    plan: Plan,
    *,
    params: Sequence[str] = (),
    with_files: bool = True,
) -> LockedAction:
    """Return the lock entry for a whole plan made with these packs.

    Args:
        packs: The packs.
        name: The name of the action in the lock.
        plan: The plan.
        params: The params that the plan was made with, as `key=value`.
        with_files: Whether to include digests of the packs' files.
    """
    steps = list(_steps_of(plan))
    origins = [plan.origin]
    for _, planned in steps:
        origins += [planned.origin, *(layer.origin for layer in planned.layers)]
    # For an action without steps, no pack's hooks are called; packs may also only observe runs.
    for each in packs.contributors() if steps else ():
        if {*each.hooks} - {"pack_info", "perform", "observe"}:
            origins.append(each.origin)
    records = {record.id: record for record in packs.records} if with_files else {}
    versions = {origin.pack: origin.version for origin in origins if origin.pack is not None}
    return LockedAction(
        name=name.name,
        pack=name.pack,
        params=tuple(params),
        packs=tuple(
            LockedPack(
                id=each,
                version=versions[each],
                record=record_digest(records[each]) if each in records else "missing",
            )
            for each in sorted(versions)
        ),
        steps=tuple(_locked_step(*each) for each in steps),
    )


def _locked_step(before: str, planned: PlannedStep) -> LockedStep:
    return LockedStep(
        name=f"{before}{planned.name}",
        pack=planned.origin.pack,
        layers=tuple(_owned(layer.title, layer.origin.pack) for layer in planned.layers),
        group=planned.group and f"{before}{planned.group}",
        lane=planned.lane,
    )


def _owned(name: str, pack: str | None) -> str:
    return name if pack is None else f"{pack}:{name}"


def _steps_of(plan: Plan, before: str = "") -> Iterator[tuple[str, PlannedStep]]:
    """Yield the steps of a plan, those of runs in place of what makes these, each with a prefix."""
    for planned in plan.steps:
        if planned.inner is None:
            yield before, planned
        else:
            yield from _steps_of(planned.inner, f"{before}{planned.name}.")


def not_locked(name: str) -> Problem:
    """Return the problem for an action that is not in the lock."""
    return Problem(code="not-locked", message=f"{name} is not in {LOCK_FILE}")
