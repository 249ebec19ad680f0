"""A disk fails under the journal, anywhere in a run, a resume and a rollback; then one goes on.

What was written as the disk failed may be there or not, and a process that is told of an error does
not know which. So it undoes nothing: the next one reads what is there, and finishes the run, or
undoes it, with no effect lost, doubled or left.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from killing import disks
from killing.all_kinds import SWEPT, WHOLE
from killing.asking import SUPPORT, Ask, asking
from servers.missing import missing

from handrail.journal.records import RunRow
from handrail.sqlite import SqliteJournal

HERE = Path(__file__).parent
WIDE = "HANDRAIL_FAULTS" in os.environ
POINTS = 2  # Of each way in which a disk fails, without HANDRAIL_FAULTS.
NEVER = 1 << 40
KILLED, CLOSED = -9, 2  # The codes of a killed process, and where nothing is left to do.

WAYS = [
    ("fdatasync", errno.EIO),
    ("fdatasync", errno.ENOSPC),
    ("fsync", errno.EIO),
    ("write", errno.EIO),
    ("write", errno.ENOSPC),
    ("landed", errno.EIO),
]
WHOLE_RUN = ("run", "all_kinds.py:Whole", "--executor", "threads:2")
SWEEP = ("run", "all_kinds.py:Small", "--over", "place=1,2", "--executor", "threads:2")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Commands, the last of them on a disk that fails.

    Attributes:
        words: The command on that disk.
        before: The commands before it.
        kill: The write to the journal at which the last one of those is killed.
        fails: The step that fails, in all but the commands that go on.
        codes: The exit codes that the last command may have.
        effects: The files of a completed run.
    """

    words: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    kill: int | None = None
    fails: str = ""
    codes: tuple[int, ...] = (0, 7)
    effects: set[str] = field(default_factory=lambda: WHOLE)


RESUME, ROLLBACK, KEEP = ("resume", "1"), ("rollback", "1", "--yes"), ("--on-failure", "keep")
SCENARIOS = {
    "run": Scenario(words=WHOLE_RUN),
    "failing run": Scenario(words=WHOLE_RUN, fails="last", codes=(1, 7)),
    "failing lane": Scenario(words=WHOLE_RUN, fails="a2", codes=(1, 7)),
    "kept run": Scenario(words=(*WHOLE_RUN, *KEEP), fails="last", codes=(6, 7)),
    "resume": Scenario(words=RESUME, before=(WHOLE_RUN,), kill=12),
    "resume of a lane": Scenario(words=RESUME, before=(WHOLE_RUN,), kill=20),
    "kept resume": Scenario(
        words=(*RESUME, *KEEP), before=(WHOLE_RUN,), kill=16, fails="last", codes=(6, 7)
    ),
    "rollback": Scenario(words=ROLLBACK, before=(WHOLE_RUN,)),
    "rollback of a killed run": Scenario(words=ROLLBACK, before=(WHOLE_RUN,), kill=30),
    "sweep": Scenario(words=SWEEP, effects=SWEPT),
    "rollback of a sweep": Scenario(words=ROLLBACK, before=(SWEEP,), effects=SWEPT),
}


class Trial:
    """A scenario in a folder of its own.

    Attributes:
        told: What each command has said, for the message of a test.
    """

    def __init__(self, folder: Path, ask: Ask, scenario: Scenario) -> None:
        self._folder, self._ask, self._scenario = folder, ask, scenario
        self.told: list[str] = []
        (folder / "world").mkdir()
        (folder / "all_kinds.py").symlink_to(SUPPORT / "killing" / "all_kinds.py")

    def play(self, failing: disks.Failing | None) -> dict[str, Any]:
        """Carry out the commands of the scenario; return the answer to the last one."""
        scenario = self._scenario
        for words in scenario.before:
            at = {} if scenario.kill is None else {"at": scenario.kill, "when": "after"}
            assert self.do(*words, **at)["code"] == (KILLED if at else 0), self.told
        return self.do(*scenario.words, fails=scenario.fails, disk=failing)

    def do(self, *words: str, fails: str = "", **more: Any) -> dict[str, Any]:
        environment = {"FAILING_STEP": fails}
        told = {"words": words, "folder": str(self._folder), "environment": environment}
        answer = self._ask({**told, **more})
        self.told.append(f"$ {' '.join(words)}  -> {answer['code']}\n{answer['said']}")
        return answer

    def row(self) -> RunRow | None:
        path = self._folder / ".handrail" / "runs.db"
        if not path.exists():
            return None
        journal = SqliteJournal(path)
        try:
            return next(iter(row for row in journal.runs() if row.number == 1), None)
        finally:
            journal.close()

    def effects(self) -> set[str]:
        return {path.name for path in (self._folder / "world").iterdir()}

    def wrong(self, failing: disks.Failing, *, resumes: bool) -> Iterator[str]:
        """Yield what is wrong once the disk has failed, and another process has gone on."""
        answer, row = self.play(failing), self.row()
        if answer["code"] not in self._scenario.codes:
            yield f"code {answer['code']}"
        if row is None:
            yield from ["left without a run"] * bool(self.effects())
            return
        if answer["code"] == 7:
            yield from _said(answer["said"], row)
        if resumes:
            yield from self._resumed(row)
        code = self.do(*ROLLBACK)["code"]
        if code not in (0, CLOSED):
            yield f"rollback {code}"
        if self.effects():
            yield "left"

    def _resumed(self, row: RunRow) -> Iterator[str]:
        """Resume the run, in the direction that was recorded; yield what is wrong then."""
        undoes = row.direction == "undo" or row.outcome == "rolled_back"
        code = self.do(*RESUME)["code"]
        if code not in ((1, CLOSED) if undoes else (0,)):
            yield f"resume {code}"
        # A file cannot be made twice: what is doubled would fail.
        if not undoes and self._scenario.effects - self.effects():
            yield "lost"
        if self.effects() - (set() if undoes else self._scenario.effects):
            yield "left"


def _said(text: str, row: RunRow) -> Iterator[str]:
    """Yield what is wrong with the last lines of a run that is left to the next process."""
    if "undone" in text.rpartition("error:")[2]:
        yield "told of an undo"
    ways = ["rollback"] if row.direction == "undo" else ["resume", "rollback"]
    # What could not be opened may be there, too, but its number is not known; and a command that
    # could not begin can be repeated.
    for way in ways if row.outcome is None and " · plan " in text else ():
        if f"handrail {way} 1" not in text:
            yield f"not told to {way}"


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Run the command line in processes whose disk may fail; see worker.py."""
    if sys.platform != "linux":
        pytest.skip("a library of this kind for LD_PRELOAD is for Linux")
    compiler = shutil.which("cc") or missing("cc", "Debian's gcc and libc6-dev")
    library = tmp_path_factory.mktemp("disks") / disks.LIBRARY
    source = SUPPORT / "killing" / "disks.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    with asking(HERE / "worker.py", {"LD_PRELOAD": str(library)}) as ask:
        for number, words in enumerate((WHOLE_RUN, SWEEP, RESUME, ROLLBACK)):
            # So that the worker imports what is needed.
            warm = Trial(tmp_path_factory.mktemp(f"warm-{number}"), ask, Scenario(words=words))
            warm.do(*words, warm=True)
        yield ask


Point = tuple[disks.Failing, bool]


def points(scenario: Scenario, number: int, trial: Callable[[], Trial]) -> Iterator[Point]:
    """Yield how the disk fails, and whether the run is resumed then, or rolled back at once.

    Without HANDRAIL_FAULTS that is a few points of two ways.
    """
    for kind, error in WAYS if WIDE else (WAYS[0], WAYS[1 + number % (len(WAYS) - 1)]):
        calls = trial().play((kind, NEVER, 0, error))["calls"]
        every = [*product(range(1, calls + 1), (0, 3), (True, False))]
        # An odd step takes all four ways in turn.
        step = (1 if "sync" in kind else 13) if WIDE else len(every) // POINTS | 1
        for at, times, resumes in every[number % step :: step]:
            yield (kind, at, times, error), resumes


@pytest.mark.parametrize("name", SCENARIOS)
def test_after_an_error_of_the_disk_nothing_is_lost_doubled_or_left(
    disk: Ask, quick: Path, name: str
) -> None:
    scenario, found, wrong = SCENARIOS[name], Counter[str](), list[str]()

    def trial() -> Trial:
        return Trial(Path(tempfile.mkdtemp(dir=quick)), disk, scenario)

    for failing, resumes in points(scenario, [*SCENARIOS].index(name), trial):
        tried = trial()
        problems = list(tried.wrong(failing, resumes=resumes))
        found.update(["points", *problems])
        if problems:
            wrong.append("\n".join([f"{failing} {resumes=} {problems}", *tried.told]))
    print(f"{name}: {dict(found)}")
    assert found["points"]
    assert not wrong, "\n\n".join(wrong)
