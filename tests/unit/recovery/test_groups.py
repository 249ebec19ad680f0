"""Durable runs with groups: what is committed together, and how each lane goes on after a kill."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killing.memory import folder_in_memory
from killing.processes import Killing, in_child

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    StepFailedError,
    StepResult,
    parallel,
    resume,
    resume_async,
    rollback,
)
from handrail.errors import RunClosedError
from handrail.journal.records import AttemptChange
from handrail.sqlite import SqliteJournal

WIDE = "HANDRAIL_FAULTS" in os.environ
KILLED = -signal.SIGKILL
ENDED, BACK = 0, 3

Lanes = list[list[str]]
Plan = list["str | Lanes"]


@dataclass(kw_only=True)
class Context(BaseStepContext):
    """Each lane has a field, in which its steps are named in place; others name all of them."""

    world: Path = field(default=Path(), metadata={"transient": True})
    flat: list[str] = field(default_factory=list)
    lane0: list[str] = field(default_factory=list)
    lane1: list[str] = field(default_factory=list)
    lane2: list[str] = field(default_factory=list)
    latest: str = ""


class Makes(BaseStep[Context]):
    """Makes two files, each once."""

    progress_weight = 0.1

    def __init__(self, world: Path, name: str, into: str, fails: bool) -> None:
        self.world, self.name, self.into, self.fails = world, name, into, fails

    def work(self, context: Context) -> StepResult:
        self.tell("entered")
        for number in range(2):
            path = self.world / f"{self.name}-{number}"
            context.record_rollback("made", path.name)
            with path.open("x") as file:
                file.write(str(context.run_id))
        getattr(context, self.into).append(self.name)
        assert self.name not in context.results
        if self.fails:
            raise ValueError("told to fail")
        return StepResult(data={"by": self.name})

    def execute(self, context: Context) -> Any:
        return self.work(context)

    def rollback(self, context: Context, result: StepResult) -> None:
        for name in result.rollback_data.get("made", ()):
            (self.world / name).unlink(missing_ok=True)
        self.tell("undone")

    def tell(self, what: str) -> None:
        with (self.world.parent / what).open("a") as file:
            file.write(f"{self.name}\n")


class AsyncMakes(Makes):
    async def execute(self, context: Context) -> StepResult:
        await asyncio.sleep(0)
        return self.work(context)


class Asked(Makes):
    def can_skip(self, context: Context) -> bool:
        return False


class Tells(BaseStep[Context]):
    """Writes down what the context and the results have at the end."""

    name = "tells"
    progress_weight = 0.0
    effects = False  # Nobody has to take back what it tells.

    def __init__(self, world: Path) -> None:
        self.world = world

    def execute(self, context: Context) -> StepResult:
        told = [context.flat, context.lane0, context.lane1, context.lane2]
        (self.world.parent / "told").write_text(
            " ".join(name for each in told for name in each)
            + "|"
            + " ".join(result.data["by"] for result in context.step_results)
        )
        return StepResult()


KINDS = {"b": Makes, "a": AsyncMakes, "c": Asked}


def flow(world: Path, plan: Plan, fails: str = "", limit: int | None = None) -> Any:
    """Return an action of these steps; the last letter of a name says of which kind each is."""

    def made(name: str, into: str) -> Makes:
        return KINDS[name[-1]](world, name, into, name == fails)

    class Flow(BaseAction[Any]):
        action_name = "random"
        context_class = Context

        def setup_steps(self, registry: Any) -> None:
            for number, item in enumerate(plan):
                if isinstance(item, str):
                    registry.register(made(item, "flat"))
                    continue
                lanes = [
                    [made(name, f"lane{lane}") for name in names] for lane, names in enumerate(item)
                ]
                registry.register(parallel(f"group{number}", lanes, concurrency=limit))
            registry.register(Tells(world))

    return Flow


def names_of(plan: Plan) -> list[str]:
    lanes = [[item] if isinstance(item, str) else [*chain(*item)] for item in plan]
    return [*chain(*lanes)]


class Trial:
    """A world in which one run is begun, and gone on with in processes that may die."""

    def __init__(self, folder: Path, plan: Plan, fails: str = "", limit: int | None = None) -> None:
        self.folder, self.plan, self.fails, self.limit = folder, plan, fails, limit
        self.world = folder / "world"
        self.world.mkdir()

    def act(self, work: Callable[[Any, Any], object], at: int = 0, when: str = "before") -> int:
        """Do something with the action and the journal in a process that dies at its write."""

        def body() -> None:
            journal = Killing(self.folder / "runs.db", synchronous="normal")
            journal.at, journal.when = at, when
            try:
                work(flow(self.world, self.plan, self.fails, self.limit), journal)
            except StepFailedError as error:
                os._exit(BACK if error.outcome == "rolled_back" else 70)
            except RunClosedError:
                pass

        return in_child(body)

    @staticmethod
    def begin(*, in_loop: bool = False) -> Callable[[Any, Any], object]:
        def work(action: Any, journal: Any) -> None:
            made = action({}, packs=())
            if in_loop:
                asyncio.run(made.run_async(journal=journal))
            else:
                made.run(journal=journal)

        return work

    @staticmethod
    def onwards(way: str, *, in_loop: bool = False) -> Callable[[Any, Any], object]:
        def work(action: Any, journal: Any) -> None:
            if way == "rollback":
                rollback(action, 1, journal=journal, packs=())
            elif in_loop:
                asyncio.run(resume_async(action, 1, journal=journal, packs=()))
            else:
                resume(action, 1, journal=journal, packs=())

        return work

    def run(self, at: int = 0, when: str = "before", *, in_loop: bool = False) -> int:
        return self.act(self.begin(in_loop=in_loop), at, when)

    def go_on(self, way: str, at: int = 0, when: str = "before", *, in_loop: bool = False) -> int:
        return self.act(self.onwards(way, in_loop=in_loop), at, when)

    def recorded(self) -> Any:
        journal = SqliteJournal(self.folder / "runs.db")
        try:
            return journal.read(1) if journal.runs(limit=1) else None
        finally:
            journal.close()

    def there(self) -> set[str]:
        return {path.name for path in self.world.iterdir()}

    def check(self) -> None:
        """Check that all of it is there, once, or nothing of it."""
        recorded = self.recorded()
        if recorded is None or recorded.outcome == "rolled_back":
            assert self.there() == set()
            return
        assert recorded.outcome == "completed"
        names = names_of(self.plan)
        assert self.there() == {f"{name}-{number}" for name in names for number in range(2)}
        flat = [name for name in self.plan if isinstance(name, str)]
        groups = [item for item in self.plan if not isinstance(item, str)]
        by_lane = [
            name for lane in range(3) for item in groups if lane < len(item) for name in item[lane]
        ]
        told = (self.folder / "told").read_text()
        assert told == f"{' '.join([*flat, *by_lane])}|{' '.join(names)}"

    def undone(self) -> list[str]:
        return self.told("undone")

    def told(self, what: str) -> list[str]:
        path = self.folder / what
        return path.read_text().split() if path.exists() else []


def expected_undo(recorded: Any) -> list[str]:
    """Return the steps in the reverse order of the starts of their last attempts."""
    last: dict[str, Any] = {}
    for row in recorded.attempts:
        last.pop(row.step, None)
        last[row.step] = row
    return [
        name
        for name, row in reversed(last.items())
        if row.state in ("started", "done", "failed") and name != "tells"
    ]


PLAN: Plan = ["1b", [["2b", "3b"], ["4a", "5b"], ["6c"]], "7b"]
# As many writes as it has at most; those of lanes that end at the same time are one.
POINTS = [
    (at, when, way)
    for at in range(1, 28)
    for way in ("resume", "rollback")
    for when in ("before", "after")
]


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """Import what the children need, so that not each of them has to."""
    with folder_in_memory() as folder:
        trial = Trial(folder, PLAN)
        for work in (trial.begin(in_loop=True), trial.onwards("rollback"), trial.onwards("resume")):
            journal = SqliteJournal(folder / "runs.db")
            with contextlib.suppress(RunClosedError):
                work(flow(trial.world, PLAN), journal)
            journal.close()


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path, PLAN)


@pytest.mark.slow
@pytest.mark.parametrize(("at", "when", "way"), POINTS if WIDE else POINTS[::7])
def test_killed_at_any_write_of_a_group(trial: Trial, at: int, when: str, way: str) -> None:
    """Nothing is doubled and nothing left; fields and results are those of an unbroken run."""
    if trial.run(at, when) == KILLED:
        recorded = trial.recorded()
        if recorded is not None:
            order = expected_undo(recorded)
            assert trial.go_on(way) == ENDED
            if way == "rollback":
                assert trial.undone() == order
    trial.check()


@pytest.mark.slow
@pytest.mark.parametrize(("at", "when", "way"), POINTS if WIDE else POINTS[::9])
def test_killed_at_any_write_of_a_group_that_fails(
    tmp_path: Path, at: int, when: str, way: str
) -> None:
    """Once the decision is written the undo goes on, whatever is asked for."""
    trial = Trial(tmp_path, PLAN, fails="5b")
    ended = trial.run(at, when)
    assert ended in (KILLED, BACK)
    recorded = trial.recorded()
    if recorded is not None and recorded.outcome is None:
        ends = BACK if way == "resume" else ENDED
        assert trial.go_on(way) == ends
    trial.check()
    assert not trial.there()
    assert set(trial.told("entered")) <= set(trial.undone())


@pytest.mark.slow
def test_the_order_of_the_undo_is_that_of_the_record(tmp_path: Path) -> None:
    """The process that fails undoes in the order in which another one would."""
    trial = Trial(tmp_path, PLAN, fails="5b")
    assert trial.run() == BACK
    # A step that was about to begin when the other one failed, and was not entered, did nothing.
    begun = [row.step for row in trial.recorded().attempts if row.step in trial.told("entered")]
    begun.remove("5b")
    assert trial.undone() == ["5b", *reversed(begun)]
    assert not trial.there()


lanes = st.lists(st.lists(st.sampled_from("aabbc"), min_size=1, max_size=3), min_size=1, max_size=3)
shapes = st.lists(st.sampled_from("abc") | lanes, min_size=1, max_size=3)
kills = st.lists(
    st.tuples(
        st.integers(1, 25),
        st.sampled_from(["before", "after"]),
        st.sampled_from(["resume", "resume", "rollback"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=3,
)


def numbered(shape: list[Any]) -> Plan:
    """Give each step a name of its own."""
    count = 0

    def name(kind: str) -> str:
        nonlocal count
        count += 1
        return f"{count}{kind}"

    return [
        name(item) if isinstance(item, str) else [[name(kind) for kind in lane] for lane in item]
        for item in shape
    ]


@pytest.mark.slow
@settings(
    max_examples=1000 if WIDE else 15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    shape=shapes,
    kills=kills,
    failing=st.none() | st.integers(0, 12),
    limit=st.sampled_from([None, None, 1, 2]),
    in_loop=st.booleans(),
)
def test_random_groups_are_killed_and_gone_on_with(
    shape: Any, kills: Any, failing: int | None, limit: int | None, in_loop: bool
) -> None:
    """Killed again and again, in both directions, by either driver."""
    plan = numbered(shape)
    names = names_of(plan)
    fails = "" if failing is None else names[failing % len(names)]
    with folder_in_memory() as folder:
        trial = Trial(folder, plan, fails, limit)
        first, *others = kills
        assert trial.run(*first[:2], in_loop=in_loop) in (KILLED, BACK if fails else ENDED)
        for at, when, way, loop in [*others, (0, "before", first[2], False)]:
            recorded = trial.recorded()
            if recorded is None or recorded.outcome is not None:
                break
            undoes = recorded.direction == "undo" or way == "rollback"
            ends = ENDED if way == "rollback" else BACK if undoes or fails else ENDED
            if undoes and way == "resume":
                ends = BACK
            assert trial.go_on(way, at, when, in_loop=loop) in (ends, KILLED)
        trial.check()


def test_the_first_steps_of_lanes_share_a_commit_and_so_do_end_and_begin(writes: Any) -> None:
    """The lanes that may not start yet are begun when another one has ended."""
    barrier = threading.Barrier(2)

    class Meets(BaseStep[Any]):
        progress_weight = 1.0

        def __init__(self, name: str) -> None:
            self.name = name

        def execute(self, context: Any) -> StepResult:
            barrier.wait(60)
            return StepResult()

    from killing.told import Does, play

    play(
        writes,
        Does("first"),
        parallel("g", [[Meets("a"), Does("a2")], Meets("b"), Does("c")], concurrency=2),
    )
    told = [
        [(each.step, each.state) for each in commit if isinstance(each, AttemptChange)]
        for commit in writes.commits
    ]
    assert told[:3] == [
        [("first", "started")],
        [("first", "done")],
        [("a", "started"), ("b", "started")],
    ]
    ends = [commit for commit in told if ("a", "done") in commit]
    assert [each for each in ends[0] if each[0][0] == "a"] == [("a", "done"), ("a2", "started")]
    when = {each: number for number, commit in enumerate(told) for each in commit}
    # What else has ended by then shares its commit.
    assert when["c", "started"] > min(when["b", "done"], when["a2", "done"])
