"""What steps say and attach is read back from the journal, whatever became of their run."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from killing.processes import Killing
from killing.told import AsyncDoes, Does, play
from killing.told import Context as Told
from saying import says

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    Run,
    RuntimeContext,
    StepResult,
    StepWrapper,
    Undo,
    action,
    chain,
    parallel,
    resume,
    rollback,
    step,
)
from handrail.attachments import Markdown, Plot, Table
from handrail.builtin.records.run_record import RecordedStep, record_of
from handrail.errors import JournalError, StepFailedError
from handrail.events import Attached, Event
from handrail.sqlite import SqliteJournal


class Silent:
    """Shows nothing."""

    def log(self, *given: Any) -> None: ...
    def set_progress(self, *given: Any) -> None: ...
    def set_metrics(self, *given: Any) -> None: ...


def quiet() -> RuntimeContext:
    return RuntimeContext(logger=Silent())


def read(journal: SqliteJournal, name: str, number: int = 1) -> RecordedStep:
    found = record_of(journal, number).step(name)
    assert found is not None
    return found


def is_all(found: RecordedStep, text: str) -> None:
    """Check that all of it is there."""
    (line,) = found.log
    assert (line.event, line.data, line.file, line.number) == (
        "found",
        {"what": text},
        f"/{text}",
        1,
    )
    assert found.progress is not None
    assert (found.progress.current, found.progress.total, found.progress.category) == (
        3,
        4,
        "bytes",
    )
    assert {name: metric.last.value for name, metric in found.metrics.items()} == {
        "loss": 0.5,
        "validation/loss": 0.25,
    }
    assert {name: metric.category for name, metric in found.metrics.items()} == {
        "loss": found.own_name,
        "validation/loss": "validation",
    }
    attached = {each.name: each.value for each in found.attachments}
    assert attached == {"curves": Plot("line", {"loss": [0.5, 0.25]}), "notes": Markdown(text)}
    assert found.observations.damage == ()


def test_what_a_step_says_is_there_once_it_is_done(journal: SqliteJournal) -> None:
    """By step; a step that says nothing has nothing."""
    play(journal, Does("a", lambda context: says(context, "a")), Does("b"))
    is_all(read(journal, "a"), "a")
    other = read(journal, "b")
    assert (other.log, other.attachments, other.metrics, other.progress) == ([], [], {}, None)
    assert record_of(journal, 1).observations.steps == {"a"}


def test_async_steps_say_it_too(journal: SqliteJournal) -> None:
    async def work(context: Any) -> None:
        says(context, "a")

    play(journal, AsyncDoes("a", work))
    is_all(read(journal, "a"), "a")


def test_threads_of_a_step_say_it_too(journal: SqliteJournal) -> None:
    """All at once, and each line has its own number."""

    def work(context: Any) -> None:
        def say(thread: int) -> None:
            for number in range(20):
                context.log("line", {"thread": thread, "number": number})

        threads = [threading.Thread(target=say, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    play(journal, Does("a", work))
    lines = read(journal, "a").log
    assert [line.number for line in lines] == list(range(1, 81))
    assert len({(line.data["thread"], line.data["number"]) for line in lines}) == 80


@step
def one(context: BaseStepContext) -> None:
    says(context, "one")


@step
def two(context: BaseStepContext) -> None:
    says(context, "two")


def test_lanes_of_a_group_say_it_too(journal: SqliteJournal) -> None:
    grouped = action("grouped", [parallel("both", [[one], [two]])])
    grouped.run(journal=journal, ctx=quiet(), packs=())
    is_all(read(journal, "one"), "one")
    is_all(read(journal, "two"), "two")


def test_the_actions_of_a_chain_say_it_too(journal: SqliteJournal) -> None:
    first, second = action("first", [one]), action("second", [two])
    both = chain("chained", [first, second])
    both.run(journal=journal, ctx=quiet(), packs=())
    is_all(read(journal, "first.one"), "one")
    is_all(read(journal, "second.two"), "two")


class Again(StepWrapper[Any]):
    """Tries three times."""

    def around(self, context: Any) -> Any:
        for _ in range(2):
            try:
                return (yield Run())
            except OSError:
                yield Undo()
        return (yield Run())


def test_each_attempt_has_its_own_lines(journal: SqliteJournal) -> None:
    """And what is attached is that of the last one."""
    tries: list[int] = []

    def work(context: Any) -> None:
        tries.append(1)
        context.log("try", {"number": len(tries)})
        context.attach("notes", Markdown(f"try {len(tries)}"))
        if len(tries) < 3:
            raise OSError("no")

    play(journal, Again(Does("a", work)))
    found = read(journal, "a")
    assert [(line.attempt, line.data["number"]) for line in found.log] == [(1, 1), (2, 2), (3, 3)]
    assert [(each.attempt, each.value) for each in found.attachments] == [(3, Markdown("try 3"))]


def test_what_an_undo_says_follows_what_its_step_has_said(journal: SqliteJournal) -> None:
    class Undoes(Does):
        def rollback(self, context: Any, result: StepResult) -> None:
            context.log("undone", {"summary": "2 objects deleted"})

    def fail(context: Any) -> None:
        context.log("about to fail", {})
        raise OSError("no")

    with pytest.raises(StepFailedError):
        play(journal, Undoes("a", lambda context: context.log("made", {})), Does("b", fail))
    assert [line.event for line in read(journal, "a").log] == ["made", "undone"]
    assert [line.event for line in read(journal, "b").log] == ["about to fail"]


def test_what_is_too_large_is_left_out_and_the_run_goes_on(journal: SqliteJournal) -> None:
    """A step that has worked for hours does not fail for it."""

    def work(context: Any) -> None:
        context.attach("notes", Markdown("x" * 400_000))

    play(journal, Does("a", work))
    (line,) = read(journal, "a").log
    assert line.event == "not_kept"
    assert "'notes' is not attached: it has 400 kB, and 350 kB are kept" in line.data["summary"]
    assert read(journal, "a").attachments == []


class Sound:
    """A thing of a pack, which no screen of Handrail knows."""

    def to_dict(self) -> dict[str, Any]:
        return {"type": "acme-sound", "samples": [1, 2], "heard": "postgresql://ada:hunter2@host"}


@pytest.mark.parametrize("durable", [True, False])
def test_what_a_step_attaches_is_an_event(journal: SqliteJournal, *, durable: bool) -> None:
    """Without its secrets; its JSON form has no value, which may be long."""
    told: list[Attached] = []

    def observe(event: Event) -> None:
        if isinstance(event, Attached):
            told.append(event)

    attaching = action("attaching", [step(lambda context: context.attach("a", Sound()), name="a")])
    attaching({}, quiet(), packs=()).run(journal=journal if durable else None, observers=[observe])
    [event] = told
    assert (event.step, event.name, event.kind) == ("a", "a", "acme-sound")
    assert event.value["samples"] == [1, 2]
    assert "hunter2" not in str(event.value)
    assert "value" not in event.to_dict()


def test_a_thing_of_a_pack_is_read_back_by_who_asks_for_its_kind(journal: SqliteJournal) -> None:
    play(journal, Does("a", lambda context: context.attach("engine", Sound())))
    [attached] = read(journal, "a").attachments
    assert (attached.kind, attached.value, attached.form["samples"]) == ("acme-sound", None, [1, 2])
    assert attached.to_dict()["value"]["samples"] == [1, 2]
    assert "hunter2" not in repr(attached)


def test_without_a_journal_nothing_is_kept_and_nothing_fails() -> None:
    play(None, Does("a", lambda context: says(context, "a")))


class Observing(SqliteJournal):
    """A journal that tells when what steps say is written, and can fail to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.told: list[str] = []
        self.error: JournalError | None = None

    def open_run(self, new: Any, changes: Any = ()) -> Any:
        owned = super().open_run(new, changes)
        observe, write = owned.keep, owned.write

        def observed(changes: Any) -> None:
            self.told.append("observed")
            if self.error is not None:
                raise self.error
            observe(changes)

        def wrote(changes: Any) -> None:
            self.told.append("wrote")
            write(changes)

        owned.keep, owned.write = observed, wrote
        return owned


@pytest.fixture
def observing(tmp_path: Path) -> Any:
    opened = Observing(tmp_path / "observed.db")
    yield opened
    opened.close()


def test_an_attachment_is_written_before_its_step_is_done(observing: Observing) -> None:
    """The rest at the end at the latest; and nothing where nothing was said."""
    play(
        observing,
        Does("a", lambda context: context.attach("notes", Markdown("x"))),
        Does("b", lambda context: context.log("line", {})),
        Does("c"),
    )
    assert observing.told == ["observed", "wrote", "wrote", "wrote", "observed", "wrote"]


def test_rollback_data_does_not_wait_for_what_was_said(observing: Observing) -> None:
    """It is on the path of effects."""

    def work(context: Any) -> None:
        context.attach("notes", Markdown("x"))
        context.record_rollback("made", 1)

    play(observing, Does("a", work))
    assert observing.told[:2] == ["wrote", "observed"]


def test_a_run_that_says_nothing_has_no_part_in_it(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It imports nothing for it."""
    names = [
        name for name in sys.modules if name.endswith(("kept_rows", "records.said", "attachments"))
    ]
    for name in names:
        monkeypatch.delitem(sys.modules, name)
    play(journal, *(Does(f"s{number}") for number in range(5)))
    assert not [x for x in sys.modules if x.endswith(("kept_rows", "records.said", "attachments"))]


def test_while_a_step_says_nothing_more_it_is_written_within_a_second(
    journal: SqliteJournal,
) -> None:
    """Another process can look at it while the step works."""
    seen: list[str] = []

    def work(context: Any) -> None:
        context.log("line", {})
        other = SqliteJournal(journal.address)
        deadline = threading.Event()
        for _ in range(600):
            if read(other, "a").log:
                seen.append("there")
                break
            deadline.wait(0.1)
        other.close()

    play(journal, Does("a", work))
    assert seen == ["there"]


def test_if_it_cannot_be_written_the_run_goes_on_and_says_so_once(observing: Observing) -> None:
    """What it needs is written by others."""
    said: list[str] = []

    class Hears(Silent):
        def log(self, *given: Any) -> None:
            said.append(given[0])

    observing.error = JournalError("no room")

    def work(context: Any) -> None:
        context.attach("notes", Markdown("x"))

    play(
        observing,
        Does("a", work),
        *(Does(name, lambda context: context.log("line", {})) for name in "bc"),
        context=Told(RuntimeContext(logger=Hears())),
    )
    assert said == ["line", "not_kept", "line"]
    assert observing.read(1).outcome == "completed"


def test_secrets_are_hidden(journal: SqliteJournal) -> None:
    def work(context: Any) -> None:
        text = "postgresql://ada:hunter2@host/db"
        context.log(text, {text: text}, text)
        context.set_metrics({"where": text})
        context.attach("table", Table((text,), [[text]]))
        context.attach(text, Markdown(text))

    play(journal, Does("a", work))
    found = read(journal, "a")
    assert len(found.attachments) == 2
    assert "hunter2" not in repr(found.observed())
    with journal._reading() as connection:
        rows = connection.execute("SELECT * FROM kept").fetchall()
    assert "hunter2" not in repr([tuple(row) for row in rows])


def corrupt(journal: SqliteJournal) -> None:
    def write(connection: Any) -> None:
        connection.execute("UPDATE kept SET text = substr(text, 2)")

    journal._database.write(write)


@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_damage_of_what_was_said_stops_nobody(journal: SqliteJournal, way: str) -> None:
    """The run is gone on with, or undone; what is said then is kept."""
    kept = Flow({}, quiet(), packs=())
    FAILING.add("b")
    with pytest.raises(StepFailedError):
        kept.run(journal=journal, on_failure="keep")
    FAILING.clear()
    corrupt(journal)
    found = read(journal, "a")
    assert (found.log, found.attachments) == ([], [])
    assert len(found.observations.damage) == 3
    assert "differs from its checksum" in found.observations.damage[0]
    goes = resume if way == "resume" else rollback
    goes(Flow, 1, journal=journal, ctx=quiet(), packs=())
    ended = {"resume": "completed", "rollback": "rolled_back"}
    assert journal.read(1).outcome == ended[way]
    if way == "resume":
        assert [line.data["what"] for line in read(journal, "c").log] == ["c"]


@pytest.mark.parametrize("part", ["kept", "sqlite_autoindex_kept_1"])
@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_a_damaged_page_of_what_was_said_stops_nobody(tmp_path: Path, way: str, part: str) -> None:
    """Then nothing can be read or written there, and the run does not need it."""
    path = tmp_path / "runs.db"
    FAILING.add("b")
    with closing(SqliteJournal(path)) as journal, pytest.raises(StepFailedError):
        Flow({}, quiet(), packs=()).run(journal=journal, on_failure="keep")
    FAILING.clear()
    with closing(sqlite3.connect(path)) as database:
        (size,) = database.execute("PRAGMA page_size").fetchone()
        asked = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (page,) = database.execute(asked, (part,)).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with closing(SqliteJournal(path)) as journal:
        said = record_of(journal, 1).observations
        assert said.log("a") == []
        assert said.damage != ()
        goes = resume if way == "resume" else rollback
        goes(Flow, 1, journal=journal, ctx=quiet(), packs=())
        ended = {"resume": "completed", "rollback": "rolled_back"}
        assert record_of(journal, 1).row.outcome == ended[way]


FAILING: set[str] = set()


class Says(BaseStep[Any]):
    """Says much, makes a file, and may fail."""

    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: Any) -> StepResult:
        context.record_rollback("made", self.name)
        says(context, self.name)
        if self.name in FAILING:
            raise OSError("no")
        return StepResult()

    def rollback(self, context: Any, result: StepResult) -> None:
        context.log("undone", {"summary": self.name})
        context.attach("undo", Markdown(self.name))


class Flow(BaseAction[Any]):
    """Three steps that say much."""

    action_name = "saying"

    def setup_steps(self, registry: Any) -> None:
        for name in "abc":
            registry.register(Says(name))


class Mortal(Killing):
    """Dies at writes of what steps say, too."""

    def _deadly(self, owned: Any) -> Any:
        left = [self.at]

        def deadly(call: Callable[[Any], None]) -> Callable[[Any], None]:
            def at_write(changes: Any) -> None:
                left[0] -= 1
                if left[0] == 0 and self.when == "before":
                    os.kill(os.getpid(), signal.SIGKILL)
                call(changes)
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            return at_write

        owned.write, owned.keep = deadly(owned.write), deadly(owned.keep)
        return owned


WRITES = 10  # For each step rollback data, what it says, and its end; and the end of all.


@pytest.mark.parametrize("way", ["resume", "rollback"])
@pytest.mark.parametrize("at", range(1, WRITES + 1))
def test_killed_at_any_write_an_attachment_is_whole_or_absent(
    tmp_path: Path, kill: Callable[..., int], monkeypatch: pytest.MonkeyPatch, at: int, way: str
) -> None:
    """Those of a step that is done are there; and the run is finished or undone."""
    monkeypatch.setattr("killing.processes.Killing._deadly", Mortal._deadly)

    def work(deadly: Any) -> None:
        Flow({}, quiet(), packs=()).run(journal=deadly)

    assert kill(at, ("before", "after")[at % 2], work) == -signal.SIGKILL
    journal = SqliteJournal(tmp_path / ".handrail" / "runs.db")
    try:
        record = record_of(journal, 1)
        for found in record.steps:
            attached = {each.name: each.value for each in found.attachments}
            if found.state == "done":
                is_all(found, found.name)
            elif attached:
                assert attached["notes"] == Markdown(found.name)
        assert record.observations.damage == ()
        if record.row.outcome is None:
            goes = resume if way == "resume" else rollback
            goes(Flow, 1, journal=journal, ctx=quiet(), packs=())
        if journal.read(1).outcome == "completed":
            for name in "abc":
                events = [line.event for line in read(journal, name).log]
                assert events[-1] == "found"
                assert {each.name for each in read(journal, name).attachments} >= {"curves"}
        else:
            assert way == "rollback"
    finally:
        journal.close()


def test_there_is_no_further_write(kill: Callable[..., int], monkeypatch: Any) -> None:
    """So the test above leaves none out."""
    monkeypatch.setattr("killing.processes.Killing._deadly", Mortal._deadly)

    def work(deadly: Any) -> None:
        Flow({}, quiet(), packs=()).run(journal=deadly)

    assert kill(WRITES + 1, "before", work) == 0
