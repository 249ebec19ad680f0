"""The limits that a project gives to steps: over those of the step, and with their place."""

from __future__ import annotations

import pytest

from handrail import Limits, Origin, PlanError, RollbackPolicy
from handrail.builtin.cli.view.explanation import explain
from handrail.frozen import replace
from handrail.plan.edits import EditSet, Limiting, Removal

HERE = Origin(file="handrail.toml", line=4)


def project(*limitings: Limiting) -> EditSet:
    return EditSet(owner="project", limitings=list(limitings))


def given(name: str, **values: object) -> Limiting:
    return Limiting(name=name, values=values, origin=HERE)


def test_values_of_the_project_come_before_those_of_the_step(plan, named):
    """A value that the project gives replaces that of the step; the others stay."""
    own = named("a", limits=Limits(timeout=3, grace=1))
    made = plan([own, named("b")], [], project=project(given("a", timeout=9, rollback_retries=2)))
    assert made.steps[0].limits == Limits(timeout=9, grace=1)
    assert made.steps[0].rollback_policy == RollbackPolicy(retries=2)
    assert made.steps[1].limits is None
    assert own.limits == Limits(timeout=3, grace=1)  # Other actions may use the same step.


def test_a_step_is_found_by_each_of_its_names(plan, named):
    """An alias will do, and a later table of a workflow comes before one of its action."""
    edits = project(given("old", timeout=3, grace=1), given("a", timeout=9))
    made = plan([named("a", aliases=("old",))], [], project=edits)
    assert made.steps[0].limits == Limits(timeout=9, grace=1)


def test_a_step_that_is_not_there_is_a_problem(plan, named):
    """A limit for a misspelt step would be no limit."""
    with pytest.raises(PlanError) as caught:
        plan([named("fetch")], [], project=project(given("fetsh", timeout=9)))
    (problem,) = caught.value.problems
    assert problem.message == "handrail.toml limits 'fetsh', which no step answers to"
    assert problem.details == ("handrail.toml:4", "did you mean fetch?")


def test_for_an_undo_the_step_may_be_missing(plan, named):
    """An undo leaves out what is broken; a limit for that must not keep the rest from it."""
    edits = project(given("gone", timeout=9))
    edits.limitings[0] = replace(edits.limitings[0], missing_ok=True)
    assert len(plan([named("a")], [], project=edits).steps) == 1


def test_values_that_do_not_fit_together_are_a_problem(plan, named):
    """A limit on memory is for isolated steps, and whether a step is, only the plan knows."""
    own = named("a", limits=Limits(isolated=True))
    made = plan([own], [], project=project(given("a", memory="1GB")))
    assert made.steps[0].limits == Limits(isolated=True, memory="1GB")
    with pytest.raises(PlanError) as caught:
        plan([named("b")], [], project=project(given("b", memory="1GB")))
    (problem,) = caught.value.problems
    assert problem.message == (
        "handrail.toml limits 'b': memory can be limited only for an isolated step"
    )
    assert problem.details == ("handrail.toml:4",)


def test_a_removed_step_may_have_limits(plan, named):
    """They do nothing then, and are no mistake."""
    edits = project(given("a", timeout=9))
    edits.removals.append(Removal(name="a", origin=HERE))
    assert [each.name for each in plan([named("a"), named("b")], [], project=edits)] == ["b"]


def test_an_explanation_says_who_limits(plan, named):
    """`plan --explain` has the values and their place."""
    made = plan([named("a")], [], project=project(given("a", timeout=9, rollback_wait=2)))
    told = [(link.kind, link.told, link.origin.place) for link in explain(made, "a").links]
    assert told[1:] == [("limited", "given timeout = 9, rollback_wait = 2", "handrail.toml:4")]
