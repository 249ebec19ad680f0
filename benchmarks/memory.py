"""What a run takes in memory beside lists of its steps and results: `python benchmarks/memory.py`.

Each case runs in a process of its own, once for the peak of what Python allocates, and once for
the peak of the resident memory, of which what the imports took is told apart.
"""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from contextlib import suppress
from pathlib import Path

from rounds import Nothing

from handrail import BaseStepContext, Orchestrator, RuntimeContext, StepRegistry, StepResult

STEPS = 100_000


class Undoable(Nothing):
    """Does nothing, and can take that back."""

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        """Do nothing."""


class Fails(Nothing):
    """Fails, so that everything before it is undone."""

    def execute(self, context: BaseStepContext) -> StepResult:
        """Fail."""
        return StepResult(success=False, error="on purpose")


def bare() -> object:
    """Keep the steps in a list, and their results in another."""
    context = BaseStepContext(RuntimeContext())
    steps = [Nothing(f"step_{number}") for number in range(STEPS)]
    return [step.execute(context) for step in steps], steps


def registry_of_all() -> StepRegistry[BaseStepContext]:
    """Return a registry of the same steps."""
    registry = StepRegistry[BaseStepContext]()
    for number in range(STEPS):
        registry.register(Undoable(f"step_{number}"))
    return registry


def run() -> object:
    """Run them."""
    made = Orchestrator(registry_of_all(), BaseStepContext(RuntimeContext()))
    return made.execute(), made


def reported() -> object:
    """Run them, and tell somebody of the progress."""
    context = BaseStepContext(RuntimeContext())
    made = Orchestrator(registry_of_all(), context, lambda _current, _total: None)
    return made.execute(), made


def undone() -> object:
    """Run them, and undo them."""
    registry = registry_of_all()
    registry.register(Fails("last"))
    made = Orchestrator(registry, BaseStepContext(RuntimeContext()))
    with suppress(RuntimeError):
        made.execute()
    return made


CASES = {"list of steps and results": bare, "run": run, "with progress": reported, "undone": undone}


def resident(name: str) -> int:
    """Return how much memory this process has, or had at most, in bytes; Linux only."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def measured(case: str) -> tuple[int, int, int]:
    """Return what Python allocated at most, what was resident at most, and what of it at first."""

    def told(how: str) -> list[int]:
        command = [sys.executable, __file__, how, case]
        return [int(each) for each in subprocess.check_output(command, text=True).split()]

    before, peak = told("resident")
    return told("traced")[0], peak, before


def main() -> None:
    """Print the table."""
    floor: tuple[int, int, int] | None = None
    print(f"{STEPS} steps, Python {sys.version.split()[0]}; bytes a step, and MB of the process")
    print(f"{'case':28}{'traced':>10}{'x':>7}{'resident':>10}{'x':>7}{'process, MB':>14}{'x':>7}")
    for case in CASES:
        traced, peak, before = measured(case)
        floor = floor or (traced, peak, before)
        grown, floor_grown = peak - before, floor[1] - floor[2]
        print(
            f"{case:28}{traced / STEPS:10.0f}{traced / floor[0]:7.2f}{grown / STEPS:10.0f}"
            f"{grown / floor_grown:7.2f}{peak / 1e6:14.1f}{peak / floor[1]:7.2f}"
        )


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    elif sys.argv[1] == "traced":
        tracemalloc.start()
        kept = CASES[sys.argv[2]]()
        print(tracemalloc.get_traced_memory()[1])
    else:
        first = resident("VmRSS")
        kept = CASES[sys.argv[2]]()
        print(first, resident("VmHWM"))
