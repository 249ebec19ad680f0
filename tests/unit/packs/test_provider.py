"""Packs that are passed in shape a plan, and nothing installed does."""

from __future__ import annotations

import pytest

from handrail import BaseStep, StepResult, action
from handrail.errors import PlanError
from handrail.hookspecs import hookimpl
from handrail.packs.loader import load_inline
from handrail.packs.provider import explicit_packs


class Notify(BaseStep):
    name = "notify"
    progress_weight = 1.0

    def execute(self, context):
        return StepResult()


class Hooks:
    @hookimpl
    def setup_steps(self, action, registry):
        registry.insert_after("work", Notify())


class Work(Notify):
    name = "work"


def test_given_packs_shape_a_plan():
    """Objects with hooks that are passed in are all that shapes a plan."""
    workflow = action("demo", [Work()])
    plan = workflow({}, packs=[Hooks()]).plan()
    assert [step.name for step in plan.steps] == ["work", "notify"]
    assert plan.steps[1].origin.pack == "hooks"
    assert plan.steps[1].origin.line > 0
    assert [step.name for step in workflow({}, packs=()).plan().steps] == ["work"]


def test_given_grants():
    """Grants can be given along, in any spelling of the pack."""

    class Remover:
        @hookimpl
        def setup_steps(self, registry):
            registry.unregister("notify")

    class Turbo(Hooks):
        pass

    workflow = action("demo", [Work()])
    packs = [load_inline(Turbo()), load_inline(Remover(), "acme-remover")]
    with pytest.raises(PlanError):
        workflow({}, packs=explicit_packs(packs)).plan()
    provider = explicit_packs(packs, grants={"Acme_Remover": ["remove turbo:notify"]})
    assert [step.name for step in workflow({}, packs=provider).plan().steps] == ["work"]
