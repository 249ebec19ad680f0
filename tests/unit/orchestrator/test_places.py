"""Steps that a pack runs elsewhere, and items that it works on."""

from __future__ import annotations

from typing import Any

import pytest

from handrail import PlanError, Run, StepResult, StepWrapper, action, hookimpl, step
from handrail.builtin.cli.dry_run import preview_plan
from handrail.places import Performer

SEEN: list[str] = []


@pytest.fixture(autouse=True)
def seen() -> list[str]:
    """What steps and performers have done."""
    SEEN.clear()
    return SEEN


@step
def make(context: Any) -> StepResult:
    SEEN.append("made here")
    return StepResult(data={"where": "here"}, rollback_data={"made": ["it"]})


@make.rollback
def unmake(context: Any, result: StepResult) -> None:
    SEEN.append(f"undid {result.rollback_data['made']}")


@step
def fail(context: Any) -> None:
    raise ValueError("no")


class Far(Performer):
    """Runs steps called `make`, and works on items."""

    maps_items = True

    def takes(self, plan: Any) -> list[int]:
        return [plan.positions["make"]] if "make" in plan.positions else []

    def check(self, run: Any) -> None:
        SEEN.append("checked")

    def open(self, run: Any, lock: int | None, *, early: bool) -> None:
        SEEN.append("opened")

    def attempt(self, line: Any, resumed: Any) -> StepResult:
        SEEN.append(f"made far away, resumed {resumed is not None}")
        return StepResult(data={"where": "far"}, rollback_data={"made": ["that"]})

    def map_items(self, line: Any, *args: Any, **options: Any) -> Any:
        return f"mapped {args[1]}"

    def close(self) -> None:
        SEEN.append("closed")


class FarAway:
    """A pack with a place."""

    @hookimpl
    def perform(self, run: Any) -> Far:
        assert run.action.action_name
        return Far()


class Farther(FarAway):
    """Another one."""


def test_a_pack_runs_a_step_elsewhere() -> None:
    """It is checked before the run begins; what it has returned is the result of the step."""
    made = action("work", [make])(packs=(FarAway(),))
    found = made.orchestrator(made.plan())
    found.execute()
    assert found.context.results["make"].data == {"where": "far"}
    assert SEEN[:3] == ["checked", "opened", "made far away, resumed False"]
    assert SEEN[-1] == "closed"


def test_layers_and_undo_stay_here() -> None:
    """A layer is around each attempt, and the step's own rollback gets what the place returned."""

    class Told(StepWrapper[Any]):
        def around(self, context: Any) -> Any:
            SEEN.append("before")
            return (yield Run())

    class Wraps:
        @hookimpl
        def wrap_step(self, step: Any) -> Any:
            return Told(step) if step.name == "make" else None

    with pytest.raises(Exception, match="no"):
        action("work", [make, fail])(packs=(FarAway(), Wraps())).run()
    assert SEEN[2:5] == ["before", "made far away, resumed False", "undid ['that']"]


def test_a_dry_run_has_nothing_done_elsewhere_that_has_effects() -> None:
    """It previews such a step, and runs one that only reads behind it where the run would."""

    @step(effects=False)
    def look(context: Any) -> dict[str, str]:
        return {"where": "here"}

    class Both(Far):
        def takes(self, plan: Any) -> list[int]:
            return [0, 1]

    class Takes:
        @hookimpl
        def perform(self, run: Any) -> Far:
            return Both()

    made = action("work", [make, look])(packs=(Takes(),))
    found = made.orchestrator(preview_plan(made.plan()))
    found.execute()
    assert SEEN[2:3] == ["made far away, resumed False"]
    assert found.context.results["look"].data == {"where": "far"}
    assert found.context.results["make"].data == {"preview": ["not previewed"]}


def test_two_that_want_one_step() -> None:
    """That is a problem of the plan, and nothing runs."""
    with pytest.raises(PlanError) as caught:
        action("work", [make])(packs=(FarAway(), Farther())).run()
    assert [problem.code for problem in caught.value.problems] == ["two-places"]
    assert SEEN == []


def test_a_step_that_was_placed_runs_here_in_a_run_without_the_pack() -> None:
    """What one run has elsewhere is nothing of the step itself."""
    action("work", [make])(packs=(FarAway(),)).run()
    SEEN.clear()
    action("work", [make])(packs=()).run()
    assert SEEN == ["made here"]


def test_a_pack_works_on_items() -> None:
    """It is given what the step has given."""

    @step
    def many(context: Any) -> dict[str, Any]:
        return {"found": context.map_items(print, [1, 2])}

    made = action("work", [many])(packs=(FarAway(),))
    found = made.orchestrator(made.plan())
    found.execute()
    assert found.context.results["many"].data == {"found": "mapped [1, 2]"}


def test_what_is_no_performer() -> None:
    """It is the pack's mistake."""

    class Wrong:
        @hookimpl
        def perform(self) -> str:
            return "far"

    with pytest.raises(Exception, match="perform of wrong returned 'far'"):
        action("work", [make])(packs=(Wrong(),)).run()
