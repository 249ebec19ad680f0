"""BaseStepContext, RuntimeContext and the recording of rollback data."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from handrail import (
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepFailedError,
    StepRegistry,
    StepResult,
    step,
)
from handrail.errors import ContextError, RecordError


def run(*steps: Any, context: Any = None) -> Any:
    registry = StepRegistry[Any]()
    for each in steps:
        registry.register(each)
    context = context or BaseStepContext(RuntimeContext())
    Orchestrator(registry, context).execute()
    return context


@pytest.mark.parametrize(("now", "total"), [(1, 0), (-1, 2), (3, 2), (float("nan"), 1)])
def test_the_runtime_context_refuses_senseless_progress(now: float, total: float) -> None:
    """A position lies between 0 and a total above 0."""
    with pytest.raises(ValueError, match="progress"):
        RuntimeContext().set_progress(now, total)


def test_the_runtime_context_takes_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are what was handed in, as a copy; the process keeps its own."""
    monkeypatch.setenv("SECRET", "x")
    given = {"A": "1"}
    runtime = RuntimeContext(env=given)
    assert runtime.env == {"A": "1"}
    assert runtime.env is not given
    assert RuntimeContext().env == {}


def test_the_console_logger_writes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Events and metrics are one line each; progress only tells of its end."""
    runtime = RuntimeContext()
    runtime.log("event", {"a": 1}, "f.txt")
    runtime.set_progress(1, 2, "c")
    runtime.set_progress(2, 2, "c")
    runtime.set_metrics({"m": 1}, "c")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["event {'a': 1} (f.txt)", "c 2/2", "c {'m': 1}"]


def test_a_context_that_forgot_dataclass_is_refused() -> None:
    """The error names the class and its fields, and shows the line to write."""

    class Forgot(BaseStepContext):
        files: list[str] = field(default_factory=list)
        limit: int = 3

    with pytest.raises(ContextError, match=r"Forgot declares files, limit but is no") as caught:
        Forgot(RuntimeContext())
    assert caught.value.ways_out == ("put @dataclass(kw_only=True) above class Forgot",)


def test_a_context_without_fields_needs_no_dataclass() -> None:
    """Methods, class variables and an own `__init__` are fine."""

    class Methods(BaseStepContext):
        shared: ClassVar[int] = 1

        def count(self) -> int:
            return len(self.step_results)

    class Own(BaseStepContext):
        limit: int

        def __init__(self) -> None:
            super().__init__(RuntimeContext())
            self.limit = 2

    assert Methods(RuntimeContext()).count() == 0
    assert Own().limit == 2


def test_an_init_that_does_not_call_super_is_told_before_the_first_step() -> None:
    """The error names the class and what it misses."""

    class Silent(BaseStepContext):
        def __init__(self) -> None:
            self.mine = 1

    @step
    def never(context: BaseStepContext) -> None:
        raise AssertionError

    with pytest.raises(ContextError, match=r"Silent has no step_results: .*super"):
        run(never, context=Silent())


@pytest.mark.parametrize("context", [object(), BaseStepContext, {"a": 1}])
def test_something_that_is_no_context_is_told(context: Any) -> None:
    """A run needs an instance of a context class."""
    with pytest.raises(ContextError, match="derived from BaseStepContext"):
        Orchestrator(StepRegistry(), context).execute()


@dataclass(kw_only=True)
class Mine(BaseStepContext):
    results: list[int]
    outcome: str
    failure: str = "none"
    run_id: int = 7
    idempotency_key: str = "key"


def test_fields_of_the_user_win() -> None:
    """A field called `results`, `outcome`, `failure`, `run_id` or `idempotency_key` is theirs."""

    @step
    def use(context: Mine) -> None:
        context.results.append(1)
        context.outcome = "mine"

    context = run(use, context=Mine(runtime_ctx=RuntimeContext(), results=[], outcome=""))
    assert (context.results, context.outcome, context.failure) == ([1], "mine", "none")
    assert (context.run_id, context.idempotency_key) == (7, "key")
    with pytest.raises(TypeError):
        Mine(runtime_ctx=RuntimeContext())  # type: ignore[call-arg]


def test_what_a_run_offers_is_empty_outside_one() -> None:
    """Without a run there are no results, no outcome and no ids."""
    context = BaseStepContext(RuntimeContext())
    assert dict(context.results) == {}
    assert (context.outcome, context.failure) == (None, None)
    assert (context.run_id, context.idempotency_key) == (None, None)
    assert context.run_info is None


def test_results_go_by_name() -> None:
    """By name, alias and inner name; what has not finished and what is unknown is told."""
    seen: list[Any] = []

    @step
    def scan_files(context: BaseStepContext) -> dict[str, int]:
        assert "scan_files" not in context.results
        with pytest.raises(KeyError, match="has not finished"):
            context.results["scan_files"]
        return {"files": 3}

    scan_files.aliases = ("scan",)

    @step
    def use(context: BaseStepContext) -> None:
        seen.append(context.results["scan_files"].data)
        seen.append(context.results["scan"].data)
        seen.append(list(context.results))
        assert context.results.get("nothing") is None
        with pytest.raises(KeyError, match="did you mean scan_files"):
            context.results["scan_file"]

    run(scan_files, use)
    assert seen == [{"files": 3}, {"files": 3}, ["scan_files"]]


def test_ids_tell_runs_and_steps_apart() -> None:
    """`run_id` is one UUIDv7 a run; `idempotency_key` is it and the name of the step."""
    seen: list[tuple[str | None, str | None]] = []

    @step
    def a(context: BaseStepContext) -> None:
        seen.append((context.run_id, context.idempotency_key))

    @step
    def b(context: BaseStepContext) -> None:
        seen.append((context.run_id, context.idempotency_key))

    run(a, b)
    time.sleep(0.002)  # Ids are ordered by the millisecond.
    run(a)
    (first, key), (same, other), (second, _) = seen
    assert first == same != second
    assert (key, other) == (f"{first}/a", f"{first}/b")
    assert first is not None
    assert first[14] == "7"
    assert sorted([str(first), str(second)]) == [first, second]


def undone_with(work: Any, *, fail: bool = True) -> Any:
    """Return the rollback data that reach the undo of a step which runs `work`."""
    got: list[Any] = []

    @step
    def record(context: BaseStepContext) -> Any:
        return work(context)

    @record.rollback
    def undo(context: BaseStepContext, result: StepResult) -> None:
        got.append(result.rollback_data)

    @step
    def broken(context: BaseStepContext) -> None:
        raise ValueError("broken")

    with pytest.raises(StepFailedError):
        run(record, *([broken] if fail else []))
    return got[0]


def test_recorded_and_returned_values_are_joined() -> None:
    """Recorded values come first, equal ones are kept once, and other keys stay."""

    def work(context: BaseStepContext) -> StepResult:
        context.record_rollback("made", "a")
        context.record_rollback_many("made", ["b", ["unhashable"]])
        context.record_rollback("made", "a")
        data = {"made": ["b", ["unhashable"], "c"], "other": 1}
        return StepResult(rollback_data=data)

    assert undone_with(work) == {"made": ["a", "b", ["unhashable"], "c"], "other": 1}


def test_a_step_that_fails_keeps_what_it_recorded() -> None:
    """Also when it says so with its result."""

    def work(context: BaseStepContext) -> StepResult:
        context.record_rollback("made", 1)
        return StepResult(success=False, error="no", rollback_data={"made": [2]})

    assert undone_with(work, fail=False) == {"made": [1, 2]}


@pytest.mark.parametrize("data", [{"made": "scalar"}, {"made": {"a": 1}}, None, "nonsense"])
def test_a_misfit_fails_the_step_and_loses_nothing(data: Any) -> None:
    """A single value under a recorded key is an error; what was recorded is still undone."""

    def work(context: BaseStepContext) -> StepResult:
        context.record_rollback("made", 1)
        return StepResult(rollback_data=data)

    assert undone_with(work, fail=False) == {"made": [1]}


def test_values_that_cannot_be_compared_are_kept() -> None:
    """Values whose comparison has no truth value, such as arrays, do not break the undo."""

    class Array:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> Any:
            raise ValueError("the truth value is ambiguous")

    one, two = Array(), Array()

    def work(context: BaseStepContext) -> StepResult:
        context.record_rollback("made", one)
        return StepResult(rollback_data={"made": [two, one]})

    joined = undone_with(work)["made"]
    assert [id(value) for value in joined] == [id(one), id(two)]


def test_many_recorded_values_are_not_compared_with_each_other() -> None:
    """Joining a thousand recorded lists and dicts compares none with all the others."""
    compared = 0

    class Pair(list[Any]):
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return list.__eq__(self, other)

    values = [Pair([number, {"key": Pair([number])}, (1, [2])]) for number in range(1000)]

    def work(context: BaseStepContext) -> StepResult:
        context.record_rollback_many("made", values)
        return StepResult(rollback_data={"made": [values[7], list(values[8])]})

    assert undone_with(work)["made"] == values
    assert compared <= 1000 + len(values)


def test_the_result_of_a_step_is_never_changed() -> None:
    """Recorded data is joined into a copy, so a step may return the same result every time."""
    own = StepResult(rollback_data={"made": [2]})

    def work(context: BaseStepContext) -> StepResult:
        context.record_rollback("made", 1)
        return own

    assert undone_with(work) == {"made": [1, 2]}
    assert own.rollback_data == {"made": [2]}


def test_threads_record_into_their_step() -> None:
    """The callable goes to threads as a value; looking it up in each thread works as well."""

    def work(context: BaseStepContext) -> None:
        record = context.record_rollback
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: record("made", number), range(200)))
            list(pool.map(lambda number: context.record_rollback("more", number), range(200)))

    data = undone_with(work)
    assert sorted(data["made"]) == sorted(data["more"]) == list(range(200))


def test_nothing_is_recorded_outside_of_execute() -> None:
    """Neither in `can_skip`, nor in `rollback`, nor after the run."""
    refused: list[str] = []

    def attempt(context: BaseStepContext, where: str) -> None:
        try:
            context.record_rollback("made", 1)
        except RecordError:
            refused.append(where)

    @step
    def asked(context: BaseStepContext) -> StepResult:
        return StepResult(success=False)

    @asked.skip_if
    def skip(context: BaseStepContext) -> bool:
        attempt(context, "can_skip")
        return False

    @asked.rollback
    def undo(context: BaseStepContext, result: StepResult) -> None:
        attempt(context, "rollback")

    context = BaseStepContext(RuntimeContext())
    with pytest.raises(StepFailedError):
        run(asked, context=context)
    attempt(context, "after")
    assert refused == ["can_skip", "rollback", "after"]


def test_coroutines_record_too() -> None:
    """`await context.arecord_rollback(...)` is the same from async code."""

    @step
    async def record(context: BaseStepContext) -> None:
        await asyncio.gather(*(context.arecord_rollback("made", n) for n in range(3)))

    assert run(record).results["record"].rollback_data == {"made": [0, 1, 2]}


def test_seal_is_for_always_run_steps_of_a_success() -> None:
    """Elsewhere it is refused with the reason."""
    sealed: list[str] = []

    @step
    def early(context: BaseStepContext) -> None:
        with pytest.raises(RecordError, match="still going on"):
            context.seal("too early")

    @step
    def close(context: BaseStepContext) -> None:
        context.seal("originals are gone")
        sealed.append("yes")

    close.always_run = True
    run(early, close)
    assert sealed == ["yes"]
    with pytest.raises(RecordError, match="inside a run"):
        BaseStepContext(RuntimeContext()).seal("no run")
