"""Dry runs: what the preview of a step may be, and previews that fail, at once or late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from handrail import BaseStep, BaseStepContext, Orchestrator, RuntimeContext, StepResult
from handrail.plan.dry_run import preview_plan


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
