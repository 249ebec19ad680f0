"""A plan has what is required of it exactly when the rule says so, whatever else is in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handrail import BaseStep, StepRegistry, StepResult
from handrail.origin import Origin
from handrail.plan.builder import Draft, base_drafts, freeze
from handrail.plan.rules import RequiredStep, missing, required_in
from handrail.plan.selection import select

NAMES = ("a", "b", "c", "scan", "send")
PACKS = ("acme-scan", "acme-other")


class Step(BaseStep):
    progress_weight = 1.0

    def __init__(self, name):
        self.name = name

    def execute(self, context):
        return StepResult()


def plan_of(steps):
    """Return a plan of `(name, pack)`, in that order."""
    registry = StepRegistry()
    for name, _ in steps:
        registry.register(Step(name))
    drafts = [
        Draft(entry=draft.entry, origin=Origin(pack=pack), reason="base")
        for draft, (_, pack) in zip(base_drafts(registry, Origin()), steps, strict=True)
    ]
    return freeze("ship", drafts)


STEPS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(PACKS)), unique_by=lambda each: each[0]
)
SIDES = st.sampled_from(["before", "after"])


def required(side, within=("*",)):
    origin = Origin(file="handrail.toml", line=1)
    return RequiredStep(
        pack="acme-scan", name="scan", side=side, anchor="send", within=within, origin=origin
    )


def is_in_place(steps, side):
    """Whether scan, of its own pack, stands on that side of send."""
    names = [name for name, _ in steps]
    if ("scan", "acme-scan") not in steps or "send" not in names:
        return False
    scan, send = names.index("scan"), names.index("send")
    return scan < send if side == "before" else scan > send


@given(steps=STEPS, side=SIDES)
def test_the_rule_for_every_action(steps, side):
    """Of an action with the anchor, its own pack's step is required on the right side of it."""
    names = {name for name, _ in steps}
    found = list(missing(plan_of(steps), [required(side)], names))
    assert bool(found) is ("send" in names and not is_in_place(steps, side))


@given(steps=STEPS, side=SIDES)
def test_the_rule_for_an_action_by_name(steps, side):
    """Of an action that is named it is required also where the anchor is gone."""
    found = list(missing(plan_of(steps), [required(side, ("ship",))], set()))
    assert bool(found) is not is_in_place(steps, side)


@given(steps=STEPS.filter(bool), side=SIDES, data=st.data())
def test_no_part_of_a_plan_has_the_anchor_alone(steps, side, data):
    """Whatever is chosen of a plan: what has the anchor has the step beside it, or is refused."""
    plan = plan_of(steps)
    chosen = data.draw(st.lists(st.sampled_from([name for name, _ in steps]), min_size=1))
    part = select(plan, only=chosen)
    kept = [(name, pack) for name, pack in steps if name in chosen]
    found = list(missing(part, [required(side, ("ship",))], None))
    assert bool(found) is ("send" in chosen and not is_in_place(kept, side))


def test_what_is_required_of_whom():
    """Requirements reach the actions that are named, what descends from them, and all with `*`."""
    everywhere, upload = required("before"), required("before", ("upload", "export"))
    assert required_in(("nightly", "upload"), [everywhere, upload]) == [everywhere, upload]
    assert required_in(("tidy",), [everywhere, upload]) == [everywhere]
