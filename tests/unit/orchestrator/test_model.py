"""Random workflows through both drivers, compared with a model that fits on one screen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    Run,
    RuntimeContext,
    StepRegistry,
    StepResult,
    StepWrapper,
    Undo,
)


@dataclass(frozen=True)
class Spec:
    """What one random step does."""

    act: str  # ok, fail, raise, skip, skip_raises, nonsense
    is_async: bool
    records: tuple[int, ...]
    returns: tuple[int, ...]
    undo_raises: bool
    always_run: bool
    wrapped: str  # no, layer, opaque, retry, nested
    flaky: bool  # the first attempt fails
    weight: str


specs = st.builds(
    Spec,
    act=st.sampled_from(["ok"] * 8 + ["fail", "raise", "skip", "skip", "skip_raises", "nonsense"]),
    is_async=st.booleans(),
    records=st.lists(st.integers(0, 3), max_size=2).map(tuple),
    returns=st.lists(st.integers(2, 5), max_size=2, unique=True).map(tuple),
    undo_raises=st.integers(0, 5).map(lambda number: number == 0),
    always_run=st.integers(0, 6).map(lambda number: number == 0),
    wrapped=st.sampled_from(["no", "no", "no", "layer", "opaque", "retry", "nested"]),
    flaky=st.integers(0, 4).map(lambda number: number == 0),
    weight=st.sampled_from(["0", "0.1", "0.2", "0.7", "1", "3"]),
)


@dataclass
class Context(BaseStepContext):
    """Remembers what happened, in order."""

    log: list[Any] = field(default_factory=list)


class Step(BaseStep[Context]):
    def __init__(self, name: str, spec: Spec) -> None:
        self.name = name
        self.progress_weight = float(spec.weight)
        self.always_run = spec.always_run
        self.spec = spec
        self.attempts = 0

    def can_skip(self, context: Context) -> bool:
        if self.spec.act == "skip_raises":
            raise ValueError("skip")
        return self.spec.act == "skip"

    def work(self, context: Context) -> Any:
        self.attempts += 1
        context.log.append(("run", self.name))
        for value in self.spec.records:
            context.record_rollback("made", value)
        if self.spec.always_run:
            failed = None if context.failure is None else type(context.failure).__name__
            context.log.append((context.outcome, failed))
        if self.spec.act == "raise":
            raise ValueError("broken")
        if self.spec.act == "nonsense":
            return 7
        failing = self.spec.act == "fail" or (self.spec.flaky and self.attempts == 1)
        data = {"made": list(self.spec.returns)} if self.spec.returns else {}
        return StepResult(
            success=not failing, error="failed" if failing else None, rollback_data=data
        )

    def execute(self, context: Context) -> Any:
        return self.work(context)

    def rollback(self, context: Context, result: StepResult) -> None:
        context.log.append(("undo", self.name, list(result.rollback_data.get("made", []))))
        if self.spec.undo_raises:
            raise OSError("stuck")


class AsyncStep(Step):
    async def can_skip(self, context: Context) -> bool:
        await asyncio.sleep(0)
        return Step.can_skip(self, context)

    async def execute(self, context: Context) -> Any:
        await asyncio.sleep(0)
        return self.work(context)

    async def rollback(self, context: Context, result: StepResult) -> None:
        await asyncio.sleep(0)
        Step.rollback(self, context, result)


class Layer(StepWrapper[Context]):
    def around(self, context: Context) -> Any:
        return (yield Run())


class Opaque(StepWrapper[Context]):
    def execute(self, context: Context) -> Any:
        return self.wrapped.execute(context)


class Retry(StepWrapper[Context]):
    def around(self, context: Context) -> Any:
        result = yield Run()
        if not result.success:
            yield Undo()
            result = yield Run()
        return result


def build(name: str, spec: Spec) -> BaseStep[Context]:
    step: BaseStep[Context] = (AsyncStep if spec.is_async else Step)(name, spec)
    if spec.wrapped in ("layer", "nested"):
        step = Layer(step)
    if spec.wrapped in ("retry", "nested"):
        step = Retry(step)
    if spec.wrapped in ("opaque", "nested"):
        step = Opaque(step)
    return step


class Model:
    """What has to happen, worked out with nothing but a list."""

    def __init__(self, plan: list[Spec]) -> None:  # noqa: C901 - the model in one piece
        self.log: list[Any] = []
        self.errors: list[str] = []
        self.failed: str | None = None
        self.executed = 0
        self.percents: list[int] = []
        named = [(f"s{number}", spec) for number, spec in enumerate(plan)]
        order = [pair for pair in named if not pair[1].always_run]
        closing = [pair for pair in named if pair[1].always_run]
        weights = [Fraction(spec.weight) for _, spec in order + closing]
        if not sum(weights):
            weights = [Fraction(1)] * len(weights)
        done = Fraction(0)
        undo: list[tuple[str, Spec, list[int]]] = []
        for position, (name, spec) in enumerate(order):
            state, made = self.attempt(name, spec)
            if state in ("ok", "failed") and spec.act != "skip":
                undo.append((name, spec, made))
            if state in ("failed", "not started"):
                break
            done += weights[position]
            if position + 1 < len(plan):
                self.report(done / sum(weights))
        if self.failed:
            for name, spec, made in reversed(undo):
                self.log.append(("undo", name, made))
                if spec.undo_raises:
                    self.errors.append(f"Rollback of step '{name}' failed: stuck")
        self.outcome = (
            "completed"
            if not self.failed
            else ("rollback_incomplete" if self.errors else "rolled_back")
        )
        for position, (name, spec) in enumerate(closing, len(order)):
            before = self.failed
            state, _ = self.attempt(name, spec, closing=True)
            done += weights[position]
            if not self.failed and state == "ok" and position + 1 < len(plan):
                self.report(done / sum(weights))
            self.failed = before or self.failed
        if not self.failed:
            self.percents.append(100)

    def report(self, share: Fraction) -> None:
        percent = min(99, int(share * 100))
        if percent > (self.percents[-1] if self.percents else 0):
            self.percents.append(percent)

    def attempt(  # noqa: C901 - the model in one piece
        self, name: str, spec: Spec, *, closing: bool = False
    ) -> tuple[str, list[int]]:
        if spec.act == "skip":
            return "ok", []
        if spec.act == "skip_raises":
            self.failed = f"Step '{name}' failed: skip"
            return "not started", []
        returned = [] if spec.act in ("raise", "nonsense") else list(spec.returns)
        made = list(dict.fromkeys([*spec.records, *returned]))
        if not spec.records:
            made = returned
        runs = 1
        fails = spec.act == "fail"
        left: list[int] | None = None
        retried = spec.wrapped in ("retry", "nested") and spec.act in ("ok", "fail")
        if spec.flaky and spec.act == "ok":
            fails = not retried
        if retried and (fails or spec.flaky):
            runs = 2
        for number in range(runs):
            self.log.append(("run", name))
            if closing:
                failed = "StepFailedError" if self.failed else None
                self.log.append((self.outcome, failed))
            if runs == 2 and number == 0:
                self.log.append(("undo", name, made))
                if spec.undo_raises:
                    left = made
                    break
        if left is not None:
            self.failed = f"Step '{name}' failed: stuck"
            return "failed", left
        if spec.act in ("raise", "nonsense") or fails:
            text = {
                "raise": "broken",
                "nonsense": f"step '{name}' returned 7 instead of a StepResult",
            }.get(spec.act, "failed")
            self.failed = f"Step '{name}' failed: {text}"
            return "failed", made
        self.executed += 1
        return "ok", made


def execute(plan: list[Spec], how: str) -> tuple[Any, ...]:
    registry = StepRegistry[Context]()
    for number, spec in enumerate(plan):
        registry.register(build(f"s{number}", spec))
    context = Context(RuntimeContext())
    percents: list[int] = []
    observers = [lambda event: None] if how.endswith("observed") else []
    orchestrator = Orchestrator(
        registry, context, lambda now, total: percents.append(now), observers=observers
    )
    failed, result = None, None
    try:
        if how.startswith("async"):
            result = asyncio.run(orchestrator.execute_async())
        else:
            result = orchestrator.execute()
    except RuntimeError as error:
        failed = str(error).split(" (for output")[0]
    return context.log, failed, context.errors, percents, result, context.outcome


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(specs, max_size=7))
def test_both_drivers_do_what_the_model_says(plan: list[Spec]) -> None:
    """Order of work, undo data, errors, progress, result and outcome are the model's, both ways."""
    model = Model(plan)
    result = {"success": True, "steps_executed": model.executed, "steps_total": len(plan)}
    expected = (
        model.log,
        model.failed,
        model.errors,
        model.percents,
        None if model.failed else result,
        model.outcome,
    )
    for how in ("blocking", "blocking observed", "async", "async observed"):
        assert execute(plan, how) == expected, how
