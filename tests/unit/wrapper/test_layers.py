"""StepWrapper: one generator around blocking and async steps."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import pytest

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    Run,
    RuntimeContext,
    Sleep,
    StepFailedError,
    StepRegistry,
    StepResult,
    StepWrapper,
    Undo,
)
from handrail.errors import InvalidStepError, StepResultError
from handrail.wrapper import is_layer

log: list[Any] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    log.clear()


def context() -> BaseStepContext:
    return BaseStepContext(RuntimeContext())


class Inner(BaseStep):
    """Fails the first `failures` times; every attempt records its number."""

    name = "inner"
    progress_weight = 0.3

    def __init__(self, failures: int = 0, *, raising: bool = False, stuck: bool = False) -> None:
        self.failures = failures
        self.raising = raising
        self.stuck = stuck
        self.attempt = 0

    def work(self, context: BaseStepContext) -> StepResult:
        self.attempt += 1
        log.append(f"run {self.attempt}")
        context.record_rollback("made", self.attempt)
        if self.attempt <= self.failures:
            if self.raising:
                raise OSError("broken")
            return StepResult(success=False, error="broken", rollback_data={"id": self.attempt})
        return StepResult(data={"attempt": self.attempt})

    def execute(self, context: BaseStepContext) -> Any:
        return self.work(context)

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        log.append(("undo", dict(result.rollback_data)))
        if self.stuck:
            raise OSError("stuck")


class AsyncInner(Inner):
    async def execute(self, context: BaseStepContext) -> StepResult:
        await asyncio.sleep(0)
        return self.work(context)

    async def rollback(self, context: BaseStepContext, result: StepResult) -> None:  # type: ignore[override]
        Inner.rollback(self, context, result)


class Again(StepWrapper):
    def around(self, context: BaseStepContext) -> Any:
        while True:
            try:
                result = yield Run()
            except OSError as error:
                log.append(f"caught {error}")
            else:
                if result.success:
                    return result
            yield Undo()
            yield Sleep(0)


class Opaque(StepWrapper):
    def execute(self, context: BaseStepContext) -> Any:
        log.append("opaque")
        return self.wrapped.execute(context)


class Named(StepWrapper):
    def __init__(self, inner: BaseStep, label: str) -> None:
        super().__init__(inner)
        self.label = label

    def around(self, context: BaseStepContext) -> Any:
        log.append(f"enter {self.label}")
        result = yield Run()
        log.append(f"leave {self.label}")
        return result


def run(step: BaseStep, how: str = "blocking", *, fail: bool = False) -> BaseStepContext:
    registry = StepRegistry()
    registry.register(step)
    if fail:
        registry.register(Broken())
    made = context()
    orchestrator = Orchestrator(registry, made)
    if how == "async":
        asyncio.run(orchestrator.execute_async())
    elif how == "by hand":
        answer = step.execute(made)
        if not isinstance(answer, StepResult):
            answer = asyncio.run(answer)  # type: ignore[arg-type]
        made.step_results.append(answer)
    else:
        orchestrator.execute()
    return made


class Broken(BaseStep):
    name = "broken"
    progress_weight = 0.1

    def execute(self, context: BaseStepContext) -> StepResult:
        return StepResult(success=False, error="planned")


every_way = pytest.mark.parametrize("how", ["blocking", "async", "by hand"])
both_kinds = pytest.mark.parametrize("kind", [Inner, AsyncInner])


@every_way
@both_kinds
@pytest.mark.parametrize("raising", [False, True])
def test_a_failed_attempt_is_undone_before_the_next(
    how: str, kind: type[Inner], raising: bool
) -> None:
    """`Undo` gets what that attempt recorded and returned, and the next one starts clean."""
    made = run(Again(kind(2, raising=raising)), how)
    first: dict[str, Any] = {"made": [1]} if raising else {"id": 1, "made": [1]}
    second: dict[str, Any] = {"made": [2]} if raising else {"id": 2, "made": [2]}
    steps = [entry for entry in log if not str(entry).startswith("caught")]
    assert steps == ["run 1", ("undo", first), "run 2", ("undo", second), "run 3"]
    assert log.count("caught broken") == (2 if raising else 0)
    assert made.step_results[-1].data == {"attempt": 3}


@pytest.mark.parametrize("how", ["blocking", "async"])
@both_kinds
def test_the_undo_of_a_step_gets_its_last_attempt(how: str, kind: type[Inner]) -> None:
    """Attempts that were undone are not undone again when the run fails later."""
    with pytest.raises(StepFailedError, match="Step 'broken' failed: planned"):
        run(Again(kind(1)), how, fail=True)
    assert log[-1] == ("undo", {"made": [2]})
    assert len([entry for entry in log if entry[0] == "undo"]) == 2


@pytest.mark.parametrize("how", ["blocking", "async"])
@both_kinds
@pytest.mark.parametrize("outer", [Again, lambda inner: Opaque(Again(inner))])
def test_what_the_undo_of_an_attempt_left_behind_is_undone_with_the_step(
    how: str, kind: type[Inner], outer: Any
) -> None:
    """When `Undo` raises, the step fails with that error, and its undo gets the same data."""
    with pytest.raises(StepFailedError, match="failed: stuck") as caught:
        run(outer(kind(1, stuck=True)), how)
    undone = [entry for entry in log if entry[0] == "undo"]
    assert undone == [("undo", {"id": 1, "made": [1]})] * 2
    assert caught.value.outcome == "rollback_incomplete"


def test_an_undo_without_an_attempt_does_nothing() -> None:
    """`Undo` before the first `Run`, or twice, does not call the rollback again."""

    class Nervous(StepWrapper):
        def around(self, context: BaseStepContext) -> Any:
            yield Undo()
            result = yield Run()
            yield Undo()
            yield Undo()
            return result

    run(Nervous(Inner()))
    assert log == ["run 1", ("undo", {"made": [1]})]


@every_way
def test_layers_nest_in_order(how: str) -> None:
    """The outermost enters first and leaves last, opaque layers in between too."""
    run(Named(Opaque(Named(AsyncInner(), "in")), "out"), how)
    assert log == ["enter out", "opaque", "enter in", "run 1", "leave in", "leave out"]


@pytest.mark.parametrize("how", ["blocking", "async"])
def test_sleep_waits(how: str) -> None:
    """`Sleep(seconds)` pauses the layer for that long."""

    class Slow(StepWrapper):
        def around(self, context: BaseStepContext) -> Any:
            yield Sleep(0.05)
            return (yield Run())

    began = time.perf_counter()
    run(Slow(Inner()), how)
    assert time.perf_counter() - began >= 0.045


def misuse(body: Any) -> Any:
    class Wrong(StepWrapper):
        around = body

    return Wrong(Inner())


def returns_nothing(self: Any, context: Any) -> Any:
    yield Run()


def yields_nonsense(self: Any, context: Any) -> Any:
    yield "nonsense"


def is_no_generator(self: Any, context: Any) -> Any:
    return StepResult()


def raises_at_once(self: Any, context: Any) -> Any:
    raise KeyError("early")
    yield


@every_way
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (returns_nothing, "Wrong.around returned None instead of a StepResult"),
        (yields_nonsense, r"may yield Run\(\), Undo\(\) or Sleep"),
        (is_no_generator, r"Wrong.around is no generator: it has to yield Run\(\)"),
        (raises_at_once, "early"),
    ],
)
def test_misuse_of_around_fails_the_step(how: str, body: Any, text: str) -> None:
    """The failure says what `around` has to do."""
    with pytest.raises((StepFailedError, StepResultError, KeyError), match=text):
        run(misuse(body), how)


def test_nonsense_is_thrown_into_the_layer() -> None:
    """A layer that yields nonsense gets the error where it yields, and may still go on."""

    class Learning(StepWrapper):
        def around(self, context: BaseStepContext) -> Any:
            with pytest.raises(StepResultError):
                yield "nonsense"
            return (yield Run())

    assert run(Learning(Inner())).results["inner"].success


def test_everything_is_forwarded() -> None:
    """Name, weight and flags are those of the step inside, unless a subclass says otherwise."""

    class Flags(Inner):
        effects = False
        always_run = True
        final = True
        data_version = 3

        def preview(self, context: BaseStepContext) -> str:
            return "would"

        def can_skip(self, context: BaseStepContext) -> bool:
            return True

    layer = StepWrapper(StepWrapper(Flags()))
    assert (layer.name, layer.progress_weight) == ("inner", 0.3)
    assert (layer.effects, layer.always_run, layer.final) == (False, True, True)
    assert (layer.data_version, layer.preview(context())) == (3, "would")
    assert layer.can_skip(context()) is True
    layer.rollback(context(), StepResult())
    assert log == [("undo", {})]


def test_a_wrapper_may_set_its_own_name() -> None:
    """As a class attribute, a property, or in `__init__`."""

    class ByClass(StepWrapper):
        name = "mine"

    class ByInit(StepWrapper):
        def __init__(self, inner: BaseStep) -> None:
            super().__init__(inner)
            self.name = f"by_init_{inner.name}"
            self.progress_weight = 0.9

    assert ByClass(Inner()).name == "mine"
    assert (ByInit(Inner()).name, ByInit(Inner()).progress_weight) == ("by_init_inner", 0.9)


@pytest.mark.parametrize("inner", [Inner, None, "inner", lambda context: None])
def test_a_wrapper_wraps_steps_only(inner: Any) -> None:
    """Everything else is refused when the wrapper is made."""
    with pytest.raises(InvalidStepError, match="StepWrapper wraps a step, not"):
        StepWrapper(inner)


def test_a_wrapper_that_overrides_execute_is_opaque() -> None:
    """Only `around` can be driven from outside."""
    assert is_layer(StepWrapper(Inner()))
    assert not is_layer(Opaque(Inner()))
    assert not is_layer(Inner())


def test_layers_by_hand_need_no_asyncio() -> None:
    """An opaque layer around another one does not start a loop for blocking steps."""
    import subprocess

    code = (
        "import sys\n"
        "from handrail import *\n"
        "class S(BaseStep):\n"
        "    name, progress_weight = 's', 1\n"
        "    def execute(self, context): return StepResult()\n"
        "class O(StepWrapper):\n"
        "    def execute(self, context): return self.wrapped.execute(context)\n"
        "r = StepRegistry()\n"
        "r.register(O(StepWrapper(S())))\n"
        "Orchestrator(r, BaseStepContext(RuntimeContext())).execute()\n"
        "print('asyncio' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
