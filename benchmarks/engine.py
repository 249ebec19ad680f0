"""What a run in memory costs beside plain loops, in one run: `python benchmarks/engine.py`.

Every table has its floor in the first row. Cases are timed in turn, round after round, and a ratio
is of what was measured in the same round, so a machine that slows down changes little.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rounds import Cases, Took, show

from handrail import (
    BaseStep,
    BaseStepContext,
    Limits,
    Orchestrator,
    RuntimeContext,
    StepRegistry,
    StepResult,
    StepWrapper,
    Workflow,
    action,
    chain,
    parallel,
)
from handrail.events import StepProgressed
from handrail.plan.builder import plan_of_registry

RESULT = StepResult()
REPORTS = 1_000


class Nothing(BaseStep[BaseStepContext]):
    """Does nothing, so that all of the time is ours."""

    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: BaseStepContext) -> StepResult:
        """Return the one result there is."""
        return RESULT

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        """Do nothing."""


class MaySkip(Nothing):
    """Is asked whether there is anything to do, and says so."""

    def can_skip(self, context: BaseStepContext) -> bool:
        """Say that there is."""
        return False


class Limited(Nothing):
    """Has a timeout, which is watched by a thread for each attempt."""

    limits = Limits(timeout=60)


class Fails(Nothing):
    """Fails, so that everything before it is undone, and knows when that was."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.failed = Took(0.0, 0.0)

    def execute(self, context: BaseStepContext) -> StepResult:
        """Fail."""
        self.failed = Took(time.perf_counter(), time.process_time())
        return StepResult(success=False, error="on purpose")


class Reports(Nothing):
    """Reports its progress a thousand times."""

    def execute(self, context: BaseStepContext) -> StepResult:
        """Report."""
        report = context.set_progress
        for done in range(REPORTS):
            report(done, REPORTS)
        return RESULT


class Silent:
    """A runtime context that throws away what it is told."""

    def log(self, event: str, data: Any, file: str | None = None) -> None:
        """Do nothing."""

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Do nothing."""

    def set_metrics(self, value: Any, category: str | None = None) -> None:
        """Do nothing."""


def fresh() -> BaseStepContext:
    """Return a context whose log goes nowhere."""
    return BaseStepContext(RuntimeContext(logger=Silent()))


def registry_of(
    count: int, kind: type[Nothing] = Nothing, last: BaseStep[Any] | None = None
) -> StepRegistry[BaseStepContext]:
    """Return a registry of `count` steps, and one more if that is given."""
    registry = StepRegistry[BaseStepContext]()
    for number in range(count):
        registry.register(kind(f"step_{number}"))
    if last is not None:
        registry.register(last)
    return registry


def heard(*_: object) -> None:
    """Listen, and do nothing."""


def runs(count: int) -> Cases:
    """Return runs of `count` steps."""
    registry = registry_of(count)
    layered, deep = registry_of(count), registry_of(count)
    for number in range(count):
        layered.wrap(f"step_{number}", StepWrapper)
        for _ in range(3):
            deep.wrap(f"step_{number}", StepWrapper)
    steps = registry.get_steps()
    context = fresh()

    def loop() -> None:
        for step in steps:
            step.execute(context)

    return {
        "plain loop": loop,
        "run": _execution(registry),
        "run, progress callback": _execution(registry, heard),
        "run, steps with a can_skip": _execution(registry_of(count, MaySkip), heard),
        "run, a layer around each step": _execution(layered, heard),
        "run, three layers around each step": _execution(deep, heard),
        "run, a timeout on each step": _execution(registry_of(count, Limited), heard),
        "run, observer of all events": _execution(registry, observers=[heard]),
    }


class AsyncNothing(Nothing):
    """Does nothing, in a coroutine."""

    async def execute(self, context: BaseStepContext) -> StepResult:
        """Return the one result there is."""
        return RESULT


def lanes(count: int) -> Cases:
    """Return runs of `count` steps in lanes: each step goes to a thread, or a task, and back."""
    flat = registry_of(count)
    steps = flat.get_steps()
    context = fresh()

    def loop() -> None:
        for step in steps:
            step.execute(context)

    def grouped(kind: type[Nothing], groups: int) -> StepRegistry[BaseStepContext]:
        registry = StepRegistry[BaseStepContext]()
        for group in range(groups):
            own = [kind(f"{group}_{number}") for number in range(count // groups)]
            third = len(own) // 3
            parts = [own[:third], own[third : 2 * third], own[2 * third :]]
            registry.register(parallel(f"group_{group}", parts))
        return registry

    return {
        "plain loop": loop,
        "run": _execution(flat),
        "run, in three lanes": _execution(grouped(Nothing, 1)),
        "run, async, in three lanes": _execution(grouped(AsyncNothing, 1)),
        "run, a group of three lanes for every three": _execution(grouped(Nothing, count // 3)),
    }


def chains(count: int) -> Cases:
    """Return runs of `count` steps in the actions of a chain, each with a context of its own."""
    steps = registry_of(count).get_steps()
    context = fresh()

    def loop() -> None:
        for step in steps:
            step.execute(context)

    def chained(actions: int) -> Callable[[], None]:
        each = [Nothing(str(number)) for number in range(count // actions)]
        members = {f"a{number}": action(f"a{number}", each) for number in range(actions)}
        return planned(chain("chain", members))

    def planned(workflow: Workflow) -> Callable[[], None]:
        made = workflow({}, RuntimeContext(), packs=())
        orchestrator = made.orchestrator(made.plan())

        def execute() -> None:
            orchestrator.execute()

        return execute

    return {
        "plain loop": loop,
        "run": planned(action("one", steps)),
        "run, a chain of one action": chained(1),
        "run, a chain of three": chained(3),
        "run, a chain with an action for each step": chained(count),
    }


def _execution(registry: StepRegistry[Any], *args: Any, **more: Any) -> Callable[[], None]:
    orchestrator = Orchestrator(registry, fresh(), *args, **more)

    def execute() -> None:
        orchestrator.execute()

    return execute


def rollbacks(count: int) -> Cases:
    """Return the undo of `count` steps; from the failure of the last one to the end."""
    last = Fails("last")
    registry = registry_of(count, last=last)
    steps = registry.get_steps()[:-1]
    context = fresh()

    def guarded_loop() -> None:
        for step in reversed(steps):
            try:  # noqa: SIM105 - a context manager costs more than what is measured
                step.rollback(context, RESULT)
            except Exception:  # noqa: BLE001
                pass

    def undone(**more: Any) -> Callable[[], Took]:
        orchestrator = Orchestrator(registry, fresh(), **more)

        def undo() -> Took:
            with suppress(RuntimeError):
                orchestrator.execute()
            began, cpu = last.failed
            return Took(time.perf_counter() - began, time.process_time() - (cpu or 0.0))

        return undo

    return {
        "guarded loop of rollbacks": guarded_loop,
        "undo": undone(),
        "undo, observer of all events": undone(observers=[heard]),
    }


def edits(count: int) -> Cases:
    """Return how `count` steps are put into a list, and into a registry."""
    steps: list[BaseStep[Any]] = [Nothing(f"step_{number}") for number in range(count)]

    def bare() -> None:
        known: dict[str, BaseStep[Any]] = {}
        for step in steps:
            known[step.name] = step

    def inserted() -> StepRegistry[Any]:
        registry = StepRegistry[BaseStepContext]()
        registry.register(steps[0])
        for number in range(1, count):
            if number % 2:
                registry.insert_before(f"step_{number // 2}", steps[number])
            else:
                registry.insert_after(f"step_{number // 2}", steps[number])
        return registry

    def resolved() -> None:
        inserted().get_steps()

    def planned() -> None:
        plan_of_registry(inserted())

    return {
        "append to a dict by name": bare,
        "insert": _dropped(inserted),
        "insert, and resolve": resolved,
        "insert, and make the plan": planned,
    }


def _dropped(made: Callable[[], object]) -> Callable[[], None]:
    def drop() -> None:
        made()

    return drop


def reports() -> Cases:
    """Return a step that reports its progress; the floors call who listens, and nobody else."""
    runtime = RuntimeContext(logger=Silent())
    event = StepProgressed(step="reports", current=1, total=REPORTS, category="reports")

    def by_hand() -> None:
        report = runtime.set_progress
        for done in range(REPORTS):
            report(done, REPORTS, "reports")

    def by_hand_with_callback() -> None:
        report = runtime.set_progress
        for done in range(REPORTS):
            report(done, REPORTS, "reports")
            if not done % 10:
                heard(done // 10, 100)

    def by_hand_with_observer() -> None:
        report = runtime.set_progress
        for done in range(REPORTS):
            report(done, REPORTS, "reports")
            heard(event)

    registry = registry_of(0, last=Reports("reports"))
    return {
        "runtime context": by_hand,
        "reported, nobody listens": _execution(registry),
        "runtime context, callback": by_hand_with_callback,
        "reported, progress callback": _execution(registry, heard),
        "runtime context, observer": by_hand_with_observer,
        "reported, observer of all events": _execution(registry, observers=[heard]),
    }


if __name__ == "__main__":
    print(f"Python {sys.version.split()[0]}")
    for size in (1_000, 10_000, 100_000):
        turns = 51 if size == 1_000 else 15 if size == 10_000 else 5
        show(f"{size} steps are run", runs(size), size, turns)
        show(f"{size} steps are undone", rollbacks(size), size, turns)
    for size in (1_000, 10_000):
        show(f"{size} steps are inserted", edits(size), size, 15)
    show(f"{REPORTS} reports of a step", reports(), REPORTS, 101)
    show("300 steps are run in lanes", lanes(300), 300, 15)
    show("300 steps are run in chains", chains(300), 300, 15)
