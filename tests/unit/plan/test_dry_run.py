"""Dry runs: what the preview of a step may be, and previews that fail, at once or late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepFailedError,
    StepResult,
)
from handrail.builtin.cli.dry_run import preview_plan
from handrail.errors import HandrailError, StepNeededError, StepNotFoundError


class Told(BaseStep[Any]):
    """A step whose preview is given; it must not run."""

    name = "told"
    progress_weight = 1.0

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def execute(self, context: Any) -> StepResult:
        raise AssertionError("a dry run has no effects")

    def preview(self, context: Any) -> Any:
        return self.answer() if callable(self.answer) else self.answer


class Reads(BaseStep[Any]):
    """A step that only reads, after one that did not run."""

    name = "reads"
    progress_weight = 1.0
    effects = False

    def execute(self, context: Any) -> StepResult:
        return StepResult(data={"read": True})


def lines() -> Iterator[str]:
    yield "first"
    yield "second"


def late() -> Iterator[str]:
    yield "first"
    raise PermissionError("not allowed to look")


def at_once() -> str:
    raise PermissionError("not allowed to look")


def numbers() -> Iterator[Any]:
    yield 1
    yield None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("one\ntwo", ["one", "two"]),
        ("", []),
        (["one", "two"], ["one", "two"]),
        (None, ["not previewed"]),
        (lines, ["first", "second"]),
        (lambda: iter(()), []),
        (numbers, ["1", "None"]),
        (at_once, ["not previewed: not allowed to look"]),
        # What a generator said before it failed may be wrong by then.
        (late, ["not previewed: not allowed to look"]),
        (42, ["not previewed: 'int' object is not iterable"]),
    ],
)
def test_previews(plan: Any, answer: Any, expected: list[str]) -> None:
    """Text, lines and generators become lines; one that fails says so, and the dry run goes on."""
    made = preview_plan(plan([Told(answer), Reads()], []))
    context = BaseStepContext(RuntimeContext())
    assert Orchestrator(made, context).execute()["success"]
    told, read = context.step_results
    assert told.data == {"preview": expected}
    assert read.data == {"read": True}


def test_a_generator_sees_the_steps_before(plan: Any) -> None:
    """A preview that is a generator runs in its turn, not when the plan is made."""
    seen: list[str] = []

    def look() -> Iterator[str]:
        seen.append("looked")
        yield "line"

    made = preview_plan(plan([Told(look)], []))
    assert seen == []
    Orchestrator(made, BaseStepContext(RuntimeContext())).execute()
    assert seen == ["looked"]


def test_interrupts_of_a_preview(plan: Any) -> None:
    """Ctrl-C while a preview looks around ends the dry run."""

    def interrupted() -> Iterator[str]:
        yield "first"
        raise KeyboardInterrupt

    made = preview_plan(plan([Told(interrupted)], []))
    with pytest.raises(KeyboardInterrupt):
        Orchestrator(made, BaseStepContext(RuntimeContext())).execute()


class Checks(BaseStep[Any]):
    """A step that only reads, and fails with what it is given."""

    name = "checks"
    progress_weight = 1.0
    effects = False

    def __init__(self, answer: StepResult | Exception) -> None:
        self.answer = answer

    def execute(self, context: Any) -> StepResult:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [
        ValueError("3 rows are invalid"),
        HandrailError("3 rows are invalid"),
        StepNotFoundError("3 rows are invalid"),  # A LookupError, but one that is meant.
        StepResult(success=False, error="3 rows are invalid"),
    ],
)
def test_a_check_that_fails_fails_the_dry_run(plan: Any, answer: Any) -> None:
    """As it would fail the run; what comes after it would never be done."""
    told: list[tuple[str, str]] = []
    after = Told("after")
    after.name = "after"
    made = preview_plan(
        plan([Told("one"), Checks(answer), after], []), lambda *line: told.append(line)
    )
    with pytest.raises(StepFailedError, match="Step 'checks' failed: 3 rows are invalid"):
        Orchestrator(made, BaseStepContext(RuntimeContext())).execute()
    assert told == [("told", "one")]


def lacks() -> str:
    raise StepNeededError("load")


@pytest.mark.parametrize("steps", [[Told("one"), Checks(StepNeededError("load"))], [Told(lacks)]])
def test_a_step_that_lacks_one_that_was_left_out_of_the_run_fails(
    plan: Any, steps: list[Any]
) -> None:
    """As it will in the run, which does not make up for it either."""
    made = preview_plan(plan(steps, []))
    with pytest.raises(StepFailedError, match="it needs load") as caught:
        Orchestrator(made, BaseStepContext(RuntimeContext())).execute()
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError("rows"), "'rows'"),
        (AttributeError("no rows"), "no rows"),
        (FileNotFoundError("no file"), "no file"),
    ],
)
def test_a_step_may_stumble_over_what_a_dry_run_leaves_out(
    plan: Any, error: Exception, reason: str
) -> None:
    """Then nothing can be told of it, and the dry run goes on; without such a step it fails."""
    context = BaseStepContext(RuntimeContext())
    made = preview_plan(plan([Told("one"), Checks(error)], []))
    assert Orchestrator(made, context).execute()["success"]
    assert context.step_results[1].data == {"preview": [f"cannot tell in a dry run: {reason}"]}
    with pytest.raises(StepFailedError):
        Orchestrator(
            preview_plan(plan([Checks(error), Told("one")], [])),
            BaseStepContext(RuntimeContext()),
        ).execute()


def test_a_step_that_only_reads_is_previewed_where_results_are_missing(plan: Any) -> None:
    """If it has a preview; in front of the steps with effects it runs."""

    class Tells(Reads):
        def preview(self, context: Any) -> str:
            return "would read"

    context = BaseStepContext(RuntimeContext())
    before, behind = Tells(), Tells()
    behind.name = "behind"
    made = preview_plan(plan([before, Told("one"), behind], []))
    assert Orchestrator(made, context).execute()["success"]
    assert [each.data for each in context.step_results] == [
        {"read": True},
        {"preview": ["one"]},
        {"preview": ["would read"]},
    ]


def test_a_preview_that_tells_why_the_run_would_fail(plan: Any) -> None:
    """Its lines come first, and the dry run fails with its error."""

    def look() -> Iterator[str]:
        yield "conflict a"
        raise HandrailError("1 conflict")

    told: list[tuple[str, str]] = []
    made = preview_plan(plan([Told(look)], []), lambda *line: told.append(line))
    with pytest.raises(StepFailedError, match="1 conflict"):
        Orchestrator(made, BaseStepContext(RuntimeContext())).execute()
    assert told == [("told", "conflict a")]
