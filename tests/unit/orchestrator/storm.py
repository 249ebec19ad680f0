"""A program that is interrupted at random instants; run by test_signals.py in a process of its own.

    python storm.py sigint|twice|durable|asyncio|alarm TRIALS SEED

With `durable` each run has a journal, and has to be closed in there as well; with `asyncio` a loop
runs it, and gets the interrupt; with `twice` a second one follows within 50 ms, and is the same.

A timer calls the handler of SIGINT with the code that it came upon, as the interpreter would, or
(`alarm`) raises an error of the program's own. After each trial every effect has to be undone, or
all of them be there; and no interrupt may get lost.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import tempfile
import time
import traceback
from typing import Any

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    Run,
    RuntimeContext,
    StepFailedError,
    StepRegistry,
    StepResult,
    StepWrapper,
    parallel,
    step,
)
from handrail.sqlite import SqliteJournal

journal: Any = None


class AlarmError(Exception):
    """What the program's own handler raises."""


world: set[str] = set()
state: dict[str, Any] = {"fired": None, "closed": 0, "stack": ""}


class Make(BaseStep):
    progress_weight = 0.1

    def __init__(self, name: str, act: str = "record") -> None:
        self.name = name
        self.act = act

    def execute(self, context: BaseStepContext) -> StepResult:
        if self.act == "fail":
            return StepResult(success=False, error="planned")
        if self.act == "return":
            result = StepResult(rollback_data={"made": [self.name]})
            world.add(self.name)
            return result
        context.record_rollback("made", self.name)
        world.add(self.name)
        return StepResult()

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        for name in result.rollback_data.get("made", []):
            world.discard(name)


class Asked(Make):
    def can_skip(self, context: BaseStepContext) -> bool:
        return False


class AsyncMake(Make):
    async def execute(self, context: BaseStepContext) -> StepResult:
        context.record_rollback("made", self.name)
        world.add(self.name)
        await asyncio.sleep(0)
        return StepResult()

    async def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        Make.rollback(self, context, result)


class Layer(StepWrapper):
    def around(self, context: BaseStepContext) -> Any:
        return (yield Run())


@step
def functional(context: BaseStepContext) -> dict[str, Any]:
    context.record_rollback("made", "functional")
    world.add("functional")
    return {"made": 1}


@functional.rollback
def unmake(context: BaseStepContext, result: StepResult) -> None:
    world.discard("functional")


class Close(BaseStep):
    name = "close"
    progress_weight = 0.0
    always_run = True

    def execute(self, context: BaseStepContext) -> StepResult:
        state["closed"] += 1
        return StepResult()


def with_group(*, broken: bool) -> StepRegistry:
    """Return steps around a group, with one that fails in a lane if `broken`."""
    registry = StepRegistry()
    registry.register(Make("before"))
    lanes: list[Any] = [
        [Make("a0"), Layer(Layer(Make("l0"))), Asked("c0")],
        [Make("r0", "return"), Make("r1", "return")],
        [functional, Make("broken", "fail")] if broken else functional,
        *([Make(f"a{number}"), Make(f"b{number}")] for number in range(1, 4)),
    ]
    if mode != "alarm":
        lanes += [[AsyncMake("w0"), Make("w1")], AsyncMake("w2")]
    registry.register(parallel("group", lanes))
    registry.register(
        parallel("limited", [Make(f"m{number}") for number in range(4)], concurrency=2)
    )
    registry.register(Make("after"))
    registry.register(Close())
    return registry


def workflow(kind: int) -> StepRegistry:
    if kind > 3:
        return with_group(broken=kind == 5)
    registry = StepRegistry()
    for number in range(12):
        registry.register(Make(f"a{number}"))
        registry.register(Make(f"r{number}", "return"))
        if mode == "asyncio":
            registry.register(AsyncMake(f"w{number}"))
        if number % 4 == 0:
            registry.register(Asked(f"c{number}"))
            registry.register(Layer(Layer(Make(f"l{number}"))))
    registry.register(functional)
    if kind == 1:
        for number in range(3):
            registry.register(AsyncMake(f"async{number}"))
    if kind == 2:
        registry.register(Make("broken", "fail"))
    registry.register(Close())
    return registry


def percent(current: int, total: int) -> None:
    assert 0 <= current <= total


def came_upon(frame: Any) -> Any:
    """Return the code that was interrupted, which is not that of another alarm."""
    found = frame
    while frame is not None:
        if frame.f_code is fire.__code__:
            found = frame.f_back
        frame = frame.f_back
    return found


def fire(signum: int, frame: Any) -> None:
    frame = came_upon(frame)
    if frame.f_code.co_name in ("trial", "main"):
        return  # Before the run, or after it.
    if frame.f_globals.get("__name__") == "_weakrefset":
        return  # Python itself loses what is raised in there.
    if mode == "asyncio" and (state["task"] is None or state["task"].done()):
        return  # The loop is not there yet, or it only ends.
    if mode == "twice" and not state["fired"]:
        signal.setitimer(signal.ITIMER_REAL, chance.choice((0.0005, 0.05)) * chance.random() + 1e-6)
    name = frame.f_code.co_name
    state["fired"] = state["fired"] or (
        name if frame.f_globals.get("__name__") == "__main__" or name == "guarded" else "engine"
    )
    state["stack"] = "".join(traceback.format_stack(frame, limit=4))
    if mode == "alarm":
        raise AlarmError
    signal.getsignal(signal.SIGINT)(signal.SIGINT, frame)


def check(outcome: str | None, error: BaseException | None, size: int) -> str | None:
    """Return what is wrong."""
    expected = KeyboardInterrupt if mode != "alarm" else (AlarmError, StepFailedError)
    broken = isinstance(error, StepFailedError) and error.step == "broken"
    # A loop delivers at the next `await`: after the last one of a run there is nobody to tell.
    late = mode == "asyncio" and (broken or outcome == "completed")
    known = isinstance(error, expected) or late or (broken and mode == "alarm")
    if state["fired"] and not known:
        return f"lost: {error!r}"
    if error is not None and not state["fired"] and not broken:
        return f"from nowhere: {error!r}"
    if outcome == "completed":
        return None if len(world) == size else f"completed with {len(world)} of {size}"
    stuck = {problem.step for problem in getattr(error, "rollback_errors", ())}
    left = {name for name in world if name not in stuck}
    if state["fired"] == "execute":
        # What a step would have returned is lost when it is interrupted: that is why it records.
        left = {name for name in left if not name.startswith("r")}
    return f"left behind after {outcome}: {sorted(left)}" if left else None


def trial(orchestrator: Any, delay: float, size: int) -> str | None:
    world.clear()
    state.update(fired=None, closed=0, task=None)
    context = orchestrator.context = BaseStepContext(RuntimeContext())
    error: BaseException | None = None
    try:
        signal.setitimer(signal.ITIMER_REAL, delay)
        if mode == "asyncio":
            asyncio.run(in_loop(orchestrator))
        else:
            orchestrator.execute()
    except (KeyboardInterrupt, AlarmError, StepFailedError) as raised:
        error = raised
    signal.setitimer(signal.ITIMER_REAL, 0)
    wrong = check(context.outcome, error, size)
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        wrong = "the handler was not put back"
    unclear = state["fired"] in ("execute", "guarded")
    if wrong is None and context.outcome and state["closed"] != 1 and not unclear:
        wrong = f"the closing step ran {state['closed']} times"
    if wrong is None and journal is not None:
        wrong = check_journal(context.outcome)
    if wrong is None and context.current_step is not None:
        wrong = "the run still has a current step"
    if wrong:
        where = "".join(traceback.format_exception(error)) if error else ""
        came = f"(came upon {state['fired']}, after {delay * 1e6:.0f} us)"
        return f"{wrong} {came}\n{state['stack']}\n{where}"
    return None


async def in_loop(orchestrator: Any) -> None:
    state["task"] = asyncio.current_task()
    await orchestrator.execute_async()


def check_journal(outcome: str | None) -> str | None:
    """Return what is wrong in the journal, where each run has to be closed, and given up."""
    row = journal.runs(limit=1)[0]
    if outcome is None and row.outcome is not None:
        return None  # It came before the run was opened.
    if row.outcome != outcome:
        return f"{outcome}, but recorded as {row.outcome}"
    left = [
        each.step
        for each in journal.read(row.number).attempts
        if each.state not in ("undone", "skipped") and each.step != "close"
    ]
    return f"recorded as not undone: {left}" if left and outcome == "rolled_back" else None


def main(trials: int) -> None:
    signal.signal(signal.SIGALRM, fire)
    fired: dict[str, int] = {}
    # An event loop does not bear errors that are raised anywhere inside it.
    for kind in {"alarm": (0, 2, 3, 4, 5), "durable": (0, 1, 2, 4, 5)}.get(mode, range(6)):
        registry = workflow(kind)
        size = len(registry.get_steps()) - 1
        callback = percent if kind == 3 else None
        orchestrator = Orchestrator(
            registry, BaseStepContext(RuntimeContext()), callback, journal=journal
        )
        began = time.perf_counter()
        for _ in range(5):
            trial(orchestrator, 60, size)
        took = (time.perf_counter() - began) / 5
        for _ in range(trials):
            wrong = trial(orchestrator, chance.uniform(1e-6, took * 1.2), size)
            if wrong:
                sys.exit(f"workflow {kind}: {wrong}")
            name = str(state["fired"])
            fired[name] = fired.get(name, 0) + 1
    print(f"ok {fired}")


if __name__ == "__main__":
    mode = sys.argv[1]
    chance = random.Random(int(sys.argv[3]))
    with tempfile.TemporaryDirectory() as folder:
        if mode == "durable":
            journal = SqliteJournal(f"{folder}/runs.db", synchronous="normal")
        main(int(sys.argv[2]))
