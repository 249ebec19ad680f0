"""No layer of a pack hides a failure of a step of others, or keeps its undo from being called."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from killing.told import AsyncDoes, Context, Does, flow

from handrail import (
    Run,
    Sleep,
    StepFailedError,
    StepResult,
    StepWrapper,
    Undo,
    hookimpl,
    resume,
    rollback,
)
from handrail.errors import LayerError, PlanError
from handrail.packs.loader import load_inline
from handrail.packs.provider import explicit_packs


class Swallows(StepWrapper[Any]):
    """Makes a success of each failure, also of an interrupt."""

    def around(self, context: Any) -> Any:
        try:
            result = yield Run()
        except BaseException:  # noqa: BLE001 - this is what it is for
            return StepResult()
        return result if result.success else StepResult()


class Forgets(StepWrapper[Any]):
    """Returns another result without what the step needs for its undo."""

    def around(self, context: Any) -> Any:
        yield Run()
        return StepResult()


class Clears(StepWrapper[Any]):
    """Empties what the step has returned, where it is."""

    def around(self, context: Any) -> Any:
        result = yield Run()
        result.rollback_data["ids"].clear()
        return result


class Edits(StepWrapper[Any]):
    def around(self, context: Any) -> Any:
        result = yield Run()
        result.data["ids"] = 2
        return result


class Skips(StepWrapper[Any]):
    def around(self, context: Any) -> Any:
        return replace((yield Run()), skipped=True)


class Omits(StepWrapper[Any]):
    """Says that the step succeeded, without running it."""

    def around(self, context: Any) -> Any:
        return StepResult()
        yield Run()


class TakesBack(StepWrapper[Any]):
    """Undoes the step, and says that it succeeded."""

    def around(self, context: Any) -> Any:
        result = yield Run()
        yield Undo()
        return result


class Adds(StepWrapper[Any]):
    def around(self, context: Any) -> Any:
        result = yield Run()
        return replace(result, data={**result.data, "seconds": 1})


class Breaks(StepWrapper[Any]):
    def around(self, context: Any) -> Any:
        yield Run()
        raise OSError("the layer is broken")


class Refuses(StepWrapper[Any]):
    def around(self, context: Any) -> Any:
        yield Run()
        return StepResult(success=False, error="too slow")


class Again(StepWrapper[Any]):
    def around(self, context: Any) -> Any:
        for _ in range(2):
            try:
                result = yield Run()
            except OSError:
                yield Undo()
                yield Sleep(0)
                continue
            if result.success:
                return result
            yield Undo()
        return (yield Run())


class Twice(StepWrapper[Any]):
    """Runs the step again over what it has done."""

    def around(self, context: Any) -> Any:
        yield Run()
        return (yield Run())


class NoUndo(StepWrapper[Any]):
    changes = True

    def rollback(self, context: Any, result: StepResult) -> None:
        """Do nothing."""


class Opaque(StepWrapper[Any]):
    changes = True

    def execute(self, context: Any) -> Any:
        return self.wrapped.execute(context)


class Permitted(Swallows):
    changes = True


class Told(StepWrapper[Any]):
    def before_rollback(self, context: Any) -> None:
        raise OSError("cannot be told")


GRANTS = {"acme-other": ["change local:work"]}


def hooks(pack: str, layer: Any) -> Any:
    """Return a pack that puts a layer around the step called work."""

    class Hooks:
        @hookimpl
        def wrap_step(self, action: Any, step: Any) -> Any:
            return layer(step) if step.name == "work" else None

    return load_inline(Hooks(), pack)


def packs_of(*layers: Any, other: Any = None) -> Any:
    """Return packs with a layer each, innermost first; that of `other` has the grant."""
    packs = [hooks(f"acme-{letter}", layer) for letter, layer in zip("abcd", layers, strict=False)]
    packs += [] if other is None else [hooks("acme-other", other)]
    return explicit_packs(packs, grants=GRANTS)


def made(context: Any) -> StepResult:
    return StepResult(data={"ids": 1}, rollback_data={"ids": [1]})


def fails(context: Any) -> StepResult:
    context.record_rollback("ids", 1)
    return StepResult(success=False, error="disk full")


def raises(context: Any) -> StepResult:
    context.record_rollback("ids", 1)
    raise OSError("disk full")


@pytest.fixture(params=["blocking", "async", "journal"])
def run(request: pytest.FixtureRequest) -> Any:
    """Run steps, the first of which is called work, in packs: in each driver, and durably."""

    def run(packs: Any, *steps: Any) -> Any:
        action = flow(*steps)({}, packs=packs)
        if request.param == "async":
            return asyncio.run(action.run_async())
        journal = request.getfixturevalue("journal") if request.param == "journal" else None
        return action.run(journal=journal)

    return run


@pytest.mark.parametrize("work", [fails, raises])
@pytest.mark.parametrize("layer", [Swallows, Forgets, lambda step: Adds(Swallows(step))])
def test_a_hidden_failure_fails_the_step_and_is_undone(run, work, layer):
    """The error names the layer, its pack and line; the undo gets what the step recorded."""
    step = Does("work", work)
    hides = layer is not Forgets or work is fails
    with pytest.raises(StepFailedError) as caught:
        run(packs_of(layer), step, Does("after"))
    assert step.undone == [{"ids": [1]}]
    assert caught.value.step == "work"
    if hides:
        error = caught.value.__cause__
        assert isinstance(error, LayerError)
        assert error.layer in ("Swallows", "Forgets")
        assert error.origin.pack == "acme-a"
        assert "test_layers_of_others.py:" in str(error)
        assert "disk full" in str(error)


@pytest.mark.parametrize("layer", [Forgets, Clears, Edits, Skips])
def test_a_changed_result_fails_the_step_and_the_undo_gets_that_of_the_step(run, layer):
    step = Does("work", made)
    with pytest.raises(StepFailedError) as caught:
        run(packs_of(layer), step)
    assert isinstance(caught.value.__cause__, LayerError)
    assert step.undone == [{"ids": [1]}]


@pytest.mark.parametrize(("layer", "undone"), [(Omits, 0), (TakesBack, 1)])
def test_a_success_of_a_step_that_did_not_run_is_a_failure(run, layer, undone):
    """Nor may a layer undo the step and say that it succeeded."""
    step = Does("work", made)
    with pytest.raises(StepFailedError) as caught:
        run(packs_of(layer), step)
    assert isinstance(caught.value.__cause__, LayerError)
    assert [each for each in step.undone if each] == [{"ids": [1]}] * undone


@pytest.mark.parametrize("layer", [Breaks, Refuses, lambda step: Adds(Breaks(step))])
def test_a_layer_that_fails_a_step_does_not_lose_what_its_undo_needs(run, layer):
    step = Does("work", made)
    with pytest.raises(StepFailedError):
        run(packs_of(layer), step)
    assert step.undone == [{"ids": [1]}]


@pytest.mark.parametrize("raising", [False, True])
def test_a_layer_that_retries_needs_no_grant(run, raising):
    """Each attempt is undone with what is its own, before the next one."""
    attempts = iter([1, 2, 3])

    def work(context: Any) -> StepResult:
        number = next(attempts)
        context.record_rollback("ids", number)
        if raising and number < 3:
            raise OSError("disk full")
        return StepResult(success=number == 3, error="disk full")

    step = Does("work", work)
    assert run(packs_of(Adds, Again, Adds), step)["success"]
    assert step.undone == [{"ids": [1]}, {"ids": [2]}]


def test_a_retry_outside_of_a_layer_that_fails_undoes_what_the_step_returned(run):
    """The error of the layer inside carries no rollback data."""
    step = Does("work", made)
    with pytest.raises(StepFailedError):
        run(packs_of(Breaks, Again), step)
    assert step.undone == [{"ids": [1]}] * 3


def test_a_step_is_not_run_again_over_what_it_has_done(run):
    """The undo could not tell what the first attempt returned."""
    step = Does("work", made)
    with pytest.raises(StepFailedError, match=r"without an Undo\(\)"):
        run(packs_of(Twice), step)
    assert step.undone == [{"ids": [1]}]


def test_a_layer_may_add_to_the_data(run):
    step = Does("work", made)
    assert run(packs_of(Adds), step)["success"]
    assert step.undone == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_that_a_layer_swallows_ends_the_run(run, error):
    def work(context: Any) -> None:
        raise error

    with pytest.raises(error):
        run(packs_of(Swallows), Does("work", work))


def test_an_async_step_is_bound_in_the_same_way(run):
    async def work(context: Any) -> None:
        raise OSError("disk full")

    step = AsyncDoes("work", work)
    with pytest.raises(StepFailedError) as caught:
        run(packs_of(Swallows), step)
    assert isinstance(caught.value.__cause__, LayerError)


@pytest.mark.parametrize("layers", [(Swallows,), (Again, Swallows)])
def test_a_layer_inside_one_with_a_grant_is_bound_all_the_same(run, layers):
    """Also where that one is opaque, and executes the layers inside by itself."""
    step = Does("work", raises)
    with pytest.raises(StepFailedError) as caught:
        run(packs_of(*layers, other=Opaque), step)
    assert isinstance(caught.value.__cause__, LayerError)
    assert step.undone[-1] == {"ids": [1]}


def test_a_layer_with_a_grant_may_swallow_whatever_is_around_it(run):
    """A layer outside that only watches is shown the result of the one inside."""
    packs = [hooks("acme-other", Permitted), hooks("acme-watch", Adds)]
    step = Does("work", raises)
    assert run(explicit_packs(packs, grants=GRANTS), step)["success"]
    assert step.undone == []


def test_what_an_action_puts_around_its_own_steps_is_free(run):
    step = Does("work", raises)
    assert run((), Swallows(step))["success"]


@pytest.mark.parametrize(("layers", "other", "times"), [((Told,), None, 1), ((Told,), NoUndo, 0)])
def test_only_a_layer_with_a_grant_keeps_an_undo_from_being_called(run, layers, other, times):
    """One that is told of it may raise."""
    step = Does("work", made)
    with pytest.raises(StepFailedError, match="'last' failed"):
        run(packs_of(*layers, other=other), step, Does("last", fails))
    assert step.undone == [{"ids": [1]}] * times


def test_what_is_told_of_an_undo_and_raises_is_an_error_of_the_context() -> None:
    context, step = Context(None), Does("work")
    Told(step).rollback(context, StepResult())
    assert step.undone == [{}]
    assert "cannot be told" in context.errors[0]


@pytest.mark.parametrize(
    "body",
    [
        {"rollback": lambda self, context, result: None},
        {"execute": lambda self, context: StepResult()},
        {"resume": lambda self, context, result: StepResult()},
        {"can_skip": lambda self, context: True},
        {"restore": lambda self, context, result: None},
        {"preview_rollback": lambda self, context, result: None},
        {"effects": False},
        {"changes": True},
    ],
    ids=lambda body: next(iter(body)),
)
def test_a_layer_that_decides_needs_a_grant(body):
    """It is refused before anything runs; with the grant that the error prints it is planned."""
    layer = type("Decides", (StepWrapper,), body)
    action = flow(Does("work"))
    with pytest.raises(PlanError) as caught:
        action({}, packs=packs_of(layer)).plan()
    [problem] = caught.value.problems
    assert problem.code == "change-needs-grant"
    assert '[grants]  acme-a = ["change local:work"]' in problem.ways_out[0]
    [step] = action({}, packs=packs_of(other=layer)).plan().steps
    assert step.layers[0].changes


def test_a_method_of_one_layer_alone_counts_too() -> None:
    """A rollback that was set in the layer itself."""

    def layer(step: Any) -> Any:
        made = StepWrapper(step)
        made.rollback = lambda context, result: None  # type: ignore[method-assign]
        return made

    with pytest.raises(PlanError, match="change-needs-grant"):
        flow(Does("work"))({}, packs=packs_of(layer)).plan()


@pytest.mark.parametrize("how", ["rollback", "resume"])
def test_another_process_undoes_through_the_layers(journal, kill, how):
    """Killed in the middle of it, the step is undone from its records, whatever is around it."""
    step = Does("work", raises)
    packs = packs_of(Swallows, Told)
    action = flow(step, Does("after"))
    kill(2, "before", lambda deadly: action({}, packs=packs).run(journal=deadly))
    assert journal.runs()[0].outcome is None
    if how == "rollback":
        rollback(action, 1, journal=journal, packs=packs)
        assert step.undone == [{"ids": [1]}] or step.undone == [{}]
        assert journal.runs()[0].outcome == "rolled_back"
    else:
        with pytest.raises(StepFailedError):
            resume(action, 1, journal=journal, packs=packs)
        assert {"ids": [1]} in step.undone
        assert journal.runs()[0].outcome == "rolled_back"


def test_the_fingerprint_tells_a_layer_that_changes_the_step() -> None:
    class Same(StepWrapper[Any]):
        pass

    def plan(changes: bool) -> Any:
        layer = type("Same", (Same,), {"changes": changes})
        return flow(Does("work"))({}, packs=packs_of(other=layer)).plan()

    assert plan(True).fingerprint != plan(False).fingerprint
    assert plan(False).diff(plan(True)) == ["~ work: layers same(·) became same (changes)(·)"]
