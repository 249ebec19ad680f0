"""Plans every action that can be planned, and tells what each pack costs and does there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import (
    ExitCode,
    HandrailError,
    PackError,
    ParamsError,
    ParamsNeededError,
    Problem,
    describe,
)
from handrail.packs.costs import Cost
from handrail.packs.failures import problems_of
from handrail.targets import find_target

if TYPE_CHECKING:
    from pathlib import Path

    from handrail.packs.installed import InstalledPacks
    from handrail.packs.loader import LoadedPack
    from handrail.plan.plan import Plan
    from handrail.settings.requirements import RequiredStep

_SHAPING = ("setup_steps", "insert_before", "insert_after", "wrap_step")


@dataclass(slots=True, kw_only=True)
class Checkup:
    """What came out of planning every action.

    Attributes:
        planned: Names of the actions that were planned.
        without: Packs that are on and have no part in those plans, because they fail.
        unchecked: Each action that was not planned, with the reason.
        problems: The problems of plans.
        idle: Hooks that shape no plan, as problems that stop nothing.
        costs: The time that each pack takes.
        exit_code: That of the first plan with problems.
    """

    planned: list[str] = field(default_factory=list[str])
    without: list[str] = field(default_factory=list[str])
    unchecked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    problems: list[Problem] = field(default_factory=list[Problem])
    idle: list[Problem] = field(default_factory=list[Problem])
    costs: list[Cost] = field(default_factory=list[Cost])
    exit_code: ExitCode = ExitCode.DONE

    def take(self, error: HandrailError) -> None:
        """Add the problems of an action that cannot be planned."""
        self.problems += getattr(error, "problems", ()) or problems_of(error)
        self.exit_code = self.exit_code or error.exit_code


def plan_everything(packs: InstalledPacks, folder: Path, costs: list[Cost]) -> Checkup:
    """Plan every action that is on, with the packs that can be used.

    Args:
        packs: The installed packs.
        folder: The working folder.
        costs: The costs of packs, to which those of their hooks are added.
    """
    watched = _WatchedPacks(packs)
    found = Checkup(costs=costs)
    plans: list[Plan] = []
    for record, entry in packs.catalog.offers("actions"):
        if record.is_used:
            plan = _plan(watched, folder, f"{record.id}:{entry.name}", entry.name, found)
            if plan is not None:
                found.planned.append(entry.name)
                plans.append(plan)
                watched.note(plan)
    found.problems = list(dict.fromkeys(found.problems))
    found.without = sorted(watched.left_out)
    asked = sum(bool(plan.steps) for plan in plans)
    if asked:
        known = {name for plan in plans for name in plan.positions}
        found.idle = [
            problem for pack in watched.contributors() for problem in pack.idle(asked, known)
        ]
    by_pack = {cost.pack.pack: cost for cost in costs}
    for pack in watched.packs:
        by_pack[pack.id].hooks = pack.seconds
    return found


def _plan(
    watched: _WatchedPacks, folder: Path, path: str, name: str, found: Checkup
) -> Plan | None:
    """Return the plan of an action; a pack whose hook raises is reported, and left out from then.

    So one such hook does not hide what is wrong with others.
    """
    try:
        action = find_target(watched.real, folder, path).action_class
    except HandrailError as error:
        found.take(error)
        return None
    while True:
        try:
            return action.partial({}, packs=cast("Any", watched)).plan()
        except ParamsNeededError as error:
            found.unchecked.append((name, f"its plan depends on {'.'.join(error.path)}"))
            return None
        except ParamsError as error:
            found.unchecked.append((name, describe(error)))
            return None
        except HandrailError as error:
            found.take(error)
            pack = error.origin.pack if isinstance(error, PackError) and error.origin else None
            if pack is None or not watched.leave_out(pack):
                return None


class _WatchedPacks:
    """A provider of the packs that can be loaded; it watches their hooks.

    Attributes:
        packs: Those packs.
        left_out: Names of the packs that are left out: those that cannot be loaded, and then each
            whose hook raises.
    """

    def __init__(self, packs: InstalledPacks) -> None:
        self.real = packs
        loaded, failed = packs.load_each()
        self.packs = [_WatchedPack(pack) for pack in loaded]
        self.left_out = {record.id for record, _ in failed}

    def contributors(self) -> Sequence[_WatchedPack]:
        return [pack for pack in self.packs if pack.id not in self.left_out]

    def required(self) -> Sequence[RequiredStep]:
        # A required pack that is missing is told once, and not for each action.
        return self.real.settings.required.steps

    def leave_out(self, pack: str) -> bool:
        """Leave out a pack from now on; return whether it was one until now."""
        if all(each.id != pack for each in self.contributors()):
            return False
        self.left_out.add(pack)
        return True

    def note(self, plan: Plan) -> None:
        """Count the edits of each `setup_steps` that have a place in a plan."""
        left_out = plan.history.left_out if plan.history is not None else ()
        for pack in self.packs:
            lost = sum(insertion.origin.pack == pack.id for insertion in left_out)
            pack.placed += max(0, pack.edits - lost)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class _WatchedPack:
    """A pack that counts the time and the answers of its hooks.

    Attributes:
        seconds: The time of its hooks.
        edits: Number of edits of its last `setup_steps`.
        placed: Number of those edits that have a place in a plan.
    """

    def __init__(self, pack: LoadedPack) -> None:
        self._pack = pack
        self.seconds = 0.0
        self.edits = self.placed = 0
        self._answered: set[str] = set()

    def call(self, hook: str, **arguments: Any) -> Any:
        began = perf_counter()
        try:
            answer: Any = self._pack.call(hook, **arguments)
        finally:
            self.seconds += perf_counter() - began
        if hook == "setup_steps":
            self.edits = arguments["registry"].edits.count
        elif answer is not None and not (isinstance(answer, Sized) and not len(answer)):
            self._answered.add(hook)
        return answer

    def idle(self, asked: int, known: set[str]) -> Iterator[Problem]:
        """Yield a problem for each hook that shapes none of the plans.

        Args:
            asked: The number of plans.
            known: All names of steps in them.
        """
        shaping = {*self._answered, *(("setup_steps",) if self.placed else ())}
        for name in _SHAPING:
            if self._pack.implements(name) and name not in shaping:
                place = self._pack.locate(name).place
                plans = "the only action" if asked == 1 else f"any of {asked} actions"
                yield Problem(
                    code="idle-hook",
                    message=f"{name} of {self._pack.origin} does nothing in {plans} here",
                    origins=(self._pack.locate(name),),
                    details=(place,) if place else (),
                    ways_out=tuple(_nearly(self._pack.hooks[name].function, known)),
                )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pack, name)


def _nearly(function: Any, known: set[str]) -> Iterator[str]:
    """Yield a hint for each text in a function that is nearly the name of a step."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for a hook that does nothing

    constants = getattr(getattr(function, "__code__", None), "co_consts", ())
    for text in constants:
        if isinstance(text, str) and text not in known and "\n" not in text:
            for match in get_close_matches(text, known, n=1, cutoff=0.8):
                yield f"it has '{text}'; did you mean {match}?"
