"""Random chains, killed at random writes, against the rule: nothing is doubled, nothing is left."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from killing.memory import folder_in_memory
from killing.processes import Killing, in_child
from pydantic import BaseModel

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    RuntimeContext,
    StepFailedError,
    StepResult,
    chain,
    resume,
    rollback,
)
from handrail.errors import RunClosedError
from handrail.sqlite import SqliteJournal


@dataclass(frozen=True)
class Spec:
    """What one random step does."""

    act: str  # ok, raise, skip
    is_async: bool
    always_run: bool
    undo: bool


specs = st.builds(
    Spec,
    act=st.sampled_from(["ok"] * 6 + ["raise", "skip"]),
    is_async=st.booleans(),
    always_run=st.integers(0, 5).map(lambda number: number == 0),
    undo=st.integers(0, 3).map(bool),
)
actions = st.lists(st.lists(specs, min_size=1, max_size=4), min_size=1, max_size=4)


class Silent:
    def log(self, *given): ...
    def set_progress(self, *given): ...
    def set_metrics(self, *given): ...


QUIET = RuntimeContext(logger=Silent())


class Params(BaseModel):
    """Where the files are, and what came before."""

    world: Path
    before: str = ""


@dataclass(kw_only=True)
class Context(BaseStepContext):
    """What an action has done so far."""

    world: Path
    before: str = ""
    done: list[str] = field(default_factory=list)


class Out(TypedDict):
    """What an action hands on."""

    after: str


class Step(BaseStep[Context]):
    """Makes a file of its run, and an entry in its context."""

    progress_weight = 0.1

    def __init__(self, name: str, spec: Spec) -> None:
        self.name, self.spec = name, spec
        self.always_run = spec.always_run

    def can_skip(self, context: Context) -> bool:
        return self.spec.act == "skip"

    def work(self, context: Context) -> StepResult:
        assert context.current_step == self.name
        path = context.world / f"{context.run_id}.{self.name}"
        if self.spec.always_run:
            with path.open("a") as file:
                file.write(f"{context.outcome}\n")
            return StepResult()
        context.record_rollback("made", path.name)
        assert not path.exists(), "it was made twice"
        path.write_text(context.before)
        context.done.append(self.name)
        if self.spec.act == "raise":
            raise ValueError("broken")
        return StepResult()

    def execute(self, context: Context) -> Any:
        return self.work(context)

    def rollback(self, context: Context, result: StepResult) -> None:
        for name in result.rollback_data.get("made", ()):
            assert name.startswith(str(context.run_id))
            (context.world / name).unlink(missing_ok=True)


class AsyncStep(Step):
    async def execute(self, context: Context) -> Any:
        await asyncio.sleep(0)
        return self.work(context)


def action_of(number: int, plan: list[Spec]) -> type[BaseAction[Any]]:
    steps = [(AsyncStep if spec.is_async else Step)(f"s{n}", spec) for n, spec in enumerate(plan)]

    def setup_steps(self: Any, registry: Any) -> None:
        for step in steps:
            registry.register(step)

    def result(self: Any, context: Context) -> Out:
        return {"after": f"{context.before}/{','.join(context.done)}"}

    result.__annotations__["return"] = Out
    members = {
        "action_name": f"a{number}",
        "params_model": Params,
        "context_class": Context,
        "setup_steps": setup_steps,
        "result": result,
        "__module__": __name__,
    }
    return type(f"Action{number}", (BaseAction,), members)


class Model:
    """What a run has to leave behind, worked out with nothing but lists."""

    def __init__(self, plans: list[list[Spec]]) -> None:
        self.fails = False
        self.before: list[str] = []
        self.made: dict[str, str] = {}
        self.began = 0
        before = ""
        for number, plan in enumerate(plans):
            self.began += 1
            done: list[str] = []
            for n, spec in enumerate(plan):
                if spec.always_run or spec.act == "skip" or self.fails:
                    continue
                done.append(f"s{n}")
                self.made[f"a{number}.s{n}"] = before
                self.fails = spec.act == "raise"
            if self.fails:
                break
            before = f"{before}/{','.join(done)}"
        self.after = before


def closed_by(plans: list[list[Spec]], began: int) -> list[str]:
    """Return the steps that always run of the first `began` actions."""
    return [
        f"a{number}.s{n}"
        for number, plan in enumerate(plans[:began])
        for n, spec in enumerate(plan)
        if spec.always_run and spec.act != "skip"
    ]


def workflow_of(plans: list[list[Spec]]) -> Any:
    inputs = {f"a{n}.before": f"a{n - 1}.after" for n in range(1, len(plans))}
    return chain("random", [action_of(*each) for each in enumerate(plans)], inputs=inputs)


def check(world: Path, plans: list[list[Spec]], uid: str, outcome: str) -> None:
    """Check that exactly what has to be there is there, once."""
    model = Model(plans)
    names = {str(uuid.uuid5(uuid.UUID(uid), f"a{n}")): f"a{n}" for n in range(len(plans))}
    found = {}
    for path in world.iterdir():
        run, _, step = path.name.partition(".")
        found[f"{names[run]}.{step}"] = path.read_text()
    ends = set(closed_by(plans, len(plans)))
    effects = {name: text for name, text in found.items() if name not in ends}
    assert effects == (model.made if outcome == "completed" else {})
    # A step that has closed a success does not close the undo that is asked for later, too.
    closed = {outcome} if model.fails else {outcome, "completed"}
    for name in ends & found.keys():
        assert found[name].splitlines()[-1] in closed
    if outcome == "completed":
        assert ends <= found.keys()


@given(actions, st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_random_chain_does_what_the_model_says(plans, in_loop):
    """Also which actions are closed: those that began."""
    model = Model(plans)
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder)
        workflow = workflow_of(plans)
        values = {f"a{n}": {"world": world} for n in range(len(plans))}
        told: list[Any] = []
        made = workflow(values, QUIET, packs=())

        def run() -> Any:
            if in_loop:
                return asyncio.run(made.run_async(observers=[told.append]))
            return made.run(observers=[told.append])

        if not any(not spec.always_run for plan in plans for spec in plan) and model.fails:
            return
        if model.fails:
            with pytest.raises(StepFailedError, match="broken"):
                run()
        else:
            assert run()[f"a{len(plans) - 1}"] == {"after": model.after}
        outcome = "rolled_back" if model.fails else "completed"
        check(world, plans, told[0].run_id, outcome)
        closed = [each.step for each in told if type(each).__name__ == "StepStarted"]
        ends = closed_by(plans, len(plans))
        # The undo of an action closes it, the last one first.
        order = range(model.began)
        expected = [
            name
            for number in (reversed(order) if model.fails else order)
            for name in closed_by(plans, model.began)
            if name.startswith(f"a{number}.")
        ]
        assert [name for name in closed if name in ends] == expected


@pytest.mark.slow
@given(actions, st.integers(1, 30), st.sampled_from(["before", "after"]), st.booleans())
@example([[Spec("ok", False, True, False), Spec("skip", False, True, False)]], 9, "after", False)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_random_chain_that_is_killed_is_finished_or_undone(plans, at, when, undoes):
    model = Model(plans)
    with folder_in_memory() as folder:
        world = folder / "world"
        world.mkdir()
        workflow = workflow_of(plans)
        values = {f"a{n}": {"world": world} for n in range(len(plans))}

        def body() -> None:
            deadly = Killing(folder / "runs.db")
            deadly.at, deadly.when = at, when
            workflow.run(values, QUIET, packs=(), journal=deadly)

        killed = in_child(body) == -signal.SIGKILL
        with closing(SqliteJournal(folder / "runs.db")) as journal:
            row = journal.runs()[0]
            assert killed or row.outcome is not None
            outcome = go_on(workflow, journal, undoes=undoes)
            assert outcome in ("completed", "rolled_back")
            assert outcome == "rolled_back" or not model.fails
            check(world, plans, row.uid, outcome)


def go_on(workflow: Any, journal: SqliteJournal, *, undoes: bool) -> str:
    """Finish or undo the run, and return its outcome."""
    try:
        if undoes:
            rollback(workflow, 1, journal=journal, ctx=QUIET, packs=())
        else:
            resume(workflow, 1, journal=journal, ctx=QUIET, packs=())
    except (StepFailedError, RunClosedError):
        pass
    return str(journal.runs()[0].outcome)
