"""Plans every action that can be planned, and tells what is wrong with those plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
from handrail.packs.entry_points import problems_of
from handrail.targets import find_target

if TYPE_CHECKING:
    from pathlib import Path

    from handrail.packs import InstalledPacks, PlanRules
    from handrail.packs.loader import LoadedPack


@dataclass(slots=True, kw_only=True)
class Checkup:
    """What came out of planning every action.

    Attributes:
        planned: Names of the actions that were planned.
        without: Packs that are on and have no part in those plans, because they fail.
        unchecked: Each action that was not planned, with the reason.
        problems: The problems of plans.
        exit_code: That of the first plan with problems.
    """

    planned: list[str] = field(default_factory=list[str])
    without: list[str] = field(default_factory=list[str])
    unchecked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    problems: list[Problem] = field(default_factory=list[Problem])
    exit_code: ExitCode = ExitCode.DONE

    def take(self, error: HandrailError) -> None:
        """Add the problems of an action that cannot be planned, each once."""
        for problem in getattr(error, "problems", ()) or problems_of(error):
            if problem not in self.problems:
                self.problems.append(problem)
        self.exit_code = self.exit_code or error.exit_code


def plan_everything(packs: InstalledPacks, folder: Path) -> Checkup:
    """Plan every action that is on, with the packs that can be used.

    Args:
        packs: The installed packs.
        folder: The working folder.
    """
    usable = _UsablePacks(packs)
    found = Checkup()
    for record, entry in packs.catalog.offers("actions"):
        if record.is_used:
            _plan(usable, folder, f"{record.id}:{entry.name}", entry.name, found)
    found.without = sorted(usable.left_out)
    return found


def _plan(usable: _UsablePacks, folder: Path, path: str, name: str, found: Checkup) -> None:
    """Plan an action; a pack whose hook raises is reported, and left out from then on.

    So one such hook does not hide what is wrong with others.
    """
    try:
        action = find_target(usable.real, folder, path).action_class
    except HandrailError as error:
        found.take(error)
        return
    while True:
        try:
            action.partial({}, packs=cast("Any", usable)).plan()
        except ParamsNeededError as error:
            found.unchecked.append((name, f"its plan depends on {'.'.join(error.path)}"))
        except ParamsError as error:
            found.unchecked.append((name, describe(error)))
        except HandrailError as error:
            found.take(error)
            pack = error.origin.pack if isinstance(error, PackError) and error.origin else None
            if pack is not None and usable.leave_out(pack):
                continue
        else:
            found.planned.append(name)
        return


class _UsablePacks:
    """A provider of the packs that can be loaded.

    Attributes:
        left_out: Names of the packs that are left out: those that cannot be loaded, and then each
            whose hook raises.
    """

    def __init__(self, packs: InstalledPacks) -> None:
        self.real = packs
        self._loaded, failed = packs.load_each()
        self.left_out = {record.id for record, _ in failed}

    def contributors(self) -> Sequence[LoadedPack]:
        return [pack for pack in self._loaded if pack.id not in self.left_out]

    def rules(self) -> PlanRules:
        # A required pack that is missing is told once, and not for each action.
        return self.real.configuration.plan_rules(self.real)

    def leave_out(self, pack: str) -> bool:
        """Leave out a pack from now on; return whether it was one until now."""
        if all(each.id != pack for each in self.contributors()):
            return False
        self.left_out.add(pack)
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)
