"""Groups in a plan: lanes are contiguous ranges of a flat plan, and part of its fingerprint."""

from handrail import BaseStep, BaseStepContext, Group, StepRegistry, StepResult, parallel
from handrail.plan.builder import plan_of_registry
from handrail.plan.plan import Plan
from handrail.plan.selection import select


class Named(BaseStep[BaseStepContext]):
    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: BaseStepContext) -> StepResult:
        return StepResult()


def media(concurrency: int | None = None) -> Plan:
    resize, watermark, transcode = map(Named, ("resize", "watermark", "transcode"))
    registry: StepRegistry = StepRegistry()
    registry.register(Named("fetch"))
    registry.register(parallel("media", [[resize, watermark], transcode], concurrency=concurrency))
    registry.register(Named("publish"))
    return plan_of_registry(registry)


def test_a_plan_says_in_which_lane_of_which_group_each_step_stands() -> None:
    plan = media(concurrency=4)
    assert [(each.name, each.group, each.lane) for each in plan] == [
        ("fetch", None, None),
        ("resize", "media", 0),
        ("watermark", "media", 0),
        ("transcode", "media", 1),
        ("publish", None, None),
    ]
    assert plan.groups == (Group(name="media", lanes=(range(1, 3), range(3, 4)), limit=4),)


def test_a_plan_without_groups_has_none() -> None:
    registry: StepRegistry = StepRegistry()
    registry.register(Named("fetch"))
    assert plan_of_registry(registry).groups == ()


def test_the_lanes_that_remain_of_a_group_are_numbered_anew() -> None:
    part = select(media(), skip=["resize", "watermark"])
    assert part.groups == (Group(name="media", lanes=(range(1, 2),)),)
    assert [each.lane for each in part] == [None, 0, None]
    assert select(media(), only=["fetch", "publish"]).groups == ()
