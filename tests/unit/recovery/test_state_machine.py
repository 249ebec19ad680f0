"""Runs that are begun, killed, finished, undone and drift at random, against a small model."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from killing.memory import folder_in_memory

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    StepFailedError,
    StepResult,
    resume,
    rollback,
)
from handrail.errors import DriftError, RunClosedError
from handrail.sqlite import SqliteJournal

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

KILLED = -signal.SIGKILL
WENT_BACK, NOTHING_LEFT, DRIFTED, INCOMPLETE = 3, 4, 5, 6


class Makes(BaseStep[BaseStepContext]):
    """Makes two files, each once."""

    progress_weight = 0.1

    def __init__(self, world: Path, name: str, fails: bool = False) -> None:
        self.world, self.name, self.fails = world, name, fails

    def execute(self, context: BaseStepContext) -> StepResult:
        for number in range(2):
            path = self.world / f"{self.name}-{number}"
            context.record_rollback("made", path.name)
            with path.open("x") as file:
                file.write(context.run_id)
        if self.fails:
            raise ValueError("told to fail")
        return StepResult()

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        for name in result.rollback_data.get("made", ()):
            (self.world / name).unlink(missing_ok=True)


class Dying(SqliteJournal):
    """A journal whose process dies before, or after, one of its writes."""

    at = 0
    after = False

    def open_run(self, new: Any, changes: Any = ()) -> Any:
        return self._deadly(super().open_run(new, changes))

    def claim(self, number: int, *, take_over: bool = False) -> Any:
        return self._deadly(super().claim(number, take_over=take_over))

    def _deadly(self, owned: Any) -> Any:
        write, left = owned.write, [self.at]

        def deadly(changes: Any) -> None:
            left[0] -= 1
            if left[0] == 0 and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            write(changes)
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        owned.write = deadly
        return owned


def flow(world: Path, names: list[str], fails: str) -> Any:
    """Return an action of steps of those names."""

    class Flow(BaseAction[Any]):
        action_name = "random"

        def setup_steps(self, registry: Any) -> None:
            for name in names:
                registry.register(Makes(world, name, fails == name))

    return Flow


def files(*names: str) -> set[str]:
    return {f"{name}-{number}" for name in names for number in range(2)}


points = st.integers(min_value=1, max_value=16)


class Runs(RuleBasedStateMachine):
    """One run after the other, in one world.

    The model knows which steps have to be there when a run is completed, whether it has to undo,
    and whether its plan has drifted; all else is read from the journal and the world.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kept = contextlib.ExitStack()
        self.folder = self.kept.enter_context(folder_in_memory())
        self.world = self.folder / "world"
        self.world.mkdir()
        self.plan = ["a", "b", "c"]
        self.left_out: set[str] = set()
        self.open_question = False
        self.gone = False  # Whether `a` was gone when the run was last unfinished.
        self.recorded: Any = None

    def teardown(self) -> None:
        self.kept.close()

    def row(self) -> Any:
        return None if self.recorded is None else self.recorded

    def look(self) -> None:
        """Read what is recorded of the latest run."""
        journal = SqliteJournal(self.folder / "runs.db")
        try:
            rows = journal.runs(limit=1)
            self.recorded = journal.read(rows[0].number) if rows else None
        finally:
            journal.close()

    @property
    def unfinished(self) -> bool:
        row = self.row()
        return row is not None and row.outcome is None

    def child(self, at: int, after: bool, work: Callable[[Any], object]) -> int:
        """Do `work` in a process that may die; return how it ended."""
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                journal = Dying(self.folder / "runs.db", synchronous="normal")
                journal.at, journal.after = at, after
                work(journal)
                code = 0
            except StepFailedError as error:
                code = WENT_BACK if error.outcome == "rolled_back" else INCOMPLETE
            except RunClosedError:
                code = NOTHING_LEFT
            except DriftError:
                code = DRIFTED
            finally:
                os._exit(code)
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.look()
        return ended

    @precondition(lambda self: not self.unfinished)
    @rule(at=points, after=st.booleans(), fails=st.sampled_from(["", "b", "c"]))
    def begin(self, at: int, after: bool, fails: str) -> None:
        for path in self.world.iterdir():
            path.unlink()
        self.plan, self.left_out = ["a", "b", "c"], set()
        self.open_question = self.gone = False
        action = flow(self.world, self.plan, fails)
        ended = self.child(at, after, lambda journal: action({}, packs=()).run(journal=journal))
        assert ended in (KILLED, 3 if fails else 0)

    @precondition(lambda self: self.unfinished)
    @rule(at=points, after=st.booleans(), accept=st.booleans())
    def finish(self, at: int, after: bool, accept: bool) -> None:
        undoes = self.row().direction == "undo"
        drifted, stuck = self.drifted, self.stuck and not undoes
        ended = self.child(at, after, self._go_on(resume, accept))
        usual = DRIFTED if stuck else WENT_BACK if undoes else 0
        assert ended in self._ends(accept, drifted, usual, undoes=undoes)

    @precondition(lambda self: self.row() is not None and self.row().outcome != "rolled_back")
    @rule(at=points, after=st.booleans(), accept=st.booleans())
    def undo(self, at: int, after: bool, accept: bool) -> None:
        drifted = self.drifted
        ended = self.child(at, after, self._go_on(rollback, accept))
        assert ended in self._ends(accept, drifted, 0, undoes=True)

    def _go_on(self, function: Any, accept: bool) -> Callable[[Any], object]:
        action, number = flow(self.world, self.plan, ""), self.row().number
        return lambda journal: function(
            action, number, journal=journal, packs=(), accept_drift=accept
        )

    def _ends(self, accept: bool, drifted: bool, usual: int, *, undoes: bool) -> tuple[int, ...]:
        """Return how going on may end."""
        if drifted and not accept:
            return (DRIFTED,)
        return (KILLED, usual, *([INCOMPLETE] if undoes and "a" not in self.plan else []))

    @property
    def began(self) -> set[str]:
        """The steps that began, or were skipped."""
        return {row.step for row in self.recorded.attempts}

    @property
    def drifted(self) -> bool:
        """Whether steps that began are elsewhere in the plan now, or gone."""
        return bool(self.began) and ("early" in self.plan or "a" not in self.plan)

    @property
    def stuck(self) -> bool:
        """Whether `a` was interrupted, was gone while others ran, and is there again."""
        left = {row.step for row in self.recorded.attempts if row.state in ("started", "failed")}
        return "a" in left and "a" in self.plan and len(self.began) > 1

    @precondition(lambda self: self.unfinished and "early" not in self.plan)
    @rule()
    def insert_before_the_position(self) -> None:
        self.plan.insert(0, "early")
        self.left_out.add("early")
        self._ask()

    @precondition(lambda self: self.unfinished and "late" not in self.plan)
    @rule()
    def insert_at_the_end(self) -> None:
        self.plan.append("late")

    @precondition(lambda self: self.unfinished and "a" in self.plan)
    @rule()
    def lose_a_step(self) -> None:
        self.plan.remove("a")
        self.gone = True
        self._ask()

    def _ask(self) -> None:
        """Leave open whether `early` is left out: nothing comes after it that began."""
        if "early" in self.plan and not self.began & set(self.plan):
            self.open_question = True

    @precondition(lambda self: self.row() is not None and "a" not in self.plan)
    @rule()
    def bring_it_back(self) -> None:
        self.plan.insert(self.plan.index("b"), "a")
        self.gone = not self.unfinished

    @invariant()
    def nothing_is_missing_and_nothing_left(self) -> None:
        row = self.row()
        there = {path.name for path in self.world.iterdir()}
        if row is None or row.outcome == "rolled_back":
            assert there == set()
        elif row.outcome == "completed":
            wanted = {*self.plan, "a"} - self.left_out
            if self.open_question and "early" in self.began:
                wanted.add("early")
            lost = files("a") if self.gone else set()
            assert files(*wanted) - lost <= there <= files(*wanted)
        elif row.outcome == "rollback_incomplete":
            assert there <= files("a"), "what was lost is not undone, all else is"
        else:
            assert row.outcome is None


TestRuns = Runs.TestCase
TestRuns.settings = settings(
    max_examples=int(os.environ.get("HANDRAIL_FAULTS", "12")),
    stateful_step_count=8,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_a_step_that_was_gone_meanwhile_and_is_back_is_undone() -> None:
    """Interrupted, lost, passed over with --accept-drift, brought back: no resume, but an undo."""
    runs = Runs()
    try:
        runs.begin(at=1, after=False, fails="")
        runs.lose_a_step()
        runs.finish(at=2, after=False, accept=False)
        runs.finish(at=2, after=False, accept=True)
        runs.bring_it_back()
        runs.finish(at=1, after=False, accept=True)
        runs.undo(at=1, after=False, accept=False)
        runs.undo(at=16, after=False, accept=False)
        runs.nothing_is_missing_and_nothing_left()
        assert runs.row().outcome == "rolled_back"
    finally:
        runs.teardown()
