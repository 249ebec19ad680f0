"""A plan is identified by its steps as they are, in their order, and by nothing else."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail import BaseStep, StepRegistry, StepResult, StepWrapper
from handrail.plan.builder import plan_of_registry
from handrail.plan.forms import plan_json
from handrail.plan.plan import Plan


class Does(BaseStep[Any]):
    """Does nothing."""

    def __init__(self, name: str, weight: float = 0.1, *, always: bool = False) -> None:
        self.name, self.progress_weight, self.always_run = name, weight, always

    def execute(self, context: Any) -> StepResult:
        return StepResult()


class Other(Does):
    """Another class."""


class Around(StepWrapper[Any]):
    """A layer."""


def plan_of(*steps: BaseStep[Any]) -> Plan:
    registry = StepRegistry[Any]()
    for step in steps:
        registry.register(step)
    return registry.compiled(plan_of_registry)


def written_out(plan: Plan) -> str:
    """The definition: the first 16 digits of a SHA-256 over one JSON text."""
    known = [plan.action, [planned.identity for planned in plan.steps]]
    text = json.dumps(known, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:16]


NAMES = st.text(min_size=1).filter(str.strip) | st.sampled_from(
    ["é", 'a"b', "a\\", "\ud800", "x y"]
)
STEPS = st.builds(
    lambda cls, name, weight, always, layers: (cls, name, weight, always, layers),
    st.sampled_from([Does, Other]),
    NAMES,
    st.sampled_from([0.1, 0.25, 1, 3.0]),
    st.booleans(),
    st.integers(0, 2),
)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=8, unique_by=lambda step: step[1]))
def test_what_is_put_together_by_hand_is_the_json_of_the_plan(drawn: list[Any]) -> None:
    """Steps that differ in their names only, and all others."""
    steps: list[BaseStep[Any]] = []
    for cls, name, weight, always, layers in drawn:
        step = cls(name, weight, always=always)
        for _ in range(layers):
            step = Around(step)
        steps.append(step)
    plan = plan_of(*steps)
    assert plan.fingerprint == written_out(plan)
    assert plan_json(plan) == json.dumps(plan.to_dict(), separators=(",", ":"))


@pytest.mark.parametrize(
    "changed",
    [Does("b"), Other("a"), Does("a", 0.2), Does("a", always=True)],
    ids=["name", "class", "weight", "always_run"],
)
def test_what_a_step_is_counts(changed: Does) -> None:
    """Each part of it, also where other steps are alike."""
    before = plan_of(Does("first"), Does("a"), Does("last", always=True))
    after = plan_of(Does("first"), changed, Does("last", always=True))
    assert before.fingerprint != after.fingerprint
