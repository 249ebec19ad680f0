"""What planning costs beside the bare hook calls it is made of: `python benchmarks/planning.py`.

Each pack answers about ten steps by name, and is asked about every step of the plan but its own.
The floor asks the same hooks about the same steps with nothing around them. Both are timed in
turn, round after round; the table has the median of each, and their ratio.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from handrail import ActionInfo, BaseStep, BaseStepContext, Origin, StepRegistry, StepResult
from handrail.hookspecs import hookimpl
from handrail.packs.loader import LoadedPack, load_inline
from handrail.packs.planner import plan_action
from handrail.packs.provider import ExplicitPacks

ROUNDS = 15
EDITS = 10  # Of each pack.
BASE = 10  # Steps of the action itself.

INFO = ActionInfo(
    name="upload", lineage=("upload",), context_type=BaseStepContext, origin=Origin(pack="host")
)


class Named(BaseStep[BaseStepContext]):
    """A step with nothing but a name."""

    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: BaseStepContext) -> StepResult:
        """Succeed."""
        return StepResult()


class Hooks:
    """Hooks that insert one step at each step of the action."""

    def __init__(self, number: int, edits: int = EDITS) -> None:
        self.steps = {f"base_{each}": Named(f"s_{number}_{each}") for each in range(edits)}

    @hookimpl
    def insert_before(self, action: ActionInfo, step: BaseStep[Any]) -> BaseStep[Any] | None:
        """Answer for the steps of the action by name."""
        return self.steps.get(step.name)


class Edits:
    """The same edits, made in one call of `setup_steps`."""

    def __init__(self, number: int, edits: int = EDITS) -> None:
        self.number, self.edits = number, edits

    @hookimpl
    def setup_steps(self, action: ActionInfo, registry: StepRegistry[Any]) -> None:
        """Insert one step at each step of the action."""
        for each in range(self.edits):
            registry.insert_before(f"base_{each}", Named(f"s_{self.number}_{each}"))


def packs_of(kind: Callable[[int], object], count: int) -> list[LoadedPack]:
    """Return `count` loaded packs."""
    return [load_inline(kind(number), f"acme-{number:04}") for number in range(count)]


def base() -> StepRegistry[BaseStepContext]:
    """Return the steps of the action itself."""
    registry = StepRegistry[BaseStepContext]()
    for number in range(BASE):
        registry.register(Named(f"base_{number}"))
    return registry


def plan(packs: Sequence[LoadedPack]) -> None:
    """Plan the action with these packs."""
    plan_action(INFO, base(), ExplicitPacks(packs, {}))


def floor(hooks: Sequence[Callable[..., Any]], steps: Sequence[BaseStep[Any]]) -> None:
    """Call each hook about each step, and do nothing with what it says."""
    for step in steps:
        for hook in hooks:
            hook(action=INFO, step=step)


def cases(count: int) -> dict[str, Callable[[], None]]:
    """Return what is measured, by name."""
    asked, editing = packs_of(Hooks, count), packs_of(Edits, count)
    hooks = [pack.hooks["insert_before"].function for pack in asked]
    steps = plan_action(INFO, base(), ExplicitPacks(asked, {})).steps
    # A pack is not asked about the steps that it inserted itself.
    bare = [planned.step for planned in steps][: len(steps) - EDITS]
    return {
        "bare hook calls": lambda: floor(hooks, bare),
        "plan, insert_before": lambda: plan(asked),
        "plan, setup_steps": lambda: plan(editing),
    }


def measure(count: int) -> None:
    """Print the table for `count` packs."""
    found = cases(count)
    times = {name: list[float]() for name in found}
    for _ in range(ROUNDS if count <= 100 else 3):
        for name, case in found.items():
            began = time.perf_counter()
            case()
            times[name].append((time.perf_counter() - began) * 1e3)
    least = statistics.median(times["bare hook calls"])
    print(f"\n{count} packs, {count * EDITS} edits, Python {sys.version.split()[0]}")
    print(f"{'case':30}{'ms':>12}{'x bare hook calls':>20}")
    for name, taken in times.items():
        middle = statistics.median(taken)
        print(f"{name:30}{middle:12.2f}{middle / least:20.1f}")


if __name__ == "__main__":
    for size in (10, 50, 100, 200):
        measure(size)
