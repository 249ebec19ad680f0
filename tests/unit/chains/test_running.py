"""A chain in memory: one run, in which each action works as if it ran alone."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chain_of_files import (
    DATASET,
    INPUTS,
    QUIET,
    STEPS,
    TABLE,
    Context,
    Gather,
    Make,
    Params,
    Press,
    Teach,
    params,
)

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    ParamsError,
    StepFailedError,
    StepResult,
    action,
    chain,
    parallel,
    resume,
    rollback,
    step,
)
from handrail.errors import RollbackRefusedError
from handrail.plan.selection import select
from handrail.sqlite import SqliteJournal


def run(workflow, values, **options):
    return workflow.run(values, QUIET, packs=(), **options)


def run_async(workflow, values, **options):
    return asyncio.run(workflow(values, QUIET, packs=()).run_async(**options))


DRIVERS = pytest.mark.parametrize("play", [run, run_async])


def files(world):
    return sorted(path.name for path in world.iterdir() if path.name != "closed")


@DRIVERS
def test_outputs_of_an_action_are_params_of_the_next(tmp_path, play):
    result = play(DATASET, params(tmp_path))
    assert result == {
        "success": True,
        "steps_executed": 9,
        "steps_total": 9,
        "gather": {"table": TABLE, "count": 4},
        "press": {"table": f"pressed {TABLE}", "count": 4},
        "teach": {"learnt": f"pressed {TABLE}"},
    }
    read = {path.read_text() for path in tmp_path.iterdir() if path.name.endswith(".1")}
    assert {TABLE, f"pressed {TABLE}"} <= read


@DRIVERS
def test_a_failure_undoes_all_actions_and_closes_those_that_began(tmp_path, play):
    with pytest.raises(
        StepFailedError, match=r"Step 'press\.press' failed: told to fail"
    ) as caught:
        play(DATASET, params(tmp_path, press="press"))
    assert caught.value.step == "press.press"
    assert files(tmp_path) == []
    closed = (tmp_path / "closed").read_text().splitlines()
    assert [line.split()[1] for line in closed] == ["rolled_back"] * 2
    assert closed[0].split()[0] != closed[1].split()[0]


def test_each_action_has_a_run_id_of_its_own_that_follows_from_that_of_the_run(tmp_path):
    seen: dict[str, Any] = {}

    @step
    def look(context):
        seen["run"], seen["info"] = context.run_id, context.run_info
        seen["key"] = context.idempotency_key

    told: list[Any] = []
    run(chain("two", {"raw": action("see", [look])}), {}, observers=[told.append])
    whole = told[0].run_id
    assert seen["run"] == str(uuid.uuid5(uuid.UUID(whole), "raw"))
    assert seen["info"].uid == seen["run"]
    assert seen["info"].action == "see"
    assert seen["key"] == f"{seen['run']}/look"


def test_an_action_reads_results_of_its_own_steps_only_by_their_own_names():
    seen: list[Any] = []

    @step
    def first(context):
        return {"by": "first"}

    @step
    def second(context):
        seen.append((dict(context.results), len(context.results), "first" in context.results))
        seen.append([each.data for each in context.step_results])

    one = action("one", [first])
    two = action("two", [second])
    run(chain("both", {"a": action("a", [first, second]), "b": two, "c": one}), {})
    assert seen[0] == ({"first": seen[0][0]["first"]}, 1, True)
    assert seen[1] == [{"by": "first"}]
    assert seen[2:] == [({}, 0, False), []]


def test_events_and_errors_have_the_qualified_names(tmp_path):
    told: list[Any] = []
    with pytest.raises(StepFailedError):
        run(DATASET, params(tmp_path, teach="read"), observers=[told.append])
    started = [each.step for each in told if type(each).__name__ == "StepStarted"]
    assert [name for name in started if "." in name] == [*STEPS[:5], *STEPS[:5:-1]]
    assert [name for name in started if "." not in name] == ["gather", "press", "teach"]
    undone = [each.step for each in told if type(each).__name__ == "StepUndone"]
    assert [name for name in undone if "." in name] == list(reversed(STEPS[:5]))
    assert len([each for each in told if type(each).__name__ == "RunStarted"]) == 1


def test_a_message_of_a_step_is_one_of_the_qualified_step():
    @step
    def talk(context):
        context.log("said", {"a": 1})
        context.set_metrics({"b": 2})
        context.set_status("waits")

    told: list[Any] = []
    run(chain("talks", [action("a", [talk])]), {}, observers=[told.append])
    kinds = ("MessageLogged", "MetricsMeasured", "StatusChanged")
    said = [each.step for each in told if type(each).__name__ in kinds]
    assert said == ["a.talk"] * 3


def test_inputs_that_are_not_valid_fail_before_the_first_step_and_undo_everything(tmp_path):
    class Empty(Gather):
        action_name = "gather"

        def result(self, context):
            return {"table": None}

    bad = chain("dataset", [Empty, Press, Teach], inputs=INPUTS)
    with pytest.raises(StepFailedError, match=r"'press' failed: press cannot begin: table: "):
        run(bad, params(tmp_path))
    assert files(tmp_path) == []
    assert len((tmp_path / "closed").read_text().splitlines()) == 1, "press never began"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (
            {"other": 1, "summary": "x"},
            "needs gather.table, which the result of gather lacks: other",
        ),
        ({"table": object()}, "gather.table has no JSON form"),
        (7, "result of gather returned int"),
    ],
)
def test_outputs_that_are_not_there_fail_the_action_that_needs_them(tmp_path, result, message):
    class Odd(Gather):
        action_name = "gather"

        def result(self, context) -> Any:
            return result

    with pytest.raises(StepFailedError, match=message):
        run(chain("dataset", [Odd, Press, Teach], inputs=INPUTS), params(tmp_path))
    assert files(tmp_path) == []


def test_a_param_that_comes_from_another_action_cannot_be_given(tmp_path):
    values = params(tmp_path)
    values["press"]["table"] = "mine"
    with pytest.raises(
        ParamsError, match=r"press\.table: is not given, it comes from gather\.table"
    ):
        run(DATASET, values)


def test_all_params_are_checked_before_the_first_step(tmp_path):
    values = params(tmp_path)
    values["teach"] = {"world": ["no path"], "oops": 1}
    del values["press"]
    with pytest.raises(ParamsError) as caught:
        run(DATASET, values)
    assert {path for path, _ in caught.value.fields} == {"press.world", "teach.oops", "teach.world"}
    assert files(tmp_path) == []


def test_the_inputs_of_an_action_are_looked_at_when_it_begins(tmp_path):
    """An action before may make them; those of the first one are missed before the run."""

    class Looks(Press):
        action_name = "press"

        def check_inputs(self):
            if not list(self.params.world.glob("*.fetch.0")):
                yield "world", "has nothing in it"

    looking = chain("dataset", [Gather, Looks, Teach], inputs=INPUTS)
    assert run(looking, params(tmp_path))["success"]
    (tmp_path / "empty").mkdir()
    first = type("First", (Gather,), {"check_inputs": Looks.check_inputs})
    with pytest.raises(ParamsError, match=r"first\.world: has nothing in it"):
        run(chain("one", {"first": first}), {"first": {"world": tmp_path / "empty"}})
    assert files(tmp_path / "empty") == []


def from_press(tmp_path, **table):
    """Return the params of the chain, and the part of its plan that begins with `press`."""
    values = params(tmp_path)
    values["press"] |= table
    return values, select(DATASET.plan(packs=()), start="press")


def test_an_input_from_an_action_that_is_left_out_has_to_be_given(tmp_path):
    values, plan = from_press(tmp_path)
    with pytest.raises(ParamsError, match=r"press\.table: is required, as gather is left out"):
        DATASET(values, QUIET, packs=()).run_plan(plan)
    assert files(tmp_path) == []


@pytest.mark.parametrize("again", [resume, rollback])
def test_an_input_that_is_given_is_there_for_a_resume_and_an_undo(tmp_path, again):
    values, plan = from_press(tmp_path, table="mine")
    values["teach"]["fail"] = "teach"
    journal = SqliteJournal(tmp_path / "runs.db")
    with pytest.raises(StepFailedError):
        DATASET(values, QUIET, packs=()).run_plan(plan, journal=journal, on_failure="keep")
    assert "mine" in {path.read_text() for path in tmp_path.glob("*.open.1")}
    with pytest.raises(StepFailedError) if again is resume else nullcontext():  # It fails again.
        again(DATASET, 1, journal=journal, ctx=QUIET, packs=())
    assert [row.outcome for row in journal.parts(1)] == ["rolled_back"] * 2
    assert [name for name in files(tmp_path) if name.endswith((".0", ".1"))] == []
    journal.close()


def test_an_action_with_nothing_but_steps_that_always_run_is_closed(tmp_path):
    class Last(BaseStep):
        name, progress_weight, always_run = "last", 1, True

        def execute(self, context):
            (tmp_path / "last").write_text(f"{context.outcome} {context.params}")
            return StepResult()

    ends = action("ends", [Last()], params=Params)
    both = chain("both", [Gather, ends])
    values = {name: {"world": tmp_path} for name in ("gather", "ends")}
    assert run(both, values)["steps_executed"] == 4
    assert (tmp_path / "last").read_text().startswith("completed world=")


def test_a_context_that_cannot_be_made_undoes_what_was_done(tmp_path):
    class Odd(Teach):
        action_name = "teach"

        def create_context(self):
            raise OSError("no room")

    odd = chain("dataset", [Gather, Press, Odd], inputs=INPUTS)
    with pytest.raises(StepFailedError, match="create_context of teach raised OSError: no room"):
        run(odd, params(tmp_path))
    assert files(tmp_path) == []


def test_a_chain_runs_a_second_time_from_the_start(tmp_path):
    made = DATASET(params(tmp_path), QUIET, packs=())
    orchestrator = made.orchestrator(made.plan())
    orchestrator.execute()
    before = files(tmp_path)
    orchestrator.execute()
    assert len(files(tmp_path)) == 2 * len(before)


def test_undo_errors_are_errors_of_the_action_whose_step_could_not_be_undone(tmp_path):
    class Stuck(BaseStep):
        name, progress_weight = "stuck", 1

        def execute(self, context):
            return StepResult()

        def rollback(self, context, result):
            raise OSError("stuck")

    class Fails(BaseStep):
        name, progress_weight = "fails", 1

        def execute(self, context):
            raise ValueError("no")

    both = chain("both", {"a": action("a", [Stuck()]), "b": action("b", [Fails()])})
    made = both({}, QUIET, packs=())
    orchestrator = made.orchestrator(made.plan())
    with pytest.raises(StepFailedError) as caught:
        orchestrator.execute()
    assert [each.step for each in caught.value.rollback_errors] == ["a.stuck"]
    assert len(orchestrator.context.errors) == 1


def side_by_side(name, **options):
    """Return an action that begins with a group of two lanes, and has a step after it."""

    class Sum(BaseStep):
        progress_weight = 1
        name = "sum"

        def execute(self, context):
            (context.world / f"{context.run_id}.sum").write_text(context.left + context.right)
            return StepResult()

    def lane(side):
        class Side(BaseStep):
            progress_weight = 1

            def __init__(self):
                self.name = side

            def execute(self, context):
                assert context.current_step == side
                assert set(context.results) <= {"first", side}
                path = context.world / f"{context.run_id}.{side}"
                context.record_rollback("made", path.name)
                path.write_text(str(context.idempotency_key))
                setattr(context, side, f"{side}{context.before}")
                if side in options.get("fail", ()):
                    raise ValueError("told to fail")
                return StepResult()

            def rollback(self, context, result):
                for made in result.rollback_data.get("made", ()):
                    assert made.startswith(str(context.run_id))
                    (context.world / made).unlink(missing_ok=True)

        return Side()

    class Both(BaseAction):
        action_name = name
        params_model = GroupParams
        context_class = GroupContext

        def setup_steps(self, registry):
            registry.register(parallel("sides", [lane("left"), lane("right")]))
            registry.register(Sum())

        def result(self, context) -> Any:
            return {"after": context.left + context.right}

    return Both


class GroupParams(Params):
    before: str = ""


@dataclass(kw_only=True)
class GroupContext(BaseStepContext):
    world: Path
    before: str = ""
    left: str = ""
    right: str = ""


@DRIVERS
def test_groups_of_actions_work_on_the_context_of_their_action(tmp_path, play):
    both = chain(
        "both", {"a": side_by_side("a"), "b": side_by_side("b")}, inputs={"b.before": "a.after"}
    )
    result = play(both, {"a": {"world": tmp_path}, "b": {"world": tmp_path}})
    assert result["b"] == {"after": "leftleftrightrightleftright"}
    assert len(files(tmp_path)) == 6
    keys = {path.read_text().partition("/")[0] for path in tmp_path.glob("*.left")}
    assert len(keys) == 2


@DRIVERS
def test_a_failure_in_a_group_undoes_the_actions_before_too(tmp_path, play):
    last = side_by_side("b", fail=("right",))
    both = chain("both", [Gather, last], inputs={"b.before": "gather.table"})
    with pytest.raises(StepFailedError, match=r"'b\.right' failed: told to fail"):
        play(both, {"gather": {"world": tmp_path}, "b": {"world": tmp_path}})
    assert files(tmp_path) == []


def test_a_step_in_a_lane_goes_by_its_name_in_its_action() -> None:
    seen: list[Any] = []

    @step
    def left(context: Any) -> None:
        seen.append((context.current_step, list(context.results)))

    @step
    def right(context: Any) -> None:
        seen.append((context.current_step, list(context.results)))

    @step
    def before(context: Any) -> None:
        pass

    sides = action("sides", [before, parallel("both", [left, right])])
    chain("two", [sides, action("after", [step(name="last")(lambda context: None)])]).run(packs=())
    assert sorted(seen) == [("left", ["before"]), ("right", ["before"])]


def test_a_seal_is_about_the_whole_chain(tmp_path):
    class Seals(BaseStep):
        name, progress_weight, always_run = "seal", 0, True

        def execute(self, context):
            context.seal("the old files are gone")
            return StepResult()

    journal = SqliteJournal(tmp_path / "runs.db")
    sealing = chain("both", {"a": action("a", [Seals()]), "b": action("b", [Seals()])})
    run(sealing, {}, journal=journal)
    with pytest.raises(RollbackRefusedError, match="the old files are gone"):
        rollback(sealing, 1, journal=journal, ctx=QUIET, packs=())
    journal.close()


@pytest.mark.parametrize("journaled", [True, False])
def test_nothing_is_sealed_while_a_later_action_may_fail(tmp_path, journaled):
    class Seals(BaseStep):
        name, progress_weight, always_run = "seal", 0, True

        def execute(self, context):
            if context.outcome == "completed":
                context.seal("the old files are gone")
            return StepResult()

    sealed = action("a", [Make("made"), Seals()], params=Params)
    sealed.action_class.context_class = Context
    fails = action("b", [step(name="fails")(lambda context: 1 / 0)])
    journal = SqliteJournal(tmp_path / "runs.db") if journaled else None
    (tmp_path / "world").mkdir()
    with pytest.raises(StepFailedError) as caught:
        run(chain("both", [sealed, fails]), {"a": {"world": tmp_path / "world"}}, journal=journal)
    assert caught.value.outcome == "rolled_back"
    assert files(tmp_path / "world") == []
    if journal is not None:
        assert [row.sealed for row in journal.parts(1)] == [None, None]
        journal.close()


def test_an_action_does_not_rely_on_another_one_of_its_own_run(tmp_path):
    """That is undone with it, so nobody has to be told of it."""
    ids = []

    @step
    def relies(context):
        ids.append(context.run_id)
        context.relies_on([*ids, "0198c0de-0000-7000-8000-00000000000a"])

    journal = SqliteJournal(tmp_path / "runs.db")
    run(
        chain("both", {"a": action("a", [relies]), "b": action("b", [relies])}), {}, journal=journal
    )
    found = journal.reliance([2, 3])
    assert {each.uids for each in found.values()} == {("0198c0de-0000-7000-8000-00000000000a",)}
    journal.close()
