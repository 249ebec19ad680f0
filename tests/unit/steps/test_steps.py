"""BaseStep, StepResult and `@step`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepRegistry,
    StepResult,
    step,
)
from handrail.errors import InvalidStepError, StepResultError
from handrail.steps import is_async, overrides, undoes_items


def context() -> BaseStepContext:
    return BaseStepContext(RuntimeContext())


class Attribute(BaseStep):
    name = "attribute"
    progress_weight = 0.5

    def execute(self, context: BaseStepContext) -> StepResult:
        return StepResult()


class Nothing(BaseStep):
    def execute(self, context: BaseStepContext) -> StepResult:
        return StepResult()


def test_a_step_may_be_a_dataclass() -> None:
    """The placeholder of `name` is not taken for the default of a field."""

    @dataclass
    class Needed(BaseStep):
        name: str
        progress_weight: float = 0.1

        def execute(self, context: BaseStepContext) -> StepResult:
            return StepResult()

    with pytest.raises(TypeError, match="name"):
        Needed()  # type: ignore[call-arg]
    registry = StepRegistry()
    registry.register(Needed("given"))
    assert (registry.get_steps()[0].name, registry.total_weight) == ("given", 0.1)


@pytest.mark.parametrize("attribute", ["name", "progress_weight"])
def test_a_missing_attribute_names_the_class(attribute: str) -> None:
    """Reading a name or weight that nobody gave is an AttributeError that says which class."""
    with pytest.raises(AttributeError, match=f"Nothing has no {attribute}"):
        getattr(Nothing(), attribute)
    with pytest.raises(AttributeError, match="Nothing"):
        getattr(Nothing, attribute)


def test_a_step_without_a_name_can_be_shown() -> None:
    """`repr` works for a step whose name is missing or raises."""

    class Raising(Nothing):
        @property
        def name(self) -> str:
            raise ZeroDivisionError

    assert "Nothing" in repr(Nothing())
    assert "Raising" in repr(Raising())


def test_the_defaults_of_a_step() -> None:
    """What a step does not write does nothing, and promises nothing."""
    made = Attribute()
    assert made.can_skip(context()) is False
    made.rollback(context(), StepResult())
    made.restore(context(), StepResult())
    assert made.preview(context()) is None
    assert (made.effects, made.always_run, made.final) == (True, False, False)
    assert (made.aliases, made.data_version) == ((), 1)
    with pytest.raises(NotImplementedError, match="Attribute does not override resume"):
        made.resume(context(), StepResult())


def test_step_makes_a_step_of_a_function() -> None:
    """A bare `@step` takes the name of the function, weight 0.1, and stays callable."""

    @step
    def find(context: BaseStepContext) -> None:
        """Find things."""

    assert (find.name, find.progress_weight, find.effects) == ("find", 0.1, True)
    assert find.__doc__ == "Find things."
    assert find(context()) is None
    assert not overrides(find, "rollback")
    assert not overrides(find, "can_skip")


def test_step_takes_options() -> None:
    """`@step(...)` sets name, weight and effects."""

    @step(weight=3, name="other", effects=False)
    def find(context: BaseStepContext) -> None: ...

    assert (find.name, find.progress_weight, find.effects) == ("other", 3, False)


@pytest.mark.parametrize("returned", [None, {"a": 1}, StepResult(data={"a": 1})])
@pytest.mark.parametrize("how", ["plain", "async"])
def test_what_a_step_function_returns_becomes_a_result(returned: Any, how: str) -> None:
    """None, a dict and a StepResult are all fine, from a plain and from an async function."""

    @step
    def plain(context: BaseStepContext) -> Any:
        return returned

    @step(name="plain")
    async def later(context: BaseStepContext) -> Any:
        return returned

    registry = StepRegistry()
    registry.register(plain if how == "plain" else later)
    run = context()
    Orchestrator(registry, run).execute()
    assert run.results["plain"].data == ({} if returned is None else {"a": 1})
    assert is_async(registry.get_steps()[0]) == (how == "async")


def test_a_step_function_that_returns_something_else_fails() -> None:
    """The message of such a failure says what may be returned."""

    @step
    def wrong(context: BaseStepContext) -> Any:
        return 7

    with pytest.raises(StepResultError, match=r"step function 'wrong' returned int; .*a dict"):
        wrong.execute(context())


def test_rollback_and_skip_if_of_a_step_function() -> None:
    """`@f.rollback` and `@f.skip_if` are used by the run, and return the plain functions."""
    undone: list[Any] = []

    @step
    def first(context: BaseStepContext) -> dict[str, int]:
        context.record_rollback("made", 1)
        return {}

    @first.rollback
    def undo(context: BaseStepContext, result: StepResult) -> None:
        undone.append(result.rollback_data)

    @step
    def skipped(context: BaseStepContext) -> None:
        raise AssertionError

    @skipped.skip_if
    def always(context: BaseStepContext) -> bool:
        return True

    @step
    def broken(context: BaseStepContext) -> None:
        raise ValueError("broken")

    registry = StepRegistry()
    for each in (first, skipped, broken):
        registry.register(each)
    with pytest.raises(RuntimeError, match="Step 'broken' failed: broken"):
        Orchestrator(registry, context()).execute()
    assert undone == [{"made": [1]}]
    undo(context(), StepResult())
    assert always(context()) is True


def test_misuse_of_step_is_told() -> None:
    """`@step` on something that is no function, and `f.rollback` without one, say what to do."""
    with pytest.raises(InvalidStepError, match="function of the context"):
        step("find")  # type: ignore[call-overload]
    with pytest.raises(InvalidStepError, match="function of the context"):
        step(Attribute)  # type: ignore[arg-type]

    @step
    def find(context: BaseStepContext) -> None: ...

    with pytest.raises(TypeError, match=r"@step_name\.rollback"):
        find.rollback(7)  # type: ignore[call-overload]


def test_a_step_called_by_hand_works() -> None:
    """A unit test may call `execute` of a recording step without any run."""

    class Recording(Attribute):
        async def execute(self, context: BaseStepContext) -> StepResult:
            context.record_rollback("made", 1)
            context.record_rollback_many("made", [2])
            await context.arecord_rollback("made", 3)
            context.log("event", {})
            return StepResult()

    assert asyncio.run(Recording().execute(context())).success


class Proxy:
    """Answers to every attribute, as clients of servers do."""

    __isabstractmethod__ = False

    def __getattr__(self, name: str) -> Proxy:
        return Proxy()


class Calls(BaseStep):
    name, progress_weight, server = "calls", 0.1, Proxy()

    def execute(self, context: BaseStepContext) -> StepResult:
        return StepResult()


def test_a_plan_does_not_look_into_what_a_class_has_beside_its_functions() -> None:
    """That could take forever."""
    assert not undoes_items(Calls())
