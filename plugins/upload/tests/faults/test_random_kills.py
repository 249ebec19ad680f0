"""Three people upload to one target, and their processes are killed at random instants.

Their sources overlap, each has a journal of their own, and none waits for another. Then each run
that was interrupted is finished or undone, in any order: what a completed run relies on is there,
what it has replaced as well once it is undone, and nothing else of ours.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from killing.asking import Ask, asking
from killing.memory import folder_in_memory

from handrail.journal.sqlite import SqliteJournal

WIDE = "HANDRAIL_FAULTS" in os.environ
SEEDS = int(os.environ.get("HANDRAIL_FAULTS", "4")) // 4
KILLS = 20 if WIDE else 9  # In each trial.
KILLED = -signal.SIGKILL
ATTEMPTS = 40  # Until each of those that are in the way of each other has had its turn.


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory, where there is one: no machine dies here, only processes."""
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture(scope="module")
def workers() -> Iterator[list[Ask]]:
    """A process for each person, which starts those that are killed."""
    with ExitStack() as stack:
        script = Path(__file__).with_name("worker.py")
        yield [stack.enter_context(asking(script)) for _ in range(3)]


class Person:
    """Somebody who uploads the same files again and again, and whose processes die.

    Args:
        scene: The scene.
        name: A name.
        worker: Starts their processes.
        files: What they upload, by key.
        if_exists: What to do with other content that is there.
        seed: What happens by chance.
    """

    def __init__(
        self, scene: Any, name: str, worker: Ask, files: dict[str, bytes], if_exists: str, seed: str
    ) -> None:
        self.scene, self.name, self.worker, self.files = scene, name, worker, files
        self.chance = random.Random(f"{seed} {name}")
        self.if_exists = if_exists
        self.home = scene.folder / name
        self.source = self.home / "source"
        for key, content in files.items():
            path = self.source / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.runs = 0
        self.kills = 0
        self.takes = 0.0  # Seconds for what was done last, among which to choose an instant.
        self.told: list[str] = []

    def do(self, what: str, run: int, **kill: Any) -> dict[str, Any]:
        """Run, resume or roll back; killed `after` so many seconds."""
        params = {"source": str(self.source), "catalogue": None, "if_exists": self.if_exists}
        told = {
            "do": what,
            "params": self.scene.params(**params),
            "journal": str(self.journal(run)),
            "folder": str(self.home),
            "environment": dict(self.scene.place.environment),
            **kill,
        }
        self.journal(run).parent.mkdir(exist_ok=True)
        began = time.monotonic()
        answer = self.worker(told)
        killed = answer["code"] == KILLED
        if not killed:
            self.takes = time.monotonic() - began
        self.kills += killed
        said = "killed" if killed else answer.get("message", "done")
        self.told.append(f"{self.name}: {what} {run}: {said}, {self.outcome(run)}")
        return answer

    def journal(self, run: int) -> Path:
        return self.home / f"journal-{run}" / "runs.db"

    def row(self, run: int) -> Any:
        """Return what the journal of a run says, or None if it had not begun."""
        journal = SqliteJournal(self.journal(run))
        try:
            return journal.read(1).row if journal.runs() else None
        finally:
            journal.close()

    def outcome(self, run: int) -> str | None:
        row = self.row(run)
        return "not begun" if row is None else row.outcome

    def bungle(self, kills: int) -> None:
        """Upload, go on and undo, until enough processes were killed."""
        self.runs += 1
        self.do("run", self.runs)
        while self.kills < kills:
            runs = self.unfinished() or self.unsealed()
            if runs and self.chance.random() < 0.7:
                run = self.chance.choice(runs)
                command = self.command(run)
            else:
                self.runs += 1
                run, command = self.runs, "run"
            self.do(command, run, after=self.chance.uniform(0.0, self.takes))

    def command(self, run: int) -> str:
        """Return what can be done with a run, by chance."""
        row = self.row(run)
        if row.sealed or row.outcome == "failed":
            return "resume"
        return "rollback" if row.outcome else self.chance.choice(["resume", "rollback"])

    def unfinished(self) -> list[int]:
        """Return the runs that are neither completed nor undone."""
        ended = ("completed", "rolled_back", "not begun")
        return [run for run in range(1, self.runs + 1) if self.outcome(run) not in ended]

    def completed(self) -> list[int]:
        return [run for run in range(1, self.runs + 1) if self.outcome(run) == "completed"]

    def unsealed(self) -> list[int]:
        """Return the completed runs that can be undone, and those whose undo is under way."""
        undone = [run for run in self.completed() if not self.row(run).sealed]
        return [*undone, *self.unfinished()]


Pending = Callable[[Person], list[int]]


class Trial:
    """Three people at one target, where somebody else has put something before."""

    def __init__(self, scene: Any, workers: list[Ask], seed: str, overwrites: bool) -> None:
        self.scene, self.chance = scene, random.Random(seed)
        common = {f"common/{number}.txt": b"common %d" % number for number in range(4)}
        others = {"common/3.txt": b"common 3", "theirs.txt": b"somebody else's"}
        for key, content in others.items():
            scene.place.put(key, content)
        wants = [{**common, **{f"{name}/{n}.txt": b"own" for n in range(3)}} for name in "abc"]
        if overwrites:
            wants[2].update({"common/1.txt": b"another", "theirs.txt": b"replaced"})
        modes = ["same", "same", "overwrite" if overwrites else "same"]
        self.people = [
            Person(scene, name, worker, files, mode, seed)
            for name, worker, files, mode in zip("abc", workers, wants, modes, strict=True)
        ]
        self.before = self.there()

    def there(self) -> dict[str, bytes]:
        """Return the content under each key, and the names of our own files."""
        place = self.scene.place
        if not place.environment:
            files = [path for path in place.path.rglob("*") if path.is_file()]
            return {str(path.relative_to(place.path)): path.read_bytes() for path in files}
        names = [name.removeprefix("data/") for name in place.objects() if name[:5] == "data/"]
        return {name: place.content(name) for name in names}

    def go_through(self, pending: Pending, commands: list[str]) -> None:
        """Finish or undo what is pending, in any order, as often as others are in the way."""
        for _ in range(ATTEMPTS):
            left = [(person, run) for person in self.people for run in pending(person)]
            if not left:
                return
            self.chance.shuffle(left)
            for person, run in left:
                # An undo that has begun goes on with either.
                person.do(self.chance.choice(commands), run)
        raise AssertionError("nothing frees them")

    def check(self) -> None:
        """Check that what completed runs rely on is there, and nothing else of ours."""
        there, wanted = self.there(), dict(self.before)
        for person in self.people:  # The last one overwrites.
            if person.completed():
                wanted |= person.files
        ours = {name for name in there if name.startswith(".handrail-target/")}
        assert {name: content for name, content in there.items() if name not in ours} == wanted
        runs = sum(len(person.completed()) for person in self.people)
        assert sum(name.endswith("/state") for name in ours) == runs
        assert not any("/aside/" in name or "tmp" in name for name in ours)
        if not runs:
            assert ours == set()


@pytest.mark.parametrize("overwrites", [False, True])
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize(
    "where",
    [
        "local-sqlite",
        "moto-sqlite",
        pytest.param("radosgw-sqlite", marks=pytest.mark.skipif(not WIDE, reason="not asked for")),
    ],
)
def test_random_kills(
    make_scene: Any, workers: list[Ask], where: str, seed: int, overwrites: bool
) -> None:
    """Nothing is lost, doubled or left."""
    trial = Trial(make_scene(where), workers, f"{where} {seed} {overwrites}", overwrites)
    try:
        with ThreadPoolExecutor(len(trial.people)) as pool:
            list(pool.map(lambda person: person.bungle(KILLS // 3), trial.people))
        trial.go_through(Person.unfinished, ["resume", "rollback"])
        trial.check()
        trial.go_through(Person.unsealed, ["rollback"])
        trial.check()
    except BaseException:
        print("\n".join(line for person in trial.people for line in person.told))
        raise
