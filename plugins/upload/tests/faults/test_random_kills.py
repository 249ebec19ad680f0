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

from handrail.sqlite import SqliteJournal

WIDE = "HANDRAIL_FAULTS" in os.environ
SEEDS = int(os.environ.get("HANDRAIL_FAULTS", "4")) // 4
HISTORIES = int(os.environ.get("HANDRAIL_FAULTS", "6"))
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
        self.later = 0.0  # Seconds by which their clocks are ahead.
        self.catalogue: str | None = None  # One of their own.

    def do(self, what: str, run: int, **kill: Any) -> dict[str, Any]:
        """Run, resume or roll back; killed `after` so many seconds."""
        keep = kill.pop("keep", self.chance.random() < 0.6)
        params = {
            "source": str(self.source),
            "catalogue": self.catalogue,
            "collection": "common",
            "if_exists": self.if_exists,
            "keep_replaced": keep,
            "delete_missing": kill.pop("delete", False),
            "max_delete": "100%",
        }
        told = {
            "do": what,
            "params": self.scene.params(**params),
            "journal": str(self.journal(run)),
            "folder": str(self.home),
            "environment": dict(self.scene.place.environment),
            "later": self.later,
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
            return journal.read(1) if journal.runs() else None
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


def _there(scene: Any) -> dict[str, bytes]:
    """Return the content under each key, and of our own files."""
    place = scene.place
    if not place.environment:
        files = [path for path in place.path.rglob("*") if path.is_file()]
        return {str(path.relative_to(place.path)): path.read_bytes() for path in files}
    names = [name.removeprefix("data/") for name in place.objects() if name[:5] == "data/"]
    return {name: place.content(name) for name in names}


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
        return _there(self.scene)

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
        assert not any("tmp" in name for name in ours)
        # What the last one has replaced is kept, also behind what another run of theirs relies on.
        assert self.people[-1].completed() or not any("/aside/" in name for name in ours)
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


DAY = 86_400.0
KEYS = ("0.txt", "1.txt", "deep/2.txt")
CONTENTS = (b"one", b"two", b"three")

Layer = bytes | tuple[str]
"""What lies under a key: a content, or nothing, by the name of the run that has deleted it."""


class History:
    """A few runs one after the other, some of them killed, and what has to be there after each.

    Each key has a pile: what lies there, above what that has replaced, as far as it can come back.

    Args:
        scene: The scene.
        workers: Start processes.
        seed: What happens by chance.
    """

    def __init__(self, scene: Any, workers: list[Ask], seed: str) -> None:
        self.scene, self.workers, self.seed = scene, workers, seed
        self.chance = random.Random(seed)
        self.people: list[Person] = []
        self.piles: dict[str, list[Layer]] = {key: [] for key in KEYS}
        self.holds: dict[str, dict[str, Layer]] = {}  # By the name of a run; for ever if it stays.
        self.until: dict[str, float] = {}
        self.stays: set[str] = set()
        self.foreign = 0
        self.later = 0.0
        self.told: list[str] = []

    def somebody_else(self) -> None:
        """Let somebody of whom we know nothing put something, or delete it."""
        key, self.foreign = self.chance.choice(KEYS), self.foreign + 1
        emptied = any(isinstance(held.get(key), tuple) for held in self.holds.values())
        # Where a run has deleted something, nothing tells that somebody else has done so since.
        if self.piles[key] and self.chance.random() < 0.3 and not emptied:
            self.scene.place.remove(key)
            self.piles[key] = []
        else:
            content = b"somebody else's %d" % self.foreign
            self.scene.place.put(key, content)
            self.piles[key] = [content]
        self.told.append(f"somebody else: {key} is {self.piles[key]}")

    def run(self) -> None:
        """Let somebody upload; killed or not, it is finished or undone before the next one does."""
        keys = self.chance.sample(KEYS, self.chance.randint(1, len(KEYS)))
        files = {key: self.chance.choice(CONTENTS) for key in keys}
        mode = self.chance.choice(["same", "overwrite", "overwrite"])
        keep = self.chance.choice([True, True, False, "30d"])
        name, worker = f"p{len(self.people)}", self.workers[len(self.people) % len(self.workers)]
        person = Person(self.scene, name, worker, files, mode, self.seed)
        person.later, person.runs = self.later, 1
        person.catalogue = str(self.scene.folder / "common.db")
        delete = self.chance.random() < 0.5
        self.people.append(person)
        self.told.append(f"{name}: {files}, {mode}, keep {keep}, delete {delete}")
        before = self._expired_asides()
        killed = self._killed(person, "run", keep=keep, delete=delete)
        if killed:
            self._settle(person)
        if person.outcome(1) == "completed":
            self._completed(person, keep, delete=delete)
            assert killed or not (before & self._expired_asides()), "nobody drops what is over"
        else:
            assert killed or self._conflicts(person), "there is no reason to fail"
            for key in person.files.keys() & self.there().keys():
                # What somebody else had deleted, and others rely on, stays once it is there again.
                if not self.piles[key] and self._is_relied_on(key, person.files[key]):
                    self.piles[key] = [person.files[key]]

    def _killed(self, person: Person, what: str, **more: Any) -> bool:
        """Do something in a process that may be killed; return whether it was."""
        if self.chance.random() < 0.5:
            more |= {
                "at": self.chance.randint(1, 24),
                "when": self.chance.choice(["before", "after"]),
            }
        elif self.chance.random() < 0.5:
            more |= {"after": self.chance.uniform(0.0, 0.4)}
        return bool(person.do(what, 1, **more)["code"] == KILLED)

    def _settle(self, person: Person) -> None:
        """Finish or undo a run, however often that is killed."""
        for _ in range(ATTEMPTS):
            row = person.row(1)
            if row is None or row.outcome in ("completed", "rolled_back"):
                return
            undoes = row.direction == "undo" or row.outcome is not None
            way = "resume" if row.sealed else self.chance.choice(["resume", "rollback"])
            self._killed(person, "rollback" if undoes else way)
        raise AssertionError("it never ends")

    def _conflicts(self, person: Person) -> bool:
        piles = ((self.piles[key], content) for key, content in person.files.items())
        taken = ((p, content) for p, content in piles if p and not isinstance(p[-1], tuple))
        return person.if_exists == "same" and any(p[-1] != content for p, content in taken)

    def _completed(self, person: Person, keep: Any, *, delete: bool) -> None:
        replaced = False
        held: dict[str, Layer] = dict(person.files)
        for key, content in person.files.items():
            pile = self.piles[key]
            if not pile or isinstance(pile[-1], tuple):
                pile.append(content)
            elif pile[-1] != content:
                assert person.if_exists == "overwrite"
                replaced = True
                self.piles[key] = [*(pile if keep else ()), content]
        for key, pile in self.piles.items() if delete else ():
            if key not in person.files and pile and self._is_held(key, pile[-1]):
                replaced = True
                held[key] = (person.name,)
                self.piles[key] = [*(pile if keep else ()), held[key]]
        self.holds[person.name] = held
        if replaced and not keep:
            self.stays.add(person.name)
        elif replaced and keep == "30d":
            self.until[person.name] = self.later + 30 * DAY
        assert (person.row(1).sealed is not None) == (person.name in self.stays)

    def time_passes(self) -> None:
        self.later += self.chance.choice([1, 31]) * DAY
        self.stays |= {name for name, until in self.until.items() if until <= self.later}
        for person in self.people:
            person.later = self.later
        self.told.append(f"{self.later / DAY:.0f} days later")

    def undo(self, person: Person) -> None:
        """Undo a completed run, if it can be; killed or not."""
        if not self._killed(person, "rollback") or person.outcome(1) != "rolled_back":
            while person.outcome(1) is None or person.name not in self.stays:
                if person.outcome(1) == "rolled_back":
                    break
                person.do("rollback", 1)
        if person.name in self.stays:
            assert person.outcome(1) == "completed"
            return
        held = self.holds.pop(person.name)
        for key, content in held.items():
            pile = self.piles[key]
            if isinstance(content, tuple) and content in pile[:-1]:
                pile.remove(content)  # As if it had never been.
            elif pile and pile[-1] == content and not self._is_relied_on(key, content):
                while pile and not self._is_foreign(pile[-1]):
                    pile.pop()
                    if pile and self._is_relied_on(key, pile[-1]):
                        break

    def _is_relied_on(self, key: str, content: Layer) -> bool:
        return any(held.get(key) == content for held in self.holds.values())

    def _is_held(self, key: str, content: Layer) -> bool:
        """Return whether something is an object on which a run relies."""
        return content in CONTENTS and self._is_relied_on(key, content)

    def _is_foreign(self, content: Layer) -> bool:
        return isinstance(content, bytes) and content not in CONTENTS

    def prune(self, person: Person) -> None:
        """Let the journal of a run forget it: what it holds stays, what it has replaced is gone."""
        person.do("prune", 1)
        self.stays.add(person.name)
        assert not self._asides_of(person)

    def undoable(self) -> list[Person]:
        return [
            person
            for person in self.people
            if person.name in self.holds and person.name not in self.stays
        ]

    def _asides_of(self, person: Person) -> set[str]:
        uid = person.row(1).uid
        return {name for name in self.own() if "/aside/" in name and f"/{uid}" in name}

    def _expired_asides(self) -> set[str]:
        over = [each for each in self.people if self.until.get(each.name, DAY**2) <= self.later]
        return set[str]().union(*map(self._asides_of, over))

    def there(self) -> dict[str, bytes]:
        return {name: each for name, each in _there(self.scene).items() if name in KEYS}

    def own(self) -> set[str]:
        return {name for name in _there(self.scene) if name.startswith(".handrail-target/")}

    def check(self) -> None:
        tops = {key: pile[-1] for key, pile in self.piles.items() if pile}
        assert self.there() == {key: top for key, top in tops.items() if isinstance(top, bytes)}
        states = sum(name.endswith("/state") for name in self.own())
        assert states <= len(self.holds)
        if not self.holds:
            assert self.own() == set()


@pytest.mark.parametrize("seed", range(HISTORIES))
@pytest.mark.parametrize(
    "where",
    [
        "local-sqlite",
        pytest.param("radosgw-sqlite", marks=pytest.mark.skipif(not WIDE, reason="not asked for")),
    ],
)
def test_histories(make_scene: Any, workers: list[Ask], where: str, seed: int) -> None:
    """After each event there is what was replaced last, and what comes back is what was before."""
    history = History(make_scene(where), workers, f"{where} {seed}")
    try:
        for _ in range(history.chance.randint(2, 3)):
            if history.chance.random() < 0.4:
                history.somebody_else()
            history.run()
            history.check()
            if history.chance.random() < 0.3:
                history.time_passes()
        while left := history.undoable():
            person = history.chance.choice(left)
            what = history.prune if history.chance.random() < 0.2 else history.undo
            what(person)
            history.check()
            if history.chance.random() < 0.2:
                history.somebody_else()
    except BaseException:
        print("\n".join((*history.told, *(line for each in history.people for line in each.told))))
        raise
