"""What a step records can be intercepted from outside, for test kits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from handrail import BaseStepContext, RuntimeContext, StepFailedError, action, step
from handrail.inspection import intercept_records


@step
def make(context):
    context.record_rollback("one", 1)
    context.record_rollback_many("many", [2, 3])
    with ThreadPoolExecutor() as pool:
        pool.submit(context.record_rollback, "thread", 4).result()


@step
async def amake(context):
    await context.arecord_rollback("later", 5)


def make_context() -> BaseStepContext:
    return BaseStepContext(runtime_ctx=RuntimeContext())


def run(context: BaseStepContext, *steps) -> dict[str, object]:
    flow = action("flow", steps)(packs=())
    flow.create_context = lambda: context  # type: ignore[method-assign]
    flow.run()
    return context.step_results[-1].rollback_data


def test_each_value_passes_through_the_function() -> None:
    seen: list[tuple[str, object]] = []

    def intercept(record, key, value) -> None:
        seen.append((key, value))
        if value != 3:
            record(key, value)

    context = make_context()
    intercept_records(context, intercept)
    assert run(context, make) == {"one": [1], "many": [2], "thread": [4]}
    assert seen == [("one", 1), ("many", 2), ("many", 3), ("thread", 4)]


def test_those_of_a_coroutine_do_too() -> None:
    seen: list[str] = []
    context = make_context()
    intercept_records(context, lambda record, key, value: seen.append(key))
    assert run(context, amake) == {}
    assert seen == ["later"]


def test_what_the_function_raises_fails_the_step() -> None:
    def refuse(record, key, value) -> None:
        raise OSError("the disk is full")

    context = make_context()
    intercept_records(context, refuse)
    with pytest.raises(StepFailedError, match="the disk is full"):
        run(context, make)


def test_other_contexts_are_left_alone() -> None:
    intercept_records(make_context(), lambda record, key, value: None)
    assert run(make_context(), make)["one"] == [1]
