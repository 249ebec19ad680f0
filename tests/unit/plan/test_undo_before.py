"""The names in `undo_before`: checked when a plan is made, and told by it."""

from __future__ import annotations

from typing import Any

import pytest

from handrail import StepRegistry, StepWrapper, action, chain, parallel
from handrail.builtin.cli.view.explanation import explain
from handrail.errors import InvalidStepError, PlanError
from handrail.plan.builder import plan_of_registry
from handrail.plan.checks import senseless_waits
from handrail.plan.selection import select


def planned(*steps):
    registry = StepRegistry()
    for step in steps:
        registry.register(step)
    return plan_of_registry(registry)


def problems(*steps):
    with pytest.raises(PlanError) as caught:
        planned(*steps)
    return [(each.code, each.message) for each in caught.value.problems]


def test_it_is_in_the_json_form(named):
    """Of a step that says it, and of no other; through its layers, too."""
    plan = planned(named("send"), StepWrapper(named("list", undo_before=("send",))))
    assert [each.get("undo_before") for each in plan.to_dict()["steps"]] == [None, ["send"]]


def test_a_misspelt_name_is_a_problem(named):
    """With what may be meant."""
    found = problems(named("upload_files"), named("rows", undo_before=("uplaod_files",)))
    assert [code for code, _ in found] == ["undo-before"]
    assert found[0][1].endswith("did you mean upload_files?")


def test_a_step_that_is_not_there_is_none(named):
    """It may be of a pack that is not installed; and names of others may resemble it a little."""
    planned(named("validate_files"), named("rows", undo_before=("upload_files",)))


@pytest.mark.parametrize("name", ["rows", "mail", "close"])
def test_only_steps_before_it_can_be_named(named, name):
    """Others are undone earlier, or never."""
    late, close = named("mail"), named("close", always_run=True)
    found = problems(named("rows", undo_before=(name,)), late, close)
    assert [code for code, _ in found] == ["undo-before"]


def test_a_step_that_always_runs_has_no_undo_to_wait_for(named):
    """It is that step which is never undone, and not the one that it names."""
    found = problems(named("send"), named("close", always_run=True, undo_before=("send",)))
    assert found[0][1].endswith("names 'send', but it always runs, and is never undone")


def test_a_step_of_another_lane_cannot_be_named(named):
    """It may begin later, and is undone before then."""
    group = parallel("both", [[named("send")], [named("rows", undo_before=("send",))]])
    assert [code for code, _ in problems(group)] == ["undo-before"]


@pytest.mark.parametrize("names", ["send", 1, ("",), (1,), None, "", 0])
def test_what_is_no_tuple_of_names_is_refused(named, names):
    """When the step is registered."""
    with pytest.raises(InvalidStepError, match="undo_before"):
        planned(named("send"), named("rows", undo_before=names))


def test_a_removed_step_is_no_misspelling(named, pack, plan):
    """Though another one has nearly its name; and part of a plan need not have it."""
    removes = pack("acme", setup_steps=lambda registry: registry.unregister("send_all"))
    steps = [named("send_all"), named("send_alls"), named("rows", undo_before=("send_all",))]
    made = plan(steps, [removes], {"acme": frozenset({"remove host:send_all"})})
    assert [each.name for each in made.steps] == ["send_alls", "rows"]
    assert not list(senseless_waits(made))
    whole = planned(named("send"), named("rows", undo_before=("send",)))
    assert len(select(whole, only=["rows"])) == 1


def test_an_explanation_tells_of_both_steps(named, plan):
    """Of the one that says it, and of the one that waits."""
    made = plan([named("send"), named("rows", undo_before=("send",))], [])
    told = {name: [each.told for each in explain(made, name).links] for name in ("send", "rows")}
    assert told["rows"][-1] == "undone before send, which waits while that fails"
    assert told["send"][-1] == "undone only after rows"


def test_a_chain_shows_the_names_of_its_steps(named):
    parts = [action(each, [named("send"), named("rows", undo_before=("send",))]) for each in "ab"]
    made = chain("both", parts).plan(packs=())
    shown: Any = made.to_dict()["steps"]
    assert [each.get("undo_before") for each in shown] == [None, ["a.send"], None, ["b.send"]]
    assert made.steps[1].inner.steps[1].facts.undo_before == ("send",)
