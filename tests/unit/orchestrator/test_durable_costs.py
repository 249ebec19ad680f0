"""What a durable run costs: commits, encodings, rows and calls are counted, not seconds."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import PlainSerializer

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepRegistry,
    StepResult,
)
from handrail.actions import about_action
from handrail.plan.builder import plan_of_registry
from handrail.plan.plan import Plan
from handrail.recovery.recorded import _decoded
from handrail.recovery.resume_run import Recovery
from handrail.sqlite import SqliteJournal

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

ENTRIES = 100_000
encoded: list[int] = []


def encode(value: list[int]) -> list[int]:
    encoded.append(len(value))
    return value


@dataclass(kw_only=True)
class Large(BaseStepContext):
    """Holds much."""

    entries: Annotated[list[int], PlainSerializer(encode)] = field(
        default_factory=lambda: list(range(ENTRIES))
    )
    last: str = ""


class Does(BaseStep[Any]):
    """Does what it is told, which is mostly nothing."""

    progress_weight = 0.1

    def __init__(self, name: str, work: Callable[[Any], object] = lambda context: None) -> None:
        self.name = name
        self.work = work

    def execute(self, context: Any) -> StepResult:
        self.work(context)
        return StepResult()


class MaySkip(Does):
    """Is asked first, and goes on."""

    def can_skip(self, context: Any) -> bool:
        return False


class Flow(BaseAction[Any]):
    """The action of a run whose plan is given."""

    action_name = "registry"

    def setup_steps(self, registry: Any) -> None:
        raise AssertionError("the plan is given")


def plan_of(*steps: BaseStep[Any]) -> Plan:
    registry = StepRegistry[Any]()
    for step in steps:
        registry.register(step)
    return registry.compiled(plan_of_registry)


def some(count: int) -> list[BaseStep[Any]]:
    return [Does(f"s{number}") for number in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    opened = SqliteJournal(path, synchronous="normal")
    yield opened
    opened.close()


def commits(path: Path) -> int:
    """Count the commits in the write-ahead log: the frames that say how large the file is then."""
    log = path.with_name(f"{path.name}-wal").read_bytes()
    size = int.from_bytes(log[8:12], "big")
    frames = range(32, len(log), 24 + size)
    return sum(log[frame + 4 : frame + 8] != bytes(4) for frame in frames)


def calls_of(work: Callable[[], object]) -> int:
    """Count the functions that `work` calls, those in C, too."""
    calls = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    gc.disable()  # Others are told of each collection, and the calls to them are no calls of ours.
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


@pytest.mark.parametrize("count", [1, 2, 30])
def test_a_run_of_n_steps_commits_n_and_two_times(
    journal: SqliteJournal, path: Path, count: int
) -> None:
    """Its opening, the end of each step with the beginning of the next one, and its close."""
    before = commits(path)
    Orchestrator(
        plan_of(*some(count)), BaseStepContext(RuntimeContext()), journal=journal
    ).execute()
    assert commits(path) - before == count + 2


def test_a_context_that_changes_takes_no_commit_of_its_own(
    journal: SqliteJournal, path: Path
) -> None:
    """What a step leaves in it is in the commit that ends the step."""

    def leave(context: Any) -> None:
        context.last += "x"

    before = commits(path)
    steps = [Does(f"s{number}", leave) for number in range(5)]
    Orchestrator(plan_of(*steps), Large(runtime_ctx=RuntimeContext()), journal=journal).execute()
    assert commits(path) - before == 7
    assert [row.name for row in journal.read(1).fields] == ["entries", "last", *["last"] * 5]


def test_where_no_commit_is_synced_the_log_is_not_brought_into_the_file_often(
    journal: SqliteJournal, path: Path
) -> None:
    """All commits of many hundred steps are in it; SQLite as it comes would have begun it anew."""
    before = commits(path)
    Orchestrator(plan_of(*some(900)), BaseStepContext(RuntimeContext()), journal=journal).execute()
    assert commits(path) - before == 902


def test_where_each_commit_is_synced_the_log_stays_short(tmp_path: Path) -> None:
    """To sync a file that grows takes longer than to sync one that is written over."""
    journal = SqliteJournal(tmp_path / "full.db")
    Orchestrator(plan_of(*some(300)), BaseStepContext(RuntimeContext()), journal=journal).execute()
    assert 0 < (tmp_path / "full.db-wal").stat().st_size < 2**20 * 1.2
    journal.close()


def test_what_comes_before_a_step_that_may_skip_is_committed_first(
    journal: SqliteJournal, path: Path
) -> None:
    """So each of those takes one commit more."""
    before = commits(path)
    steps = [Does("a"), MaySkip("b"), MaySkip("c")]
    Orchestrator(plan_of(*steps), BaseStepContext(RuntimeContext()), journal=journal).execute()
    assert commits(path) - before == 3 + 2 + 2


def test_a_large_context_that_no_step_changes_is_encoded_once_a_boundary_and_written_once(
    journal: SqliteJournal,
) -> None:
    """Encoding it is how a change is found; what is as before is not written again."""
    encoded.clear()
    plan = plan_of(*some(4))
    Orchestrator(plan, Large(runtime_ctx=RuntimeContext()), journal=journal).execute()
    assert encoded == [ENTRIES] * 5, "once when the run is opened, once after each step"
    assert [(row.boundary, row.name) for row in journal.read(1).fields] == [
        (0, "entries"),
        (0, "last"),
    ]


def test_the_work_of_a_durable_step_stays_as_it_is_however_many_there_are(
    journal: SqliteJournal,
) -> None:
    """Twice the steps take twice the calls, and each takes few."""

    def running(count: int) -> int:
        made = Orchestrator(
            plan_of(*some(count)), BaseStepContext(RuntimeContext()), journal=journal
        )
        made.execute()  # What is worked out once for a plan.
        return calls_of(made.execute)

    small, large = running(200), running(400)
    assert (large - small) / 200 <= 110
    assert large <= 2 * small + 500


def resuming(path: Path, count: int) -> int:
    """Count the calls of a resume in which only the last step is left to do."""
    child = os.fork()
    dies = child == 0
    plan = plan_of(*some(count), Does("last", lambda context: os._exit(0) if dies else None))
    if dies:
        journal = SqliteJournal(path, synchronous="normal")
        Orchestrator(plan, BaseStepContext(RuntimeContext()), journal=journal).execute()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    _decoded.cache_clear()
    journal = SqliteJournal(path)
    action = Flow(None, packs=())

    def go_on() -> None:
        found = journal.read(1)
        Recovery(
            action=action,
            plan=plan,
            recorded=found,
            journal=journal,
            aim="resume",
            about=about_action(action),
        ).run()

    calls = calls_of(go_on)
    assert journal.read(1).outcome == "completed"
    journal.close()
    return calls


def test_going_on_takes_work_in_proportion_to_the_steps_that_are_over(tmp_path: Path) -> None:
    """Reading a run, looking for drift, and placing what is recorded, up to the next step."""
    # The first one imports what the others have.
    _, small, large = (resuming(tmp_path / f"{count}.db", count) for count in (1, 400, 800))
    # Among them, the checksum and the times of each row, and a look for values that JSON lacks.
    assert (large - small) / 400 <= 31
    assert large <= 2 * small + 200
