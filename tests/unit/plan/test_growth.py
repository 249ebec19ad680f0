"""Planning with many packs: the work grows with packs times steps, and no faster."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from handrail import ActionInfo, BaseStepContext, Origin, StepRegistry, hookimpl
from handrail.packs.loader import load_inline
from handrail.packs.planner import plan_action
from handrail.packs.provider import ExplicitPacks

INFO = ActionInfo(
    name="upload", lineage=("upload",), context_type=BaseStepContext, origin=Origin(pack="host")
)


def provider_of(hooks: list[Any]) -> Any:
    packs = [load_inline(each, f"acme-{number:04}") for number, each in enumerate(hooks)]
    return ExplicitPacks(packs, {})


def base_of(named: Any, count: int) -> StepRegistry[Any]:
    registry: StepRegistry[Any] = StepRegistry()
    for number in range(count):
        registry.register(named(f"base_{number}"))
    return registry


def calls_during(work: Callable[[], object]) -> int:
    """Return how many functions `work` calls, those written in C too."""
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


class Counting:
    """Inserts a step at each of some steps of the action, and counts how often it is asked."""

    asked = 0

    def __init__(self, named: Any, number: int, edits: int) -> None:
        self.steps = {f"base_{each}": named(f"s_{number}_{each}") for each in range(edits)}

    @hookimpl
    def insert_before(self, step: Any) -> Any:
        Counting.asked += 1
        return self.steps.get(step.name)


class Chained:
    """Each step hangs on the one that the next pack brings, and may do without it."""

    def __init__(self, named: Any, number: int, edits: int) -> None:
        self.named, self.number, self.edits = named, number, edits

    @hookimpl
    def setup_steps(self, registry: Any) -> None:
        for each in range(self.edits):
            anchor = f"s_{self.number + 1}_{each}"
            registry.insert_after(
                anchor, self.named(f"s_{self.number}_{each}"), if_missing=self.if_missing
            )

    if_missing = "skip"


class Registering(Chained):
    """Appends its steps."""

    @hookimpl
    def setup_steps(self, registry: Any) -> None:
        for each in range(self.edits):
            registry.register(self.named(f"s_{self.number}_{each}"))


class Layering(Chained):
    """Wraps a few steps of the action by name."""

    @hookimpl
    def setup_steps(self, registry: Any) -> None:
        from handrail import StepWrapper

        for each in range(self.edits):
            registry.wrap(f"base_{each}", StepWrapper)


@pytest.fixture
def counted() -> Iterator[type[Counting]]:
    Counting.asked = 0
    yield Counting
    Counting.asked = 0


def test_each_pack_is_asked_once_about_each_step_that_it_did_not_lead_to(named, counted) -> None:
    """100 packs with 1000 edits: every hook is called once a step, and never about its own."""
    packs = provider_of([counted(named, number, 10) for number in range(100)])
    plan = plan_action(INFO, base_of(named, 10), packs)
    assert len(plan) == 1010
    assert counted.asked == 100 * (1010 - 10)


def test_a_hook_call_costs_a_few_function_calls(named, counted) -> None:
    """Nearly all of planning with many packs is their hooks: what surrounds a call has to be slim.

    A hook is two calls here, its own and the look-up of its answer. pluggy adds a dozen, the
    comparison of the step with what it was as many, and each edit may add a hundred.
    """
    packs = provider_of([counted(named, number, 10) for number in range(100)])
    registry = base_of(named, 10)
    spent = calls_during(lambda: plan_action(INFO, registry, packs))
    assert spent < 30 * counted.asked + 100 * 1000


def test_what_stands_in_for_a_pack_hears_of_every_call(named, counted) -> None:
    """The quick way past `call` is for packs themselves, not for what wraps one to listen."""

    class Listening:
        def __init__(self, pack: Any) -> None:
            self.pack, self.heard = pack, 0

        def __getattr__(self, name: str) -> Any:
            return getattr(self.pack, name)

        def call(self, hook: str, **arguments: Any) -> Any:
            self.heard += 1
            return self.pack.call(hook, **arguments)

    (pack,) = provider_of([counted(named, 0, 1)]).contributors()
    listening = Listening(pack)
    plan_action(INFO, base_of(named, 3), ExplicitPacks([cast("Any", listening)], {}))
    assert listening.heard == counted.asked == 3


@pytest.mark.parametrize("kind", [Chained, Registering])
@pytest.mark.parametrize("if_missing", ["skip", "error"])
def test_edits_grow_no_faster_than_n_log_n(named, kind, if_missing, monkeypatch) -> None:
    """Twice the packs with the same edits each are at most a little more than twice the work."""
    from handrail import PlanError

    monkeypatch.setattr(kind, "if_missing", if_missing)

    def spent(count: int) -> int:
        packs = provider_of([kind(named, number, 10) for number in range(count)])
        registry = base_of(named, 10)

        def work() -> None:
            try:
                plan_action(INFO, registry, packs)
            except PlanError:
                assert if_missing == "error"

        return calls_during(work)

    few, many = spent(40), spent(80)
    assert many / few < 2 * math.log(800) / math.log(400) * 1.1


def test_layers_by_name_grow_no_faster_than_their_stack(named) -> None:
    """A layer that is put around a step costs what it takes to know the layers inside it."""
    spent = []
    for count in (10, 20):
        packs = provider_of([Layering(named, number, 10) for number in range(count)])
        registry = base_of(named, 10)
        spent.append(calls_during(lambda r=registry, p=packs: plan_action(INFO, r, p)))
    assert spent[1] / spent[0] < 4
