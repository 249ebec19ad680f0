"""Limits and undo policies: how they are declared, which values they take, and where they go."""

from __future__ import annotations

from typing import Any

import pytest

from handrail import (
    BaseStep,
    InvalidStepError,
    Limits,
    RollbackPolicy,
    StepRegistry,
    StepResult,
    StepWrapper,
    parallel,
    step,
)
from handrail.plan.builder import plan_of_registry
from handrail.plan.plan import PlannedStep


class Works(BaseStep[Any]):
    """Does nothing."""

    name = "works"
    progress_weight = 1.0

    def execute(self, context: Any) -> StepResult:
        return StepResult()


class Limited(Works):
    """Has both."""

    limits = Limits(timeout=30, heartbeat_timeout=5.5)
    rollback_policy = RollbackPolicy(timeout=2, retries=3)


def planned(one: BaseStep[Any]) -> PlannedStep:
    registry = StepRegistry[Any]()
    registry.register(one)
    return registry.compiled(plan_of_registry).steps[0]


def test_a_step_without_any_has_none():
    """The plan has no limits for a step that declares none, and says so in its JSON form."""
    found = planned(Works())
    assert (found.limits, found.rollback_policy) == (None, None)
    assert (found.to_dict()["limits"], found.to_dict()["rollback_policy"]) == (None, None)


def test_a_class_declares_them():
    """They are two attributes, and the plan has them, also through a layer."""
    for one in (Limited(), StepWrapper(Limited()), StepWrapper(StepWrapper(Limited()))):
        found = planned(one)
        assert found.limits == Limits(timeout=30, heartbeat_timeout=5.5)
        assert found.rollback_policy == RollbackPolicy(timeout=2, retries=3)


def test_a_function_has_flat_keywords():
    """`@step` takes the values of both, those of the undo with `rollback_` before them."""

    @step(
        timeout=30,
        heartbeat_timeout=10,
        isolated=True,
        grace=1,
        memory="2GB",
        rollback_timeout=4,
        rollback_retries=3,
        rollback_wait=0.5,
    )
    def work(context: Any) -> None: ...

    assert work.limits == Limits(
        timeout=30, heartbeat_timeout=10, isolated=True, grace=1, memory="2GB"
    )
    assert work.rollback_policy == RollbackPolicy(timeout=4, retries=3, wait=0.5)
    assert planned(work).to_dict()["limits"] == {
        "timeout": 30,
        "heartbeat_timeout": 10,
        "isolated": True,
        "grace": 1,
        "memory": "2GB",
    }


def test_steps_of_one_class_may_have_different_limits():
    """Facts are shared by steps that are alike, and limits are part of that."""
    registry = StepRegistry[Any]()
    for name, timeout in (("a", 1), ("b", 2), ("c", 1)):
        one = Works()
        one.name, one.limits = name, Limits(timeout=timeout)
        registry.register(one)
    plan = registry.compiled(plan_of_registry)
    assert [each.limits.timeout for each in plan if each.limits] == [1, 2, 1]
    assert plan.steps[0].facts is plan.steps[2].facts


def test_a_blocking_step_of_a_lane_may_overrun():
    """It runs in a thread; the plan says that its limit is noticed late. Others are stopped."""

    @step(timeout=3)
    def blocks(context: Any) -> None: ...

    @step(timeout=3)
    async def awaits(context: Any) -> None: ...

    @step(timeout=3, isolated=True)
    def alone(context: Any) -> None: ...

    @step(timeout=3)
    def first(context: Any) -> None: ...

    registry = StepRegistry[Any]()
    registry.register(first)
    registry.register(parallel("side_by_side", [blocks, awaits, alone, Works()]))
    plan = registry.compiled(plan_of_registry)
    overrunning = {each.name for each in plan if each.may_overrun}
    assert overrunning == {"blocks"}
    told = {each.name: each.to_dict()["limits"] for each in plan}
    assert told["blocks"] == {"timeout": 3, "may_overrun": True}
    assert (told["awaits"], told["works"]) == ({"timeout": 3}, None)


def test_limits_do_not_identify_a_plan():
    """More time for a step is no other plan: a run that timed out is resumed with it."""

    def fingerprint(limits: Limits) -> str:
        one = Works()
        one.limits = limits
        registry = StepRegistry[Any]()
        registry.register(one)
        return registry.compiled(plan_of_registry).fingerprint

    assert fingerprint(Limits()) == fingerprint(Limits(timeout=3, isolated=True))


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2 * 10**9), ("512 MiB", 2**29), ("1.5kb", 1500), ("7B", 7), (4096, 4096)],
)
def test_memory_is_bytes_or_a_text(text, size):
    """Units of 1000 are written GB, those of 1024 GiB, in any case."""
    assert Limits(isolated=True, memory=text).memory_bytes == size


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"timeout": 0}, "timeout is 0; it must be a number of seconds above 0"),
        ({"timeout": -1}, "timeout is -1; it must be a number of seconds above 0"),
        ({"timeout": "3"}, "timeout is '3'; it must be a number of seconds above 0"),
        ({"timeout": True}, "timeout is True; it must be a number of seconds above 0"),
        ({"timeout": float("nan")}, "timeout is nan; it must be a number of seconds above 0"),
        ({"timeout": float("inf")}, "timeout is inf; it must be a number of seconds above 0"),
        (
            {"heartbeat_timeout": 0},
            "heartbeat_timeout is 0; it must be a number of seconds above 0",
        ),
        ({"grace": -1}, "grace is -1; it must be a number of seconds from 0 on"),
        ({"grace": None}, "grace is None; it must be a number of seconds from 0 on"),
        ({"isolated": 1}, "isolated is 1; it must be True or False"),
        ({"memory": "2GB"}, "memory can be limited only for an isolated step"),
        (
            {"memory": "two", "isolated": True},
            "memory is 'two'; it must be a number of bytes, or a text such as '2GB' or '512MiB'",
        ),
        (
            {"memory": 0, "isolated": True},
            "memory is 0; it must be a number of bytes, or a text such as '2GB' or '512MiB'",
        ),
        (
            {"rollback_timeout": 0},
            "rollback_timeout is 0; it must be a number of seconds above 0",
        ),
        (
            {"rollback_retries": -1},
            "rollback_retries is -1; it must be a whole number from 0 on",
        ),
        (
            {"rollback_retries": 1.5},
            "rollback_retries is 1.5; it must be a whole number from 0 on",
        ),
        ({"rollback_wait": -1}, "rollback_wait is -1; it must be a number of seconds from 0 on"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(values, told):
    """The error comes where the value is written, and names it as it was written."""
    with pytest.raises(InvalidStepError) as caught:
        step(**values)
    assert caught.value.message == told


@pytest.mark.parametrize("attribute", ["limits", "rollback_policy"])
def test_an_attribute_of_another_meaning_is_refused(attribute):
    """A step that has something else under one of the two names is told so when registered."""
    one = Works()
    vars(one)[attribute] = {"timeout": 3}
    with pytest.raises(InvalidStepError, match=f"'works' .* has the {attribute} {{'timeout': 3}}"):
        StepRegistry[Any]().register(one)


def test_both_are_values():
    """They compare by what they say, cannot be changed, and print as they are written."""
    assert Limits(timeout=3) == Limits(timeout=3) != Limits(timeout=4)
    assert len({Limits(timeout=3), Limits(timeout=3)}) == 1
    with pytest.raises(AttributeError):
        Limits().timeout = 3
    assert str(Limits(timeout=3, isolated=True)) == "timeout 3, isolated"
    assert str(RollbackPolicy(retries=2)) == "undo retries 2"
