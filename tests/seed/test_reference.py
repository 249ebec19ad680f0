"""The exact behaviours of the API tables and of the SDK, as far as the design keeps them.

Where Handrail is stricter on purpose, the test says so in its first sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from typing import Any

import pytest

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepFailedError,
    StepRegistry,
    StepResult,
    step,
)
from handrail.errors import DuplicateStepError, InvalidStepError, StepNotFoundError
from handrail_utils import LoggingStep, TimingStep, ValidationStep

Execute = Callable[..., dict[str, Any]]


class Probe(BaseStep[Any]):
    """A step that does what it is told and keeps a trail."""

    def __init__(
        self,
        name: str,
        weight: float = 0.1,
        *,
        result: Any = None,
        skip: bool = False,
        trail: list[str] | None = None,
        undo: BaseException | None = None,
    ) -> None:
        self.name = name
        self.progress_weight = weight
        self.result = StepResult() if result is None else result
        self.skip = skip
        self.trail = [] if trail is None else trail
        self.undo = undo

    def execute(self, context: Any) -> StepResult:
        self.trail.append(f"do {self.name}")
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result

    def can_skip(self, context: Any) -> bool:
        return self.skip

    def rollback(self, context: Any, result: StepResult) -> None:
        self.trail.append(f"undo {self.name}")
        if self.undo is not None:
            raise self.undo


def refusal(error: str = "no") -> StepResult:
    return StepResult(success=False, error=error)


def names(registry: StepRegistry[Any]) -> list[str]:
    return [each.name for each in registry.get_steps()]


def registry_of(*steps: str) -> StepRegistry[Any]:
    registry: StepRegistry[Any] = StepRegistry()
    for name in steps:
        registry.register(Probe(name))
    return registry


class TestStep:
    """BaseStep."""

    def test_abstract(self) -> None:
        """A class without execute cannot be instantiated."""

        class Idle(BaseStep[Any]):
            name = "idle"
            progress_weight = 0.1

        with pytest.raises(TypeError, match="execute"):
            Idle()

    @pytest.mark.parametrize("missing", ["name", "progress_weight"])
    def test_name_and_weight_are_needed(self, missing: str) -> None:
        """A step without name or weight is refused by the registry, which names the class."""
        members = {"name": "x", "progress_weight": 0.1, "execute": lambda *_: StepResult()}
        del members[missing]
        cls = type("Half", (BaseStep,), members)
        with pytest.raises(AttributeError, match=f"Half has no {missing}"):
            getattr(cls(), missing)
        with pytest.raises(InvalidStepError, match=f"Half has no {missing}"):
            StepRegistry().register(cls())

    def test_three_ways_to_name(self) -> None:
        """Name and weight may be class attributes, instance attributes or properties."""
        execute = {"execute": lambda *_: StepResult()}

        def init(self: Any) -> None:
            self.name, self.progress_weight = "b", 0.2

        values = {"name": "a", "progress_weight": 0.1}
        computed = {
            "name": property(lambda _: "c"),
            "progress_weight": property(lambda _: 0.3),
        }
        registry: StepRegistry[Any] = StepRegistry()
        for members in (values, {"__init__": init}, computed):
            registry.register(type("Named", (BaseStep,), {**execute, **members})())
        assert names(registry) == ["a", "b", "c"]
        assert registry.total_weight == pytest.approx(0.6)

    def test_defaults(self, context: BaseStepContext) -> None:
        """can_skip is False and rollback does nothing unless a step overrides them."""

        class Least(BaseStep[Any]):
            name = "least"
            progress_weight = 0.1

            def execute(self, context: Any) -> StepResult:
                return StepResult()

        assert Least().can_skip(context) is False
        assert Least().rollback(context, StepResult()) is None

    @pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf"), "0.1", None, True])
    def test_weights_are_checked(self, weight: Any) -> None:
        """Stricter: a weight that makes no sense is refused, not turned into senseless progress."""
        with pytest.raises(InvalidStepError, match="progress_weight"):
            StepRegistry().register(Probe("x", weight))

    def test_weight_above_one(self, execute: Execute) -> None:
        """Weights are relative, so they may be above 1."""
        percents: list[int] = []
        execute(Probe("a", 3), Probe("b", 1), callback=lambda at, _: percents.append(at))
        assert percents == [75, 100]


class TestResult:
    """StepResult."""

    def test_fields(self) -> None:
        """The fields come in the documented order with the documented defaults."""
        result = StepResult()
        assert [field.name for field in fields(result)] == [
            "success",
            "data",
            "error",
            "rollback_data",
            "skipped",
            "timestamp",
        ]
        assert (result.success, result.data, result.error) == (True, {}, None)
        assert (result.rollback_data, result.skipped) == ({}, False)
        assert StepResult(True, {"a": 1}, "e", {"b": 2}, True).rollback_data == {"b": 2}

    def test_own_dicts_and_mutable(self) -> None:
        """Every result has dicts of its own, and its fields can be set."""
        one, other = StepResult(), StepResult()
        one.data["a"] = one.rollback_data["a"] = 1
        one.success = False
        assert (other.data, other.rollback_data, other.success) == ({}, {}, True)

    def test_timestamp(self) -> None:
        """Stricter: the timestamp knows its time zone."""
        timestamp = StepResult().timestamp
        assert isinstance(timestamp, datetime)
        assert timestamp.tzinfo is not None


class TestContext:
    """BaseStepContext."""

    def test_fields(self, runtime: RuntimeContext) -> None:
        """It takes a runtime context, results and errors; the current step is not an argument."""
        own = {field.name: field for field in fields(BaseStepContext)}
        assert list(own) == ["runtime_ctx", "step_results", "errors", "current_step"]
        assert own["runtime_ctx"].default is MISSING
        assert own["current_step"].init is False
        context = BaseStepContext(runtime, [StepResult()], ["e"])
        assert (len(context.step_results), context.errors, context.current_step) == (1, ["e"], None)
        assert BaseStepContext(runtime).errors is not BaseStepContext(runtime).errors

    def test_calls_are_positional(self) -> None:
        """Any object with the three methods serves, whatever it calls their parameters."""
        seen: list[Any] = []

        class Elsewhere:
            def log(self, a: Any, b: Any, c: Any) -> None:
                seen.append((a, b, c))

            def set_progress(self, x: Any, y: Any, z: Any) -> None:
                seen.append((x, y, z))

            def set_metrics(self, m: Any, n: Any) -> None:
                seen.append((m, n))

        context: Any = BaseStepContext(Elsewhere())
        context.log("event", {"k": 1}, file="f.txt")
        context.log("event", {})
        context.set_progress(1, 2)
        context.set_progress(1, 2, "own")
        context.set_metrics({"m": 1}, "own")
        assert seen == [
            ("event", {"k": 1}, "f.txt"),
            ("event", {}, None),
            (1, 2, None),
            (1, 2, "own"),
            ({"m": 1}, "own"),
        ]

    def test_metrics_outside_a_step(self, context: BaseStepContext) -> None:
        """Metrics outside a step need a category."""
        with pytest.raises(ValueError, match="category"):
            context.set_metrics({"m": 1})

    def test_category_defaults_to_the_step(self, execute: Execute, notes: Any) -> None:
        """Within a step its name is the category, unless one is given."""

        @step
        def measure(context: BaseStepContext) -> None:
            context.set_progress(1, 4)
            context.set_progress(2, 4, "mine")
            context.set_metrics({"m": 1})
            context.set_metrics({"m": 2}, "mine")

        execute(measure)
        assert notes.progress == [(1, 4, "measure"), (2, 4, "mine")]
        assert notes.metrics == [({"m": 1}, "measure"), ({"m": 2}, "mine")]

    @pytest.mark.parametrize(("current", "total"), [(1, 0), (-1, 5), (6, 5), (0, -1)])
    def test_progress_range(self, context: BaseStepContext, current: int, total: int) -> None:
        """A total must be above 0, and the position within it."""
        with pytest.raises(ValueError, match="progress"):
            context.set_progress(current, total)

    def test_current_step(self, context: BaseStepContext, execute: Execute) -> None:
        """`current_step` names the step that is run or undone, and is None before and after."""
        seen: list[str | None] = []

        class Looks(Probe):
            def execute(self, context: Any) -> StepResult:
                seen.append(context.current_step)
                return StepResult()

            def can_skip(self, context: Any) -> bool:
                seen.append(context.current_step)
                return False

            def rollback(self, context: Any, result: StepResult) -> None:
                seen.append(context.current_step)

        with pytest.raises(StepFailedError):
            execute(Looks("look"), Probe("fail", result=refusal()))
        assert seen == ["look", "look", "look"]
        assert context.current_step is None

    def test_fields_of_subclasses(self, runtime: RuntimeContext) -> None:
        """Subclasses are plain dataclasses; a field of a name that Handrail uses too wins."""

        @dataclass
        class Own(BaseStepContext):
            results: int = 5

        assert Own(runtime).results == 5


class TestRegistry:
    """StepRegistry."""

    def test_order(self) -> None:
        """Registered steps come in order, and len and truth follow the count."""
        registry: StepRegistry[Any] = StepRegistry()
        assert not registry
        assert len(registry) == 0
        registry.register(Probe("a"))
        registry.register(Probe("b"))
        assert registry
        assert (len(registry), names(registry)) == (2, ["a", "b"])

    def test_returns_nothing(self) -> None:
        """Edits return None."""
        registry = registry_of("a")
        assert registry.register(Probe("b")) is None
        assert registry.insert_before("a", Probe("c")) is None
        assert registry.insert_after("a", Probe("d")) is None
        assert registry.unregister("a") is None

    def test_repeated_insertions(self) -> None:
        """After one anchor the latest insertion is closest; before one they keep their order."""
        registry = registry_of("x")
        for name in ("a", "b"):
            registry.insert_after("x", Probe(name))
        for name in ("c", "d"):
            registry.insert_before("x", Probe(name))
        assert names(registry) == ["c", "d", "x", "b", "a"]

    def test_unknown_anchor(self) -> None:
        """An unknown anchor is a ValueError of the documented words, plus a near name."""
        registry = registry_of("upload", "check")
        for insert in (registry.insert_before, registry.insert_after):
            with pytest.raises(ValueError, match=r"^Step 'uplaod' not found: did you mean upload"):
                insert("uplaod", Probe("new"))
        assert names(registry) == ["upload", "check"]

    def test_duplicates(self) -> None:
        """Stricter: a second step of one name is a ValueError that names both."""
        registry = registry_of("a")
        with pytest.raises(
            DuplicateStepError, match=r"'a' of Probe .* taken by step 'a'"
        ) as caught:
            registry.register(Probe("a"))
        assert isinstance(caught.value, ValueError)
        assert len(registry) == 1

    def test_unregister(self) -> None:
        """Stricter: removing an unknown step is a ValueError, unless missing_ok is set."""
        registry = registry_of("a", "b")
        registry.unregister("a")
        with pytest.raises(StepNotFoundError):
            registry.unregister("a")
        registry.unregister("a", missing_ok=True)
        assert names(registry) == ["b"]
        registry.register(Probe("a"))
        assert names(registry) == ["b", "a"]

    def test_copy(self) -> None:
        """get_steps returns a copy of the list, with the steps themselves in it."""
        registry = registry_of("a")
        steps = registry.get_steps()
        steps.clear()
        assert len(registry) == 1
        assert registry.get_steps()[0] is registry.get_steps()[0]

    def test_total_weight(self) -> None:
        """The total weight is exact and follows every edit."""
        registry: StepRegistry[Any] = StepRegistry()
        for number in range(10):
            registry.register(Probe(f"s{number}", 0.1))
        assert registry.total_weight == 1.0
        registry.unregister("s3")
        assert registry.total_weight == pytest.approx(0.9)

    def test_subscript(self) -> None:
        """`StepRegistry[Context]()` makes a registry."""
        assert len(StepRegistry[BaseStepContext]()) == 0


class TestOrchestrator:
    """Orchestrator."""

    def test_result(self, execute: Execute) -> None:
        """The result has exactly three keys; skipped steps count in the total only."""
        assert execute(Probe("a"), Probe("b", skip=True)) == {
            "success": True,
            "steps_executed": 1,
            "steps_total": 2,
        }

    def test_empty(self, execute: Execute) -> None:
        """An empty registry succeeds with zeros."""
        assert execute() == {"success": True, "steps_executed": 0, "steps_total": 0}

    def test_skipped(self, execute: Execute, context: BaseStepContext) -> None:
        """A skipped step leaves a result, advances the progress and is never undone."""
        trail: list[str] = []
        percents: list[int] = []
        skipped = Probe("skipped", 0.5, skip=True, trail=trail)
        with pytest.raises(StepFailedError):
            execute(
                skipped,
                Probe("fail", 0.5, result=refusal(), trail=trail),
                callback=lambda at, _: percents.append(at),
            )
        assert trail == ["do fail", "undo fail"]
        first = context.step_results[0]
        assert (first.success, first.skipped) == (True, True)
        assert percents == [50]

    def test_undo_order(self, execute: Execute) -> None:
        """The failing step is undone first, then the executed ones in reverse; later ones never."""
        trail: list[str] = []
        last = Probe("c", result=OSError("down"), trail=trail)
        others = [Probe(name, trail=trail) for name in "abd"]
        with pytest.raises(RuntimeError, match=r"^Step 'c' failed: down$"):
            execute(others[0], others[1], last, others[2])
        assert trail == ["do a", "do b", "do c", "undo c", "undo b", "undo a"]

    def test_results_in_order(self, execute: Execute, context: BaseStepContext) -> None:
        """Every result is in `step_results`, the failing one too."""
        first, last = StepResult(data={"n": 1}), refusal("stop")
        with pytest.raises(StepFailedError):
            execute(Probe("a", result=first), Probe("b", result=last))
        assert context.step_results == [first, last]

    def test_error_without_words(self, execute: Execute) -> None:
        """An error that says nothing is named by its type."""
        with pytest.raises(StepFailedError, match=r"^Step 'a' failed: ZeroDivisionError$"):
            execute(Probe("a", result=ZeroDivisionError()))

    def test_undo_errors(self, execute: Execute, context: BaseStepContext) -> None:
        """An undo error stops no other undo, and is kept in full in three places."""
        trail: list[str] = []
        broken = Probe("b", trail=trail, undo=PermissionError("locked"))
        with pytest.raises(StepFailedError) as caught:
            execute(Probe("a", trail=trail), broken, Probe("c", result=refusal(), trail=trail))
        assert trail[-3:] == ["undo c", "undo b", "undo a"]
        assert context.errors == ["Rollback of step 'b' failed: locked"]
        (problem,) = caught.value.rollback_errors
        assert isinstance(problem.__cause__, PermissionError)
        assert context.errors[0] in caught.value.__notes__

    def test_added_while_running(self, context: BaseStepContext) -> None:
        """Steps that are added while it runs are not executed in that run."""
        registry: StepRegistry[Any] = StepRegistry()

        @step
        def grow(context: Any) -> None:
            registry.register(Probe("late"))

        registry.register(grow)
        assert Orchestrator(registry, context).execute()["steps_total"] == 1
        assert len(registry) == 2

    @pytest.mark.parametrize(
        ("weights", "percents"),
        [
            ((0.1, 0.7, 0.2), [10, 80, 100]),
            ((1, 1, 1), [33, 66, 100]),
            ((0.1,) * 10, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
            ((0.5, 0, 0.5), [50, 100]),
            ((0, 0), [50, 100]),
        ],
    )
    def test_progress(self, execute: Execute, weights: tuple[float, ...], percents: Any) -> None:
        """The callback gets (percent, 100) whenever it grows, and 100 at the end."""
        seen: list[tuple[int, int]] = []
        steps = [Probe(f"s{at}", weight) for at, weight in enumerate(weights)]
        execute(*steps, callback=lambda current, total: seen.append((current, total)))
        assert seen == [(percent, 100) for percent in percents]

    def test_no_callback_with_no_growth(self, execute: Execute) -> None:
        """A failing first step reports no progress."""
        seen: list[int] = []
        with pytest.raises(StepFailedError):
            execute(Probe("a", result=refusal()), callback=lambda at, _: seen.append(at))
        assert seen == []


class TestUtilitySteps:
    """LoggingStep, TimingStep and ValidationStep."""

    def test_forwarding(self, context: BaseStepContext) -> None:
        """Weight, skip and undo are those of the wrapped step."""
        inner = Probe("x", 0.3, skip=True)
        for wrapper in (LoggingStep(inner), TimingStep(inner)):
            assert wrapper.progress_weight == 0.3
            assert wrapper.can_skip(context) is True
            wrapper.rollback(context, StepResult())
        assert inner.trail == ["undo x", "undo x"]

    def test_names_stack(self) -> None:
        """Names stack, and every name on the way is an anchor."""
        registry: StepRegistry[Any] = StepRegistry()
        registry.register(LoggingStep(TimingStep(Probe("x"))))
        assert names(registry) == ["logged_timed_x"]
        for number, anchor in enumerate(("x", "timed_x", "logged_timed_x")):
            registry.insert_before(anchor, Probe(f"before_{number}"))
        assert names(registry)[-1] == "logged_timed_x"

    def test_validation(self, context: BaseStepContext) -> None:
        """A validation has the documented defaults, and its error becomes the step's."""
        check = ValidationStep(lambda context: (False, "closed"))
        assert (check.name, check.progress_weight) == ("validate", 0.05)
        assert check.execute(context).error == "closed"
        assert check.can_skip(context) is False
