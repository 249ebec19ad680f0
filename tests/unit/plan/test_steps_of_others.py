"""A hook that changes a step of others is found: nothing is planned, and the step is as it was."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pytest

from handrail import PlanError, hookimpl
from handrail.packs.provider import explicit_packs


def base(named):
    return [named("find"), named("send")]


def changed(error):
    found = [problem for problem in error.value.problems if problem.code == "step-changed"]
    return [problem.message.partition(", which")[0] for problem in found]


@pytest.mark.parametrize("hook", ["insert_before", "insert_after", "wrap_step"])
@pytest.mark.parametrize("attribute", ["execute", "can_skip", "name", "_undo"])
def test_the_pack_and_the_step_are_named(named, pack, plan, hook, attribute):
    """Whatever the hook sets on the step that it is asked about."""
    steps = base(named)
    before = [dict(vars(step)) for step in steps]

    def change(step):
        if step.name == "send":
            setattr(step, attribute, lambda context: True)

    packs = [pack("acme-a", insert_before=lambda step: None), pack("acme-b", **{hook: change})]
    with pytest.raises(PlanError) as error:
        plan(steps, packs)
    assert changed(error) == [f"acme-b 1.0 changes {attribute} of send"]
    assert [vars(step) for step in steps] == before


def test_the_class_of_a_step_may_not_be_replaced(named, pack, plan):
    def change(step):
        step.__class__ = type("Other", (type(step),), {"execute": print})

    steps = base(named)
    kinds = [type(step) for step in steps]
    with pytest.raises(PlanError) as error:
        plan(steps, [pack("acme-a", wrap_step=change)])
    assert changed(error) == ["acme-a 1.0 changes __class__ of find, send"]
    assert [type(step) for step in steps] == kinds


def test_setup_steps_may_not_change_the_steps_of_the_registry(named, pack, plan):
    def setup_steps(registry):
        for step in registry:
            step.execute = print

    steps = base(named)
    with pytest.raises(PlanError) as error:
        plan(steps, [pack("acme-a", setup_steps=setup_steps)])
    assert changed(error) == ["acme-a 1.0 changes execute of find, send"]
    assert all("execute" not in vars(step) for step in steps)


def test_check_plan_may_not_change_the_planned_steps(named):
    from handrail import action

    class Hooks:
        @hookimpl
        def check_plan(self, plan: Any) -> None:
            plan.steps[0].step.execute = print

    steps = base(named)
    with pytest.raises(PlanError) as error:
        action("ship", steps).action_class(packs=explicit_packs([Hooks()])).plan()
    assert changed(error) == ["hooks changes execute of find"]
    assert "execute" not in vars(steps[0])


def test_a_change_that_is_made_only_once_is_found(named, pack, plan):
    done = set()

    def hook(step):
        if step.name not in done:
            done.add(step.name)
            step.execute = print

    with pytest.raises(PlanError) as error:
        plan(base(named), [pack("acme-a", insert_after=hook)])
    assert changed(error) == ["acme-a 1.0 changes execute of find, send"]


def test_an_attribute_that_is_gone_and_one_in_a_slot_are_changes(named, pack, plan):
    class Slotted(type(named("x"))):  # type: ignore[misc]
        __slots__ = ("rate",)

    slotted = Slotted("slow", limit=3)
    slotted.rate = 1

    def hook(step):
        if step is slotted:
            del step.limit
            step.rate = 100

    with pytest.raises(PlanError) as error:
        plan([slotted], [pack("acme-a", insert_after=hook)])
    assert changed(error) == ["acme-a 1.0 changes limit, rate of slow"]
    assert (slotted.limit, slotted.rate) == (3, 1)


def test_reading_is_no_change(named, pack, plan):
    """A cached property keeps its value in the step, and a pack may change its own steps."""

    class Cached(type(named("x"))):  # type: ignore[misc]
        @cached_property
        def size(self) -> int:
            return 3

    own = named("own")

    def hook(step):
        own.seen = step.name
        if step.name == "find":
            return own
        return None if getattr(step, "size", 3) == 3 else step

    planned = plan([Cached("find"), Cached("send")], [pack("acme-a", insert_after=hook)])
    assert [each.name for each in planned] == ["find", "own", "send"]


def test_a_pack_that_changes_many_steps_is_one_problem(named, pack, plan):
    """Which names the first of them."""
    steps = [named(f"s{number}") for number in range(20)]

    def change(step):
        step.execute = print

    with pytest.raises(PlanError) as error:
        plan(steps, [pack("acme-a", wrap_step=change)])
    listed = ", ".join(f"s{number}" for number in range(12))
    assert changed(error) == [f"acme-a 1.0 changes execute of {listed}, ..."]


def test_a_class_may_keep_a_cache(named, pack, plan):
    """What it keeps for itself is no step."""

    class Acme(type(named("x"))):  # type: ignore[misc]
        known = 0

    def hook(step):
        Acme.known += 1
        Acme.added = {}

    assert plan([Acme("find"), Acme("send")], [pack("acme-a", insert_after=hook)])
    assert Acme.known == 2
