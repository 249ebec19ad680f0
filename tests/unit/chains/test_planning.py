"""The plan of a chain: that of each action by itself, one after the other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chain_of_files import DATASET, INPUTS, STEPS, Gather, Press, Teach
from pydantic import BaseModel, SecretStr

from handrail import (
    BaseAction,
    BaseStep,
    PlanError,
    StepResult,
    action,
    chain,
    hookimpl,
    parallel,
    step,
)
from handrail.errors import ActionError
from handrail.params.validation import unchecked
from handrail.plan.forms import plan_json
from handrail.plan.selection import select


@step
def look(context): ...


class Hooks:
    """Notes what it is asked about, and answers for one step of one action."""

    def __init__(self):
        self.asked = []

    @hookimpl
    def insert_before(self, action, step):
        self.asked.append((action.name, action.lineage, step.name))
        return look if "press" in action.lineage and step.name == "open" else None


def names(plan):
    """Return the names of all steps, those of the actions too."""
    return [each["name"] for each in plan.to_dict()["steps"]]


def test_the_steps_of_each_action_follow_each_other_and_those_that_always_run_come_last():
    plan = DATASET.plan(packs=())
    assert tuple(names(plan)) == STEPS
    assert [planned.name for planned in plan.steps] == ["gather", "press", "teach"]
    assert [each.name for each in plan.steps[0].inner.steps] == ["open", "fetch", "close"]
    assert (plan.ordinary, plan.size) == (3, 9)


def test_each_action_counts_the_same_in_the_progress():
    class Heavy(BaseStep):
        name, progress_weight = "heavy", 500.0

        def execute(self, context):
            return StepResult()

    light = action("light", [look])
    plan = chain("both", [action("heavy", [Heavy()]), light]).plan(packs=())
    assert [planned.weight_share for planned in plan.steps] == [0.5, 0.5]


def test_packs_see_each_action_as_the_one_that_it_is_and_nothing_else():
    hooks = Hooks()
    plan = DATASET.plan(packs=(hooks,))
    assert {name for name, _, _ in hooks.asked} == {"dataset", "gather", "press", "teach"}
    assert all("." not in step for _, _, step in hooks.asked)
    assert names(plan)[2:4] == ["press.look", "press.open"]


def test_a_step_of_a_pack_has_to_fit_the_context_of_the_action_it_is_put_into():
    class Fits(Hooks):
        @hookimpl
        def insert_before(self, action, step):
            @step_of_press
            def odd(context: Any): ...

            return odd if step.name == "fetch" else None

    def step_of_press(function):
        from chain_of_files import TableContext

        function.__annotations__["context"] = TableContext
        return step(function)

    with pytest.raises(PlanError) as caught:
        DATASET.plan(packs=(Fits(),))
    assert "the context of gather is a Context" in caught.value.problems[0].message


def test_params_that_are_not_valid_any_more_make_a_plan_without_any_of_one_action():
    """As to undo a run of which no param of that action was given."""
    params = unchecked(DATASET.action_class.params_model, {})
    plan = DATASET.action_class(params, packs=()).plan()
    assert [planned.name for planned in plan.steps] == ["gather", "press", "teach"]


def test_the_problems_of_all_actions_are_told_at_once():
    class Wrong:
        @hookimpl
        def setup_steps(self, action, registry):
            if action.name != "dataset":
                registry.insert_before(f"no_{action.name}", look)

    with pytest.raises(PlanError, match="the plan of dataset has 3 problems") as caught:
        DATASET.plan(packs=(Wrong(),))
    assert caught.value.plan is not None
    assert [each.name for each in caught.value.plan.steps][:3] == ["gather", "press", "teach"]


def test_the_json_tells_the_actions_and_what_goes_into_them():
    plan = DATASET.plan(packs=())
    document = plan.to_dict()
    assert document["fingerprint"] == json.loads(plan_json(plan))["fingerprint"]
    assert document["actions"] == [
        {"name": "gather", "action": "gather", "inputs": {}},
        {"name": "press", "action": "press", "inputs": {"table": "gather.table"}},
        {"name": "teach", "action": "teach", "inputs": {"table": "press.table"}},
    ]
    assert [each["action"] for each in document["steps"]][:3] == ["gather", "gather", "press"]


def test_the_plan_of_one_action_says_nothing_of_chains():
    document = action("one", [look]).plan(packs=()).to_dict()
    assert "actions" not in document
    assert "action" not in document["steps"][0]


def test_what_goes_into_an_action_is_part_of_the_fingerprint():
    other = chain(
        "dataset", [Gather, Press, Teach], inputs={**INPUTS, "teach.table": "gather.table"}
    )
    assert other.plan(packs=()).fingerprint != DATASET.plan(packs=()).fingerprint


def test_an_action_may_be_used_twice_by_names():
    twice = chain("twice", {"raw": Gather, "cooked": Gather})
    assert names(twice.plan(packs=()))[0] == "raw.open"
    assert "cooked.fetch" in names(twice.plan(packs=()))


def test_a_part_is_made_of_whole_actions():
    part = select(DATASET.plan(packs=()), start="press", skip=("teach",))
    assert [each.name for each in part.steps] == ["press"]
    assert part.left_out == {"gather", "teach"}


@pytest.mark.parametrize(
    ("inputs", "message", "way_out"),
    [
        ({"press.tabel": "gather.table"}, "press has no param 'tabel'", "did you mean table?"),
        ({"press.table": "gather.tables"}, "gather has no output 'tables'", "did you mean table?"),
        ({"press.table": "press.table"}, "press does not end before press begins", None),
        ({"press.table": "teach.learnt"}, "teach does not end before press begins", None),
        ({"pres.table": "gather.table"}, "there is no action 'pres'", "did you mean press?"),
        ({"press.table": "gathr.table"}, "there is no action 'gathr'", "did you mean gather?"),
        ({"press": "gather.table"}, "press has no param ''", None),
        ({"press.table": 3}, "there is no action '3' for 3", None),
    ],
)
def test_inputs_that_cannot_be_are_problems_of_the_plan(inputs, message, way_out):
    with pytest.raises(PlanError) as caught:
        chain("dataset", [Gather, Press, Teach], inputs=inputs).plan(packs=())
    problem = next(each for each in caught.value.problems if each.code == "bad-input")
    assert message in problem.message
    assert way_out is None or way_out in problem.ways_out


def test_a_secret_is_never_an_input():
    class Secret(BaseModel):
        token: SecretStr

    keeps = action("keeps", [look], params=Secret)
    with pytest.raises(PlanError) as caught:
        chain("both", [Gather, keeps], inputs={"keeps.token": "gather.table"}).plan(packs=())
    assert "is a secret, and is read from a variable only" in caught.value.problems[0].message


def test_outputs_of_an_action_without_a_type_are_known_only_when_it_has_ended():
    later = chain("later", {"one": Teach, "two": Press}, inputs={"two.table": "one.anything"})
    assert later.plan(packs=()).steps[1].inputs == {"table": "one.anything"}


def test_an_action_that_plans_by_a_param_from_another_one_is_refused():
    class Reads(Press):
        action_name = "reads"

        def setup_steps(self, registry):
            if self.params.table:
                super().setup_steps(registry)

    asks = chain("asks", [Gather, Reads], inputs={"reads.table": "gather.table"})
    with pytest.raises(ActionError, match=r"depend on its table, which is gather\.table"):
        asks.plan(packs=())


def test_an_action_without_steps_is_refused():
    class Simple(BaseAction):
        def execute(self):
            return 1

    with pytest.raises(ActionError, match="simple has no steps, so it cannot be part"):
        chain("both", [Gather, Simple]).plan(packs=())


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([], "dataset has no actions"),
        ([Gather, Gather], "two actions of dataset are called gather"),
        ({"a.b": Gather}, "is called 'a.b'"),
        ([DATASET], "dataset is a chain, and cannot be part of dataset"),
        ([object()], "which is not an action"),
    ],
)
def test_what_is_no_chain_is_refused_when_it_is_made(actions, message):
    with pytest.raises(ActionError, match=message):
        chain("dataset", actions)


def test_a_group_keeps_its_lanes_within_its_action():
    @step
    def left(context): ...

    @step
    def right(context): ...

    first = action("first", [look, parallel("media", [left, right], concurrency=1)])
    plan = chain("both", {"a": first, "b": first}).plan(packs=())
    document = plan.to_dict()
    assert document["groups"] == [
        {"name": "a.media", "concurrency": 1},
        {"name": "b.media", "concurrency": 1},
    ]
    assert [(each["name"], each.get("group"), each.get("lane")) for each in document["steps"]] == [
        ("a.look", None, None),
        ("a.left", "a.media", 0),
        ("a.right", "a.media", 1),
        ("b.look", None, None),
        ("b.left", "b.media", 0),
        ("b.right", "b.media", 1),
    ]
