"""The rules of a durable run: what is stored, what is refused, and what is never touched."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    Orchestrator,
    Run,
    RuntimeContext,
    StepFailedError,
    StepRegistry,
    StepResult,
    StepWrapper,
    Undo,
)
from handrail.errors import ContextError, DriftError, JournalError, LeaseLostError
from handrail.journal.codec import decode_result, encode_result
from handrail.journal.records import AttemptChange, FieldChange, NoteChange, RunChange
from handrail.journal.sqlite import SqliteJournal
from handrail.recovery import resume, rollback
from handrail.stored_params import mask_of


class Does(BaseStep[Any]):
    """Does what it is told."""

    progress_weight = 0.1

    def __init__(self, name: str, work: Callable[[Any], Any] = lambda context: None, **told: Any):
        self.name = name
        self.work = work
        self.told = told
        self.always_run = told.get("always", False)
        self.undone: list[Any] = []

    def execute(self, context: Any) -> StepResult:
        made = self.work(context)
        return made if isinstance(made, StepResult) else StepResult()

    def rollback(self, context: Any, result: StepResult) -> None:
        self.undone.append(result.rollback_data)
        if self.told.get("stuck"):
            raise OSError("stuck")


class Asked(Does):
    """Does what it is told when it is asked whether to skip."""

    def can_skip(self, context: Any) -> bool:
        return bool(self.told["asked"](context))


class AsyncDoes(Does):
    """The same in a coroutine."""

    async def execute(self, context: Any) -> StepResult:
        await self.work(context)
        return StepResult()


@dataclass(kw_only=True)
class Context(BaseStepContext):
    """What the steps share."""

    seen: list[str] = field(default_factory=list)
    number: float = 0.0
    anything: Any = None


class Writes(SqliteJournal):
    """A journal that tells what is written, and may fail."""

    fail: Callable[[Any], bool] = staticmethod(lambda change: False)
    error: type[JournalError] = JournalError

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.commits: list[list[Any]] = []

    def open_run(self, new: Any, changes: Any = ()) -> Any:
        self.commits.append(list(changes))
        owned = super().open_run(new, changes)
        write = owned.write

        def told(changes: Any) -> None:
            if any(map(self.fail, changes)):
                raise self.error("no room")
            self.commits.append(list(changes))
            write(changes)

        owned.write = told
        return owned


@pytest.fixture
def writes(tmp_path: Path) -> Iterator[Writes]:
    journal = Writes(tmp_path / ".handrail" / "runs.db")
    yield journal
    journal.close()


def play(journal: Any, *steps: Any, context: Any = None, **more: Any) -> Any:
    registry: Any = StepRegistry()
    for step in steps:
        registry.register(step)
    context = Context(RuntimeContext()) if context is None else context
    return Orchestrator(registry, context, journal=journal, **more).execute()


def flow(*steps: Any) -> Any:
    """An action of those steps."""

    class Flow(BaseAction[Any]):
        action_name = "flow"
        context_class = Context

        def setup_steps(self, registry: Any) -> None:
            for step in steps:
                registry.register(step)

    return Flow


# Commits


@pytest.mark.parametrize("count", [1, 7])
def test_n_plain_steps_take_n_and_two_commits(writes, count):
    play(writes, *(Does(f"s{n}") for n in range(count)))
    assert len(writes.commits) == count + 2
    assert not any(
        isinstance(each, FieldChange) for each in chain.from_iterable(writes.commits[1:])
    )


def test_a_field_is_written_when_it_changed_also_in_place(writes):
    def work(context: Any) -> None:
        context.seen.append("x")

    play(writes, Does("a"), Does("b", work), Does("c"))
    changed = [
        each for each in chain.from_iterable(writes.commits[1:]) if isinstance(each, FieldChange)
    ]
    assert [(each.boundary, each.name, each.value) for each in changed] == [(2, "seen", '["x"]')]


def test_a_skipped_step_may_change_the_context(writes):
    play(writes, Asked("a", asked=lambda context: context.seen.append("x") or True))
    fields = writes.read(1).fields
    assert [each.value for each in fields if each.name == "seen"] == ["[]", '["x"]']


def test_whoever_listens_is_told_after_the_commit(writes):
    told: list[tuple[str, int]] = []

    def observe(event: Any) -> None:
        told.append((type(event).__name__, len(writes.commits)))

    def progress(percent: int, total: int) -> None:
        told.append((f"{percent}%", len(writes.commits)))

    play(writes, Does("a"), Does("b"), observers=[observe], progress_callback=progress)
    assert ("50%", 2) in told
    assert ("100%", 3) in told, "the run is closed after the last callback"
    assert [each for each in told if each[0] == "StepFinished"] == [
        ("StepFinished", 2),
        ("StepFinished", 3),
    ]
    assert told[-1] == ("RunFinished", 4)


# A journal that fails


@pytest.mark.parametrize("error", [JournalError, LeaseLostError])
@pytest.mark.parametrize("swallow", [True, False])
def test_after_a_write_that_failed_only_the_running_step_is_undone(writes, error, swallow):
    """A run that was lost is not touched at all, also when a step swallows that."""

    def record(context: Any) -> StepResult:
        try:
            context.record_rollback("key", 1)
        except JournalError:
            if not swallow:
                raise
        return StepResult(rollback_data={"pair": (1, 2)})

    first, second, closes = Does("a"), Does("b", record), Does("close", always=True)
    writes.fail = lambda change: isinstance(change, NoteChange)
    writes.error = error
    with pytest.raises(JournalError, match="no room") as raised:
        play(writes, first, second, closes)
    assert isinstance(raised.value, error)
    assert first.undone == []
    undone = {"pair": [1, 2]} if swallow else {}
    assert second.undone == ([undone] if error is JournalError else [])
    row = writes.runs()[0]
    assert (row.outcome, row.direction) == (None, "forward")


def test_a_run_that_cannot_be_closed_is_interrupted(writes):
    writes.fail = lambda change: isinstance(change, RunChange)
    context = Context(RuntimeContext())
    with pytest.raises(JournalError):
        play(writes, Does("a"), context=context)
    assert context.outcome == "interrupted"


def test_on_a_full_disk_the_run_stays_to_be_finished(tmp_path, small_disk):
    """A real one; the step swallows the error, and goes on."""
    folder = small_disk(1)
    ballast = folder / "ballast"
    journal = SqliteJournal(folder / "runs.db")

    def work(context: Any) -> None:
        if ballast.exists():
            return
        ballast.write_bytes(bytes(500_000))
        try:
            for number in range(1000):
                context.record_rollback_many("key", [f"{number}" * 500])
        except JournalError:
            ballast.unlink()

    first, second = Does("a"), Does("b", work)
    with pytest.raises(JournalError, match="full"):
        play(journal, first, second)
    assert (len(first.undone), len(second.undone)) == (0, 1)
    assert journal.runs()[0].outcome is None
    assert [row.state for row in journal.read(1).attempts] == ["done", "started"]
    journal.close()


# What is stored


def test_a_failed_step_that_is_kept_is_resumed_like_an_interrupted_one(writes):
    broken = [True]

    def work(context: Any) -> StepResult:
        context.record_rollback("made", "x")
        return StepResult(success=not broken[0], error="broken", rollback_data={"more": 1})

    first, second = Does("a"), Does("b", work)
    with pytest.raises(StepFailedError):
        flow_run(writes, first, second, on_failure="keep")
    assert (writes.runs()[0].outcome, first.undone, second.undone) == ("failed", [], [])
    broken[0] = False
    assert resume(flow(first, second), journal=writes, packs=())["success"]
    assert (first.undone, second.undone) == ([], [{"more": 1, "made": ["x"]}])


def flow_run(journal: Any, *steps: Any, **more: Any) -> Any:
    return flow(*steps)({}, packs=()).run(journal=journal, **more)


def test_a_kept_run_is_rolled_back(writes):
    first = Does("a")
    second = Does("b", lambda context: StepResult(success=False, error="broken"))
    with pytest.raises(StepFailedError):
        flow_run(writes, first, second, on_failure="keep")
    rollback(flow(first, second), journal=writes, packs=())
    assert (len(first.undone), len(second.undone)) == (1, 1)


def test_a_single_value_that_a_kept_step_returned_reaches_its_resume(writes):
    class Continues(Does):
        def resume(self, context: Any, result: StepResult) -> StepResult:
            context.record_rollback("made", "y")
            return StepResult()

    def work(context: Any) -> StepResult:
        context.record_rollback("made", "x")
        return StepResult(success=False, error="broken", rollback_data={"path": "/x"})

    step = Continues("a", work)
    with pytest.raises(StepFailedError):
        flow_run(writes, step, on_failure="keep")
    resume(flow(step), journal=writes, packs=())
    rollback(flow(step), journal=writes, packs=())
    assert step.undone == [{"path": "/x", "made": ["x", "y"]}]


@pytest.mark.parametrize(
    "value", [{1: "a"}, math.nan, object(), {"a": [{2: 3}]}], ids=["key", "nan", "object", "deep"]
)
def test_rollback_data_without_a_json_form_fails_its_step(writes, value):
    first = Does("first")
    second = Does("odd", lambda context: StepResult(rollback_data={"key": value}))
    with pytest.raises(StepFailedError, match="'odd' failed: rollback_data of step 'odd'"):
        play(writes, first, second)
    assert len(first.undone) == len(second.undone) == 1
    assert writes.runs()[0].outcome == "rolled_back"


class Awkward:
    """Raises whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


def test_data_without_a_json_form_leaves_a_marker_that_raises():
    made = StepResult(data={"odd": Awkward(), "fine": 1}, error=Awkward())  # type: ignore[arg-type]
    data = decode_result(encode_result(made, "step")).data
    assert data["fine"] == data.get("fine") == 1
    for read in (data.__getitem__, data.get):
        with pytest.raises(KeyError, match="was Awkward"):
            read("odd")
    assert data.get("missing", 2) == 2


def test_awkward_results_do_not_break_the_run(writes):
    odd = Does("odd", lambda context: StepResult(data=None, rollback_data={"a": Awkward()}))  # type: ignore[arg-type]
    with pytest.raises(StepFailedError, match="a value is Awkward"):
        play(writes, odd)
    assert writes.runs()[0].outcome == "rolled_back"


def test_names_that_are_no_unicode_survive(writes):
    name = "caf\udce9"

    def work(context: Any) -> StepResult:
        context.record_rollback("file", name)
        context.seen.append(name)
        return StepResult(rollback_data={"other": [name]})

    step = Does("a", work)
    flow_run(writes, step)
    rollback(flow(step), journal=writes, packs=())
    assert step.undone == [{"file": [name], "other": [name]}]


@pytest.mark.parametrize("where", ["execute", "can_skip"])
def test_an_undeclared_attribute_fails_its_step_by_name(writes, where):
    def work(context: Any) -> bool:
        context.extra = 1
        return True

    step = Does("b", work) if where == "execute" else Asked("b", asked=work)
    first = Does("a")
    with pytest.raises(StepFailedError, match=r"'b' failed: Context\.extra is no declared field"):
        play(writes, first, step)
    assert (len(first.undone), len(step.undone)) == (1, int(where == "execute"))


def test_a_value_that_does_not_encode_fails_its_step_by_name(writes):
    def work(context: Any) -> None:
        context.anything = object()

    with pytest.raises(StepFailedError, match=r"'a' failed: Context\.anything cannot be stored"):
        play(writes, Does("a", work))


class Settings(BaseModel):
    """Has a secret."""

    password: SecretStr = SecretStr("x")


@dataclass(kw_only=True)
class WithModel(BaseStepContext):
    """Has one deep inside."""

    settings: list[Settings] = field(default_factory=list)


@dataclass(kw_only=True)
class WithSocket(BaseStepContext):
    """Has something that cannot be stored."""

    lock: threading.Event | None = None


@pytest.mark.parametrize(
    ("kind", "text"), [(WithModel, "holds a secret"), (WithSocket, "cannot be stored")]
)
def test_a_field_that_cannot_be_stored_is_refused_before_the_first_step(writes, kind, text):
    ran: list[int] = []
    with pytest.raises(ContextError, match=text):
        play(writes, Does("a", ran.append), context=kind(RuntimeContext()))
    assert ran == []
    assert writes.runs() == []


# Secrets


class Account(BaseModel):
    """Nested."""

    token: SecretStr


class Params(BaseModel):
    """With secrets at two depths."""

    password: SecretStr
    account: Account


def test_no_secret_is_written_whatever_steps_do_with_it(writes, tmp_path):
    password, token = 'pass"wörd', "t0ken-value"

    def work(context: Any) -> StepResult:
        context.record_rollback("url", f"https://u:{password}@host")
        context.seen.append(token)
        context.anything = {"deep": [password]}
        return StepResult(data={"said": token}, rollback_data={token: [password]})

    def fail(context: Any) -> None:
        raise ValueError(f"401 for {password} and {token}")

    class Secretive(BaseAction[Params]):
        action_name = "secretive"
        context_class = Context

        def setup_steps(self, registry: Any) -> None:
            registry.register(Does("a", work))
            registry.register(Does("b", fail))

    values = {"password": password, "account": {"token": token}}
    with pytest.raises(StepFailedError):
        Secretive(values, packs=()).run(journal=writes)
    written = repr(writes.read(1)) + json.dumps(repr([*chain.from_iterable(writes.commits)]))
    assert "**********" in written
    for secret in (password, token, json.dumps(password)[1:-1]):
        assert secret not in written
        assert secret.encode() not in b"".join(
            path.read_bytes() for path in (tmp_path / ".handrail").glob("runs.db*")
        )


def test_a_mask_leaves_json_readable():
    """A secret that is called like a part of JSON is masked in texts only."""
    mask = mask_of(["true", "1", "success", '"'])
    made = StepResult(data={"a": True, "b": "is true", "c": 11})
    text = encode_result(made, "step", mask)
    data = decode_result(text).data
    assert data == {"a": True, "b": "is **********", "c": 11}


# Threads


def test_a_leaked_thread_cannot_write_into_the_next_step(writes):
    go, over = threading.Event(), threading.Event()
    refused: list[BaseException] = []

    def leak(context: Any) -> None:
        record = context.record_rollback

        def late() -> None:
            go.wait()
            try:
                record("key", "late")
            except Exception as error:  # noqa: BLE001
                refused.append(error)
            over.set()

        threading.Thread(target=late).start()

    def follow(context: Any) -> None:
        go.set()
        over.wait()

    play(writes, Does("a", leak), Does("b", follow))
    assert "after step 'a' had ended" in str(refused[0])
    assert writes.read(1).notes == ()


def test_threads_that_record_together_lose_nothing(writes):
    def work(context: Any) -> None:
        record = context.record_rollback
        threads = [threading.Thread(target=record, args=("key", n)) for n in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    step = Does("a", work)
    flow_run(writes, step)
    rollback(flow(step), journal=writes, packs=())
    assert sorted(step.undone[0]["key"]) == list(range(64))


@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
def test_recording_from_a_coroutine_does_not_block_its_loop(writes, driver):
    """The write waits until the loop has done something else: that would hang if it blocked."""
    free = threading.Event()
    writes.fail = lambda change: isinstance(change, NoteChange) and not free.wait(20)

    async def work(context: Any) -> None:
        asyncio.get_running_loop().call_soon(free.set)
        await context.arecord_rollback("key", 1)

    registry: Any = StepRegistry()
    registry.register(AsyncDoes("a", work))
    orchestrator = Orchestrator(registry, Context(RuntimeContext()), journal=writes)
    if driver == "blocking":
        orchestrator.execute()
    else:
        asyncio.run(orchestrator.execute_async())
    assert [note.values for note in writes.read(1).notes] == ["[1]"]


def test_a_cancellation_while_a_commit_runs_undoes_the_run(writes):
    loop_of: list[Any] = []
    first, second = Does("a"), Does("b")

    async def main() -> None:
        registry: Any = StepRegistry()
        for step in (first, second):
            registry.register(step)
        orchestrator = Orchestrator(registry, Context(RuntimeContext()), journal=writes)
        task = asyncio.ensure_future(orchestrator.execute_async())
        loop = asyncio.get_running_loop()

        def cancel(change: Any) -> bool:
            if isinstance(change, AttemptChange) and change.state == "done" and not loop_of:
                loop_of.append(loop)
                loop.call_soon_threadsafe(task.cancel)
            return False

        writes.fail = cancel
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert (len(first.undone), len(second.undone)) == (1, 0)
    assert writes.runs()[0].outcome == "rolled_back"


# always_run, attempts, drift


def test_an_always_run_step_that_fails_after_success_leaves_the_run_completed(writes):
    def fail(context: Any) -> None:
        raise ValueError("no mail")

    first = Does("a")
    with pytest.raises(StepFailedError, match="'close' failed: no mail") as failed:
        play(writes, first, Does("close", fail, always=True))
    assert failed.value.outcome == "completed"
    assert first.undone == []
    assert writes.runs()[0].outcome == "completed"


class Again(StepWrapper[Any]):
    """Undoes the first attempt, and goes on although that fails."""

    def around(self, context: Any) -> Any:
        yield Run()
        with contextlib.suppress(OSError):
            yield Undo()
        return (yield Run())


def test_an_attempt_that_was_left_behind_is_tried_again_by_a_later_rollback(writes):
    """Also when the attempt after it was undone."""
    calls: list[list[int]] = []
    numbers = iter(range(1, 9))
    stuck = {1}

    class Stuck(Does):
        def rollback(self, context: Any, result: StepResult) -> None:
            calls.append(result.rollback_data["n"])
            if result.rollback_data["n"][0] in stuck:
                raise OSError("stuck")

    step = Stuck("a", lambda context: context.record_rollback("n", next(numbers)))
    last = Does("b", lambda context: StepResult(success=False, error="broken"))
    with pytest.raises(StepFailedError):
        flow_run(writes, Again(step), last)
    assert writes.runs()[0].outcome == "rollback_incomplete"
    assert calls == [[1], [2], [1]]
    stuck.clear()
    assert rollback(flow(Again(step), last), 1, journal=writes, packs=())["rolled_back"]
    assert calls == [[1], [2], [1], [1]]


def interrupted(journal: Any, *steps: Any) -> None:
    """Leave a run behind whose last step is in doubt."""

    def lose(context: Any) -> None:
        raise LeaseLostError("gone")

    journal.fail = lambda change: (
        isinstance(change, AttemptChange) and change.step == "lost" and (change.state == "done")
    )
    journal.error = LeaseLostError
    with pytest.raises(LeaseLostError):
        flow_run(journal, *steps, Does("lost"))


def test_with_accepted_drift_new_steps_before_the_position_do_not_run(writes):
    first = Does("a")
    interrupted(writes, first)
    ran: list[str] = []
    new = [Does(name, lambda context, name=name: ran.append(name)) for name in ("new", "newer")]
    plan = flow(new[0], first, Does("lost"), new[1])
    with pytest.raises(DriftError, match="a was step 1, and is step 2"):
        resume(plan, journal=writes, packs=())
    assert resume(plan, journal=writes, packs=(), accept_drift=True)["steps_executed"] == 3
    assert ran == ["newer"]


def test_with_accepted_drift_a_step_that_is_gone_counts_as_not_undone(writes):
    first, second = Does("a"), Does("b")
    interrupted(writes, first, second)
    plan = flow(second, Does("lost"))
    with pytest.raises(StepFailedError) as failed:
        rollback(plan, journal=writes, packs=(), accept_drift=True)
    assert [problem.step for problem in failed.value.rollback_errors] == ["a"]
    assert (first.undone, len(second.undone)) == ([], 1)
    assert writes.runs()[0].outcome == "rollback_incomplete"
    assert rollback(flow(first, second, Does("lost")), 1, journal=writes, packs=())["rolled_back"]
    assert (len(first.undone), len(second.undone)) == (1, 1)


def test_what_a_run_knew_survives_a_plan_that_lost_steps(writes):
    def add(context: Any) -> None:
        context.seen.append("x")

    interrupted(writes, Does("a", add), Does("b", add), Does("c", add))
    seen: list[list[str]] = []
    last = Does("last", lambda context: seen.append([*context.seen]))
    plan = flow(Does("c", add), Does("lost", add), last)
    resume(plan, journal=writes, packs=(), accept_drift=True)
    assert seen == [["x"] * 4]
    fields = [each for each in writes.read(1).fields if each.name == "seen"]
    assert fields[-1].value == '["x","x","x","x"]'


def test_a_run_that_is_sealed_while_it_is_looked_up_is_not_rolled_back(writes):
    first, closes = Does("a"), Does("close", lambda context: context.seal("told to"), always=True)
    plan = flow(first, closes)
    writes.fail = lambda change: isinstance(change, RunChange) and change.sealed is not None
    with pytest.raises((StepFailedError, JournalError)):
        flow_run(writes, first, closes)
    claim = writes.claim
    writes.fail = lambda change: False

    def late(number: int, **more: Any) -> Any:
        writes.claim = claim
        resume(plan, number, journal=writes, packs=())
        return claim(number, **more)

    writes.claim = late
    from handrail.errors import RollbackRefusedError

    with pytest.raises(RollbackRefusedError, match="told to"):
        rollback(plan, 1, journal=writes, packs=())
    assert first.undone == []
    assert writes.runs()[0].outcome == "completed"


def test_once_a_run_is_sealed_nothing_turns_it_back(writes):
    """Not even a callback that fails while it is finished."""
    first = Does("a")
    closes = Does("close", lambda context: context.seal("told to"), always=True)
    writes.fail = lambda change: (
        isinstance(change, AttemptChange) and ((change.step, change.state) == ("close", "done"))
    )
    with pytest.raises(JournalError):
        flow_run(writes, first, closes)
    assert writes.runs()[0].sealed == "told to"

    def progress(percent: int, total: int) -> None:
        raise ValueError("broken pipe")

    with pytest.raises(StepFailedError):
        resume(flow(first, closes), 1, journal=writes, packs=(), progress_callback=progress)
    assert first.undone == []
    assert writes.runs()[0].outcome == "completed"


def test_a_run_of_closing_steps_alone_is_completed_and_can_be_rolled_back(writes):
    steps = (Does("close", always=True),)
    assert flow_run(writes, *steps)["steps_executed"] == 1
    assert writes.runs()[0].outcome == "completed"
    assert rollback(flow(*steps), 1, journal=writes, packs=())["rolled_back"]
    play(writes)
    assert writes.runs()[0].outcome == "completed", "also with no step at all"


def test_a_closing_step_that_failed_is_told_again_when_the_run_is_closed_later(writes):
    def fail(context: Any) -> None:
        raise ValueError("no mail")

    ran: list[int] = []
    steps = (Does("a"), Does("mail", fail, always=True), Does("z", ran.append, always=True))
    writes.fail = lambda change: isinstance(change, RunChange) and change.outcome is not None
    with pytest.raises(JournalError):
        flow_run(writes, *steps)
    with pytest.raises(StepFailedError, match="'mail' failed") as failed:
        resume(flow(*steps), 1, journal=writes, packs=())
    assert failed.value.outcome == writes.runs()[0].outcome == "completed"
    assert len(ran) == 1


@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_a_step_that_could_not_say_whether_to_skip_never_began(writes, way):
    """Its run undoes, also in another process, and tells why; the step itself is not undone."""

    def broken(context: Any) -> bool:
        raise ValueError("cannot say")

    first, second = Does("a"), Asked("b", asked=broken)
    writes.fail = lambda change: isinstance(change, AttemptChange) and change.state == "undone"
    with pytest.raises(JournalError):
        flow_run(writes, first, second)
    assert writes.runs()[0].direction == "undo"
    first.undone.clear()
    if way == "resume":
        with pytest.raises(StepFailedError, match="'b' failed: cannot say"):
            resume(flow(first, second), 1, journal=writes, packs=())
    else:
        assert rollback(flow(first, second), 1, journal=writes, packs=())["rolled_back"]
    assert (len(first.undone), second.undone) == (1, [])


def test_a_kept_step_that_could_not_say_whether_to_skip_is_asked_again(writes):
    asked: list[bool] = []

    def asks(context: Any) -> bool:
        asked.append(True)
        if len(asked) == 1:
            raise ValueError("cannot say")
        return False

    ran: list[Any] = []
    step = Asked("b", ran.append, asked=asks)
    with pytest.raises(StepFailedError):
        flow_run(writes, Does("a"), step, on_failure="keep")
    assert resume(flow(Does("a"), step), 1, journal=writes, packs=())["success"]
    assert (len(asked), len(ran), step.undone) == (2, 1, [])
