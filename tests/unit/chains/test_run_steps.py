"""A step that runs an action, as a run of its own that is a part of the run."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from chain_of_files import (
    DATASET,
    QUIET,
    TABLE,
    Connects,
    Context,
    Gather,
    Make,
    Params,
    Press,
    Teach,
    params,
)
from pydantic import BaseModel, SecretStr

from handrail import (
    BaseStep,
    FromEnv,
    Limits,
    PlanError,
    RunStep,
    StepFailedError,
    StepResult,
    action,
    chain,
    parallel,
    resume,
    rollback,
    step,
)
from handrail.builtin.records.leftovers import record_by_hand
from handrail.builtin.records.status import by_hand_of
from handrail.errors import (
    DriftError,
    JournalError,
    LeaseLostError,
    RefusedError,
    RollbackRefusedError,
    RunHeldError,
    StepTimeoutError,
)
from handrail.journal.records import RunChange
from handrail.sqlite import SqliteJournal
from handrail.wrapper import StepWrapper


def run(workflow, values, **options):
    return workflow.run(values, QUIET, packs=(), **options)


def run_async(workflow, values, **options):
    return asyncio.run(workflow(values, QUIET, packs=()).run_async(**options))


def durable(folder):
    return SqliteJournal(folder / "runs.db")


WAYS = pytest.mark.parametrize("journaled", [True, False])
DRIVERS = pytest.mark.parametrize("play", [run, run_async])


def press_in(world, **more):
    return RunStep("press", Press, {"world": world, "table": TABLE, **more})


def with_press(world, *after, **more):
    """An action with a step, a run of `press`, and other steps."""
    return action(
        "whole",
        [Connects("before"), press_in(world, **more), *after],
        params=Params,
        context=Context,
    )


def made(world):
    return sorted(path.name.partition(".")[2] for path in world.iterdir() if path.name != "closed")


@pytest.fixture
def world(tmp_path):
    folder = tmp_path / "world"
    folder.mkdir()
    return folder


@pytest.fixture
def journal(tmp_path):
    opened = durable(tmp_path)
    yield opened
    opened.close()


@DRIVERS
@WAYS
def test_the_run_ends_with_its_step(tmp_path, world, play, journaled):
    journal = durable(tmp_path) if journaled else None
    done = play(with_press(world), {"world": world}, journal=journal)
    assert (done["steps_executed"], done["steps_total"]) == (4, 4)
    assert (world / "closed").read_text().split()[1:] == ["completed"]
    if journal is not None:
        assert [row.number for row in journal.runs()] == [1]
        [part] = journal.parts(1)
        assert (part.number, part.parent, part.parent_step) == (2, 1, "press")
        assert (part.parent_attempt, part.parent_item, part.outcome) == (1, 0, "completed")
        journal.close()


@DRIVERS
@WAYS
def test_a_later_step_that_fails_undoes_the_run_by_its_own_rules(tmp_path, world, play, journaled):
    journal = durable(tmp_path) if journaled else None
    with pytest.raises(StepFailedError, match="'after' failed: told to fail"):
        play(with_press(world, Make("after")), {"world": world, "fail": "after"}, journal=journal)
    assert made(world) == []
    if journal is not None:
        assert [row.outcome for row in journal.parts(1)] == ["rolled_back"]
        journal.close()


@DRIVERS
def test_a_failure_in_the_run_is_the_failure_of_its_step_with_both_names(world, play):
    with pytest.raises(
        StepFailedError, match=r"Step 'press\.press' failed: told to fail"
    ) as caught:
        play(with_press(world, fail="press"), {"world": world})
    assert caught.value.outcome == "rolled_back"
    assert made(world) == []
    assert (world / "closed").read_text().split()[1:] == ["rolled_back"]


def test_params_are_worked_out_from_the_context_when_the_step_begins(world):
    given = RunStep("press", Press, lambda context: {"world": context.world, "table": "made"})
    whole = action("whole", [given], params=Params, context=Context)
    run(whole, {"world": world})
    assert "made" in {path.read_text() for path in world.iterdir()}


def test_params_that_are_not_valid_fail_the_step_before_the_run_begins(world, journal):
    with pytest.raises(StepFailedError, match="press cannot begin: table: is required"):
        run(action("whole", [RunStep("press", Press, {"world": world})]), {}, journal=journal)
    assert journal.parts(1) == []


class Again(StepWrapper):
    """Tries a step once more."""

    def around(self, context):
        from handrail import Run, Undo

        try:
            return (yield Run())
        except StepFailedError:
            yield Undo()
        return (yield Run())


@WAYS
def test_each_attempt_is_a_run_of_its_own(tmp_path, world, journaled):
    tries: list[str] = []

    @step
    def fails_once(context):
        tries.append(context.run_id)
        if len(tries) == 1:
            raise ValueError("not yet")

    inner = RunStep(
        "inner", action("inner", [Connects("open"), fails_once], params=Params, context=Context)
    )
    inner._params = {"world": world}
    journal = durable(tmp_path) if journaled else None
    run(action("whole", [Again(inner)]), {}, journal=journal)
    assert len(set(tries)) == 2
    assert made(world) == ["open.0", "open.1"]
    if journal is not None:
        parts = journal.parts(1)
        assert [row.outcome for row in parts] == ["rolled_back", "completed"]
        assert [(row.parent_attempt, row.parent_item) for row in parts] == [(1, 0), (2, 0)]
        journal.close()


def test_no_run_is_opened_once_its_parent_was_taken_over(world, journal):
    """Nor is anything undone: another process has the run."""

    def lose(context):
        journal._database.write(lambda base: base.execute("UPDATE run SET fence = fence + 1"))
        return {"world": world, "table": TABLE}

    with pytest.raises(LeaseLostError):
        run(action("whole", [RunStep("press", Press, lose)]), {}, journal=journal)
    assert made(world) == []
    assert journal.parts(1) == []


@pytest.mark.parametrize(
    ("change", "how"),
    [({"always_run": True}, "always runs"), ({"limits": Limits(isolated=True)}, "is isolated")],
)
def test_it_is_neither_isolated_nor_does_it_always_run(world, change, how):
    press = press_in(world)
    vars(press).update(change)
    with pytest.raises(PlanError) as caught:
        action("whole", [press]).plan(packs=())
    (found,) = (each for each in caught.value.problems if each.code == "bad-step")
    assert how in found.message


def test_a_run_that_is_stopped_stops_its_part(world):
    """As by a time limit that is noticed when the step says something."""

    class Talks(BaseStep):
        name, progress_weight = "talks", 1.0

        def execute(self, context):
            threading.Event().wait(0.4)
            context.log("said", {})
            return StepResult()

    inner = RunStep(
        "inner", action("inner", [Connects("open"), Talks()], params=Params, context=Context)
    )
    inner._params = {"world": world}
    inner.limits = Limits(timeout=0.1)
    done: list[BaseException] = []

    def play():
        try:
            run(action("whole", [inner]), {})
        except BaseException as error:  # noqa: BLE001 - it is looked at below
            done.append(error)

    thread = threading.Thread(target=play)
    thread.start()
    thread.join(20)
    assert isinstance(done[0].__cause__, StepTimeoutError | TimeoutError)
    assert made(world) == []


@DRIVERS
def test_a_lane_that_fails_calls_off_the_run_in_another_one(world, play):
    began, failed = threading.Event(), threading.Event()

    @step
    def fails(context):
        assert began.wait(20)
        failed.set()
        raise ValueError("told to fail")

    class Waits(BaseStep):
        name, progress_weight = "waits", 1.0

        def execute(self, context):
            began.set()
            assert failed.wait(20)
            while True:
                threading.Event().wait(0.01)
                context.set_progress(0, 1)

        def rollback(self, context, result):
            undone.append(context.run_id)

    undone: list[str] = []
    inner = RunStep("inner", action("inner", [Waits()]))
    whole = action("whole", [parallel("both", [fails, inner])])
    with pytest.raises(StepFailedError, match="'fails' failed: told to fail"):
        play(whole, {})
    assert len(undone) == 1


def test_the_percentage_of_the_run_is_the_progress_of_its_step(world):
    told: list[int] = []
    run(
        with_press(world),
        {"world": world},
        progress_callback=lambda percent, total: told.append(percent),
    )
    assert told == sorted(told)
    assert len([percent for percent in told if 10 < percent < 100]) >= 1


# A recorded part by itself


def test_a_part_is_not_resumed_by_itself(world, journal):
    run(DATASET, params(world), journal=journal)
    journal.claim(3).release()  # As if it had been interrupted.
    with pytest.raises(RefusedError) as caught:
        resume(Press, 3, journal=journal, ctx=QUIET, packs=())
    assert "handrail resume 1" in str(caught.value.ways_out)


def test_a_part_whose_result_another_one_has_taken_is_not_undone_by_itself(world, journal):
    run(DATASET, params(world), journal=journal)
    with pytest.raises(RollbackRefusedError, match="in which run 4 has taken what it returned"):
        rollback(Press, 3, journal=journal, ctx=QUIET, packs=())


def test_the_last_part_is_undone_by_itself_and_the_whole_finds_nothing_left_of_it(world, journal):
    run(DATASET, params(world), journal=journal)
    before = len(made(world))
    rollback(Teach, 4, journal=journal, ctx=QUIET, packs=())
    assert len(made(world)) == before - 4
    rollback(DATASET, 1, journal=journal, ctx=QUIET, packs=())
    assert made(world) == []
    assert [row.outcome for row in journal.parts(1)] == ["rolled_back"] * 3


@pytest.mark.parametrize("gone", [True, False])
def test_a_step_that_makes_no_run_any_more_counts_as_not_undone(tmp_path, world, gone):
    """It is gone, or another step has its name; that is a drift, which may be accepted."""

    @step(name="press")
    def other(context): ...

    journal = durable(tmp_path)
    run(with_press(world), {"world": world}, journal=journal)
    steps = [Connects("before"), *([] if gone else [other])]
    whole = action("whole", steps, params=Params, context=Context)
    options = {"journal": journal, "ctx": QUIET, "packs": ()}
    with pytest.raises(DriftError):
        rollback(whole, 1, **options)
    with suppress(StepFailedError):
        rollback(whole, 1, accept_drift=True, **options)
    assert journal.read(2).outcome == "completed"
    assert journal.read(1).outcome == ("rollback_incomplete" if gone else "rolled_back")
    journal.close()


def test_a_living_owner_of_the_whole_keeps_its_parts(tmp_path, world):
    seen: list[BaseException] = []

    @step
    def look(context):
        other = durable(tmp_path)
        try:
            rollback(Press, 2, journal=other, ctx=QUIET, packs=())
        except RunHeldError as error:
            seen.append(error)
        finally:
            other.close()

    journal = durable(tmp_path)
    run(with_press(world, look), {"world": world}, journal=journal)
    assert len(seen) == 1
    journal.close()


def test_parts_are_gone_on_with_in_the_folder_and_in_the_way_of_the_whole(
    world, journal, tmp_path, monkeypatch
):
    """Whatever folder they ran in; and who takes the whole over takes its parts over."""
    folders: list[Path] = []
    claims: list[bool] = []

    class Here(Make):
        def rollback(self, context, result):
            folders.append(Path.cwd())
            super().rollback(context, result)

    class Claims(SqliteJournal):
        def claim(self, number, *, take_over=False):
            claims.append(take_over)
            return super().claim(number, take_over=take_over)

    inner = action("inner", [Here("here")], params=Params)
    inner.action_class.context_class = Context
    both = chain("both", {"one": inner, "two": inner})
    run(both, {name: {"world": world} for name in ("one", "two")}, journal=journal)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    again = Claims(tmp_path / "runs.db")
    rollback(both, 1, journal=again, ctx=QUIET, packs=(), folder=".", take_over=True)
    again.close()
    assert folders == [elsewhere] * 2
    assert claims == [True] * 3
    assert made(world) == []


def nested(world, *after):
    """An action with a run of an action with a run of `press`."""
    inner = RunStep("inner", action("inner", [press_in(world)]))
    return action("whole", [inner, *after], params=Params, context=Context)


def test_a_part_of_a_part_belongs_to_the_root(tmp_path, world):
    """While that is alive it is held; afterwards the root is the one that goes on."""
    seen: list[BaseException] = []

    @step
    def look(context):
        other = durable(tmp_path)
        try:
            rollback(Press, 3, journal=other, ctx=QUIET, packs=())
        except RunHeldError as error:
            seen.append(error)
        finally:
            other.close()

    journal = durable(tmp_path)
    run(nested(world, look), {"world": world}, journal=journal)
    assert [error.message.partition(",")[0] for error in seen] == ["run 3 is a part of run 1"]
    journal.claim(3).release()  # As if it had been interrupted.
    with pytest.raises(RefusedError, match="run 3 is a part of run 1, which goes on with it"):
        resume(Press, 3, journal=journal, ctx=QUIET, packs=())
    rollback(nested(world, look), 1, journal=journal, ctx=QUIET, packs=())
    assert made(world) == []
    journal.close()


def test_a_rollback_looks_at_all_parts_before_it_touches_anything(world, journal):
    """One that cannot be undone any more keeps all others."""
    run(DATASET, params(world), journal=journal)
    owned = journal.claim(2)
    owned.write([RunChange(sealed="the old files are gone", outcome="completed")])
    owned.release()
    before = made(world)
    with pytest.raises(RollbackRefusedError, match="the old files are gone"):
        rollback(DATASET, 1, journal=journal, ctx=QUIET, packs=())
    assert made(world) == before
    assert journal.runs()[0].outcome == "completed"


class Stuck(Make):
    """Cannot be undone as long as it is named here."""

    names: ClassVar[set[str]] = set()

    def rollback(self, context, result):
        if self.name in self.names:
            raise OSError(f"{self.name} is stuck")
        super().rollback(context, result)


@pytest.mark.parametrize("last", ["by hand", "undone"])
def test_what_is_left_of_an_action_is_recorded_by_hand_on_the_chain(
    world, journal, monkeypatch, last
):
    monkeypatch.setattr(Stuck, "names", {"first", "second"})
    inner = action("inner", [Connects("open"), Stuck("first"), Stuck("second")], params=Params)
    inner.action_class.context_class = Context
    whole = chain("whole", {"one": inner, "two": Gather})
    values = {"world": world}
    run(whole, {"one": values, "two": values}, journal=journal)
    with pytest.raises(StepFailedError):
        rollback(whole, 1, journal=journal, ctx=QUIET, packs=())
    with pytest.raises(RollbackRefusedError, match="nothing left of 'one'"):
        record_by_hand(journal, 1, "one", by="ada", reason="removed it")
    told = {"by": "ada", "reason": "removed it"}
    assert record_by_hand(journal, 1, "one.second", **told) == ("one.first",)
    assert [row.outcome for row in journal.runs()] == ["rollback_incomplete"]
    if last == "by hand":
        assert record_by_hand(journal, 1, "one.first", **told) == ()
    else:
        Stuck.names.clear()
        rollback(whole, 1, journal=journal, ctx=QUIET, packs=())
    rows = [*journal.runs(), *journal.parts(1)]
    assert [row.outcome for row in rows] == ["rolled_back"] * 3
    named = ["one.second", *["one.first"] * (last == "by hand")]
    assert [each.step for each in by_hand_of(rows[0])] == named


class Secret(BaseModel):
    """A secret, and a word."""

    token: Annotated[SecretStr, FromEnv("RUN_STEPS_TOKEN")]
    word: str = ""


class Hidden(BaseModel):
    """A secret with the variable that it has by itself."""

    token: SecretStr


def test_a_secret_is_recorded_as_the_variable_of_the_chain(world, journal):
    seen: list[str] = []

    @step
    def look(context):
        seen.append(context.options.token.get_secret_value())

    one = action("one", [look], params=Hidden)
    run(chain("all", [one]), {"one": {"token": "hidden-by-all-means"}}, journal=journal)
    assert seen == ["hidden-by-all-means"]
    rows = [*journal.runs(), *journal.parts(1)]
    secrets = [json.loads(row.params)["secrets"] for row in rows]
    assert secrets == [{"one.token": secrets[0]["one.token"]}, {"token": secrets[0]["one.token"]}]
    assert not any("hidden-by" in row.params for row in rows)


def test_an_output_with_a_secret_is_refused_as_an_input(world, journal, monkeypatch):
    class Tells(BaseStep):
        name, progress_weight = "tells", 1.0

        def execute(self, context):
            return StepResult()

    from handrail import BaseAction

    class First(BaseAction[Secret]):
        action_name = "first"

        def setup_steps(self, registry):
            registry.register(Tells())

        def result(self, context):
            return {"word": f"with {context.options.token.get_secret_value()}"}

    second = action("second", [step(name="last")(lambda context: None)], params=Secret)
    both = chain("both", [First, second], inputs={"second.word": "first.word"})
    values = {name: {"token": "hidden-by-all-means"} for name in ("first", "second")}
    with pytest.raises(StepFailedError, match="an input of second has a secret in it"):
        run(both, values, journal=journal)
    assert [row.outcome for row in journal.parts(1)] == ["rolled_back"]
    assert "hidden-by" not in (Path(journal.address)).read_bytes().decode("latin-1")


def test_async_steps_of_a_run_and_its_parts_share_a_loop(world):
    """So what one of them has opened can be closed in the undo of the whole."""
    loops: list[Any] = []

    class Opens(BaseStep):
        name, progress_weight = "opens", 1.0

        async def execute(self, context):
            loops.append(asyncio.get_running_loop())
            await context.arecord_rollback("made", 1)
            return StepResult()

        async def rollback(self, context, result):
            loops.append(asyncio.get_running_loop())

    inner = action("inner", [Opens()])
    whole = action(
        "whole",
        [Opens(), RunStep("inner", inner), step(name="fails")(lambda context: 1 / 0)],
    )
    with pytest.raises(StepFailedError):
        run(whole, {})
    assert len(loops) == 4
    assert len(set(map(id, loops))) == 1


def test_a_step_of_a_part_that_nothing_takes_back_is_named_after_the_undo(world, journal):
    @step
    def mails(context): ...

    whole = action("whole", [RunStep("inner", action("inner", [mails]))])
    run(whole, {}, journal=journal)
    told: list[Any] = []
    rollback(whole, 1, journal=journal, ctx=QUIET, packs=(), observers=[told.append])
    assert told[-1].not_undone == ("inner.mails",)


@WAYS
def test_ctrl_c_in_a_part_undoes_the_whole(tmp_path, world, journaled):
    @step
    def waits(context):
        signal.raise_signal(signal.SIGINT)
        threading.Event().wait(20)

    inner = action("inner", [Connects("open"), waits], params=Params, context=Context)
    whole = action(
        "whole",
        [Connects("before"), RunStep("inner", inner, {"world": world})],
        params=Params,
        context=Context,
    )
    journal = durable(tmp_path) if journaled else None
    with pytest.raises(KeyboardInterrupt):
        run(whole, {"world": world}, journal=journal)
    assert made(world) == []
    if journal is not None:
        rows = [*journal.runs(), *journal.parts(1)]
        assert [row.outcome for row in rows] == ["rolled_back"] * 2
        journal.close()


@WAYS
def test_the_first_ctrl_c_in_the_undo_of_a_part_only_warns(tmp_path, world, journaled):
    class Slow(Make):
        def rollback(self, context, result):
            signal.raise_signal(signal.SIGINT)
            super().rollback(context, result)

    inner = action("inner", [Connects("open"), Slow("slow")], params=Params, context=Context)
    whole = action(
        "whole",
        [Connects("before"), RunStep("inner", inner, {"world": world}), Make("after")],
        params=Params,
        context=Context,
    )
    journal = durable(tmp_path) if journaled else None
    with pytest.raises(KeyboardInterrupt):
        run(whole, {"world": world, "fail": "after"}, journal=journal)
    assert made(world) == []
    if journal is not None:
        rows = [*journal.runs(), *journal.parts(1)]
        assert [row.outcome for row in rows] == ["rolled_back"] * 2
        journal.close()


@WAYS
@pytest.mark.parametrize("stops", [True, False])
def test_the_others_are_closed_when_one_cannot_be(tmp_path, journaled, stops):
    """Whether its last step fails, or Ctrl-C comes: all of them have ended well before."""
    closed: list[str] = []

    class Ends(BaseStep):
        name, progress_weight, always_run = "ends", 0, True

        def execute(self, context):
            closed.append(context.run_info.action)
            if len(closed) == 1 and stops:
                signal.raise_signal(signal.SIGINT)
            elif len(closed) == 1:
                raise ValueError("told to fail")
            return StepResult()

    one, two = (action(name, [Ends()]) for name in ("one", "two"))
    journal = durable(tmp_path) if journaled else None
    told: list[Any] = []
    with pytest.raises(KeyboardInterrupt if stops else StepFailedError) as caught:
        run(chain("both", [one, two]), {}, journal=journal, observers=[told.append])
    assert stops or "Step 'one.ends' failed: told to fail" in str(caught.value)
    assert closed == ["one", "two"]
    assert told[-1].outcome == "completed"
    if journal is not None:
        rows = [*journal.runs(), *journal.parts(1)]
        assert [row.outcome for row in rows] == ["completed"] * 3
        journal.close()


def test_a_journal_that_fails_for_a_part_stops_the_whole_and_undoes_nothing(tmp_path, world):
    class Fails(SqliteJournal):
        def open_run(self, new, changes=()):
            owned = super().open_run(new, changes)
            if new.parent is not None:
                owned.write = refuse
            return owned

    def refuse(changes):
        raise JournalError("the disk is full")

    journal = Fails(tmp_path / "runs.db")
    with pytest.raises(JournalError, match="the disk is full"):
        run(with_press(world), {"world": world}, journal=journal)
    assert "before.0" in made(world)
    assert journal.runs()[0].outcome is None
    journal.close()
    again = durable(tmp_path)
    whole = with_press(world)
    rollback(whole, 1, journal=again, ctx=QUIET, packs=())
    assert made(world) == []
    again.close()
