"""The contract that every journal must satisfy. A test module subclasses it for its journal:

class TestMyJournal(JournalContract):
    '''All of the contract.'''

and defines a fixture `place`, the URL of an empty journal.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings

from handrail.builtin.records.journal_check import check_journal
from handrail.errors import (
    ExitCode,
    JournalDamagedError,
    JournalError,
    LeaseLostError,
    NotFoundError,
    RunHeldError,
)
from handrail.journal import (
    AttemptChange,
    Change,
    ChunkChange,
    ChunkRow,
    FieldRow,
    ItemNoteRow,
    Journal,
    KeptRow,
    NoteRow,
    Reliance,
    RelianceChange,
    RunChange,
    RunCheck,
)
from journals import model
from journals.places import SHORT_LEASE, execute, new_run, open_place, until
from journals.process import Process


def moment(ago: float) -> str:
    """Return the time `ago` seconds before now, in the format of journals."""
    found = datetime.now(UTC) + timedelta(seconds=ago)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


STARTED = AttemptChange(step="scan", n=1, state="started", data_version=3)


def chunk(number: int, step: str = "scan", state: Any = "started", **more: Any) -> ChunkChange:
    head = None if number else "{}"
    place = (step, 1, number, 0, number * 10, 10, 1)
    return ChunkChange(*place, state, 7, **{"head": head, "items": "[0]", **more})


PAST = timedelta(days=-1)  # Matches all closed runs.


def note(seq: int, step: str = "scan") -> NoteRow:
    return NoteRow(step=step, n=1, seq=seq, key="made", values=f"[{seq}]")


@pytest.fixture
def opened(place: str) -> Iterator[Callable[..., Journal]]:
    """A function that opens the journal; it may be called several times."""
    journals: list[Journal] = []

    def opener(lease: float = 20.0) -> Journal:
        journals.append(open_place(place, lease))
        return journals[-1]

    yield opener
    for each in journals:
        each.close()


@pytest.fixture
def journal(opened: Callable[..., Journal]) -> Journal:
    return opened()


@pytest.fixture
def process(place: str) -> Iterator[Callable[..., Process]]:
    """A function that starts a process which has the journal open."""
    processes: list[Process] = []

    def start(lease: float = 20.0) -> Process:
        processes.append(Process(place, lease=lease))
        return processes[-1]

    yield start
    for each in processes:
        each.kill()


def renewed(journal: Journal, number: int) -> None:
    """Wait until the owner of a run has renewed its lease twice."""
    for _ in range(2):
        before = journal.read(number).heard
        until(lambda before=before: journal.read(number).heard != before)


class RecordsContract:
    """Reads return what was written."""

    def test_a_new_run_is_read_as_it_was_given(self, journal: Journal) -> None:
        new = new_run()
        owned = journal.open_run(new, [STARTED])
        found = journal.read(owned.number)
        given_back = {name.name: getattr(found, name.name) for name in dataclasses.fields(new)}
        assert given_back == dataclasses.asdict(new)
        assert (owned.uid, found.number) == (new.uid, owned.number)
        assert (found.direction, found.outcome, found.sealed) == ("forward", None, None)
        assert [each.step for each in found.attempts] == ["scan"]
        assert f'"pid": {os.getpid()}' in found.owner

    def test_text_that_is_no_unicode_comes_back_unchanged(self, journal: Journal) -> None:
        odd = "caf\udce9/\0/\\udce9/\N{SNOWMAN}"
        owned = journal.open_run(
            new_run(cwd=odd, action=odd),
            [
                AttemptChange(step=odd, n=1, state="failed", error=odd),
                NoteRow(step=odd, n=1, seq=1, key=odd, values='["\\udce9"]'),
                FieldRow(boundary=0, name=odd, value="1"),
                RunChange(sealed=odd),
            ],
        )
        found = journal.read(owned.number)
        texts = [found.cwd, found.action, found.sealed, found.attempts[0].error]
        names = [found.attempts[0].step, found.notes[0].key, found.notes[0].step]
        assert [*texts, *names, found.fields[0].name] == [odd] * 8

    def test_a_later_state_of_an_attempt_keeps_what_it_does_not_name(
        self, journal: Journal
    ) -> None:
        owned = journal.open_run(new_run(), [STARTED])
        owned.write([AttemptChange(step="scan", n=1, state="failed", result="{}", error="oh")])
        owned.write([AttemptChange(step="scan", n=1, state="undone")])
        (found,) = journal.read(owned.number).attempts
        kept = (found.state, found.result, found.error, found.data_version)
        assert kept == ("undone", "{}", "oh", 3)

    def test_attempts_and_notes_come_in_the_order_in_which_they_were_written(
        self, journal: Journal
    ) -> None:
        owned = journal.open_run(new_run())
        for step in ("scan", "copy", "archive"):
            owned.write([AttemptChange(step=step, n=1, state="started"), note(1, step)])
        owned.write([AttemptChange(step="scan", n=1, state="undone"), note(2, "scan")])
        found = journal.read(owned.number)
        assert [each.step for each in found.attempts] == ["scan", "copy", "archive"]
        assert [each.step for each in found.notes] == ["scan", "copy", "archive", "scan"]

    def test_the_latest_runs_come_first(self, journal: Journal) -> None:
        numbers = [journal.open_run(new_run()).number for _ in range(3)]
        assert numbers == [1, 2, 3]
        assert [each.number for each in journal.runs()] == [3, 2, 1]
        assert [each.number for each in journal.runs(limit=2)] == [3, 2]

    def test_runs_are_found_by_action_and_by_outcome(self, journal: Journal) -> None:
        actions = ("upload", "flows.py:upload", "acme:reupload", "flows.py:über", "50%_off")
        for action in actions:
            journal.open_run(dataclasses.replace(new_run(), action=action))
        journal.open_run(new_run()).write([RunChange(outcome="failed")])
        found = {
            action: [each.number for each in journal.runs(action=action)]
            for action in ("upload", "flows.py:upload", "über", "%", "50%_off", "load")
        }
        assert found == {
            "upload": [2, 1],
            "flows.py:upload": [2],
            "über": [4],
            "%": [],
            "50%_off": [5],
            "load": [],
        }
        assert [each.number for each in journal.runs(outcome="failed")] == [6]
        assert [each.number for each in journal.runs(outcome="interrupted")] == [5, 4, 3, 2, 1]
        assert [each.number for each in journal.runs(outcome="interrupted", limit=1)] == [5]
        assert journal.runs(outcome="completed") == []

    def test_runs_are_searched_page_by_page(self, journal: Journal) -> None:
        for number in range(1, 8):
            action = "flows.py:upload" if number % 2 else "train"
            params = json.dumps({"values": {"source": f"Photos_{number}"}, "secrets": {}})
            owned = journal.open_run(new_run(action=action, params=params, project="/a!b"))
            if number > 4:
                owned.write([RunChange(outcome="completed")])
            if number < 3:
                error = f"ValueError: no {number} is 100%"
                owned.write([STARTED._replace(state="failed", error=error)])

        def found(**search: Any) -> list[int]:
            return [row.number for row in journal.find_runs(**{"limit": 9, **search}).rows]

        page = journal.find_runs(action="upload", before=6, limit=2)
        assert [row.number for row in page.rows] == [5, 3]
        assert (page.count, page.actions) == (4, ["flows.py:upload", "train"])
        assert found(outcome="completed") == [7, 6, 5]
        assert found(outcome="interrupted", action="train") == [4, 2]
        assert found(text="photos_3") == [3]
        assert found(text="TRAIN") == [6, 4, 2]
        assert found(text="valueerror: NO") == [2, 1]
        assert found(text="no 1 is 100%") == [1]
        assert journal.find_runs(limit=6).errors == {2: ["ValueError: no 2 is 100%"]}
        # What is a pattern to a database is text here.
        assert found(text="s%3") == found(text="h_tos") == []
        assert len(found(text="/A!B")) == 7
        assert found(text=journal.runs()[0].uid) == [7]
        # The number of a run, and what may be in its UUID.
        assert 6 in found(text="6")

    def test_a_stamp_changes_with_each_commit_of_any_process(
        self, opened: Callable[..., Journal]
    ) -> None:
        mine, other = opened(), opened()
        stamps = [mine.stamp()]
        owned = other.open_run(new_run())
        stamps.append(mine.stamp())
        owned.write([STARTED])
        stamps.append(mine.stamp())
        mine.open_run(new_run())
        stamps.append(mine.stamp())
        assert len(set(stamps)) == len(stamps)

    def test_runs_are_found_by_project(self, journal: Journal) -> None:
        """Names and folders are compared exactly, including unusual characters."""
        for project in ("/work", "/work/in", "photos", "/odd/\udcff"):
            journal.open_run(new_run(project=project))
        for number, project in enumerate(("/work", "/work/in", "photos", "/odd/\udcff"), 1):
            found = journal.runs(project=project)
            assert [(row.number, row.project) for row in found] == [(number, project)]
        assert journal.runs(project="elsewhere") == []

    def test_a_list_of_runs_leaves_out_what_is_long(self, journal: Journal) -> None:
        owned = journal.open_run(new_run())
        owned.write([FieldRow(boundary=0, name="found", value="[]"), note(1)])
        assert journal.read(owned.number).plan == new_run().plan
        (listed,) = journal.runs()
        long: dict[str, Any] = {"plan": "", "attempts": (), "notes": (), "fields": ()}
        assert listed == dataclasses.replace(journal.read(owned.number), **long)
        assert journal.read(owned.number, fields=False).fields == ()
        assert len(journal.read(owned.number, fields=False).notes) == 1

    def test_the_step_of_a_field_is_kept(self, journal: Journal) -> None:
        """By it the fields of lanes are told apart; the last value of a field counts."""
        owned = journal.open_run(new_run(), [FieldRow(0, "found", "[]")])
        odd = "/odd/\udcff"
        owned.write([FieldRow(1, "found", "1", "scan"), FieldRow(2, "found", "2", odd)])
        owned.write([FieldRow(2, "found", "3", "scan")])
        fields = journal.read(owned.number).fields
        assert [(row.value, row.step) for row in fields] == [
            ("[]", None),
            ("1", "scan"),
            ("3", "scan"),
        ]

    def test_chunks_are_read_in_order_a_few_at_a_time(self, journal: Journal) -> None:
        """From any of them on, both ways, with what was written last of each."""
        owned = journal.open_run(new_run(), [STARTED])
        numbers = range(230)
        step = "/odd/\udcff"
        owned.write([chunk(each, step) for each in numbers])
        owned.write([chunk(7, step, "done", failed=1, results="[1]", errors="[[0]]", error="no")])
        owned.write([chunk(7, step, "started")._replace(attempt=2, items="[9]")])
        owned.write([chunk(0, "other"), chunk(0, step)._replace(n=2)])

        def read(**how: Any) -> list[ChunkRow]:
            return list(journal.chunks(owned.number, step, 1, **how))

        rows = read()
        assert [row.number for row in rows] == list(numbers)
        assert [row.number for row in read(back=True)] == list(reversed(numbers))
        assert [row.number for row in read(first=110)] == list(numbers[110:])
        assert [row.number for row in read(first=225, back=True)] == [229, 228, 227, 226, 225]
        assert rows[7] == rows[6]._replace(
            number=7,
            attempt=2,
            failed=1,
            results="[1]",
            errors="[[0]]",
            first=70,
            at=rows[7].at,
            began=rows[7].began,
        )
        assert (rows[0].head, rows[1].head, rows[7].items) == ("{}", None, "[0]")
        bare = read(contents=False)
        assert bare[7] == rows[7]._replace(items=None, results=None, errors=None)
        counts = {(x.step, x.n, x.state): x[3:] for x in journal.chunk_counts(owned.number)}
        assert counts[step, 1, "started"] == (230, 2300, 1, 2300)
        assert counts["other", 1, "started"] == (1, 10, 0, 10)

    def test_notes_of_items_are_read_by_chunk(self, journal: Journal, place: str) -> None:
        owned = journal.open_run(new_run(), [STARTED, chunk(0), chunk(1)])
        notes = [ItemNoteRow("scan", 1, each % 2, 1, each, "k\0", f"[{each}]") for each in range(6)]
        owned.write(notes)
        found = journal.item_notes(owned.number, "scan", 1, 1)
        assert [tuple(each) for each in found] == [tuple(each) for each in notes[1::2]]
        owned.write([RunChange(outcome="failed")])
        assert journal.read(owned.number).counts == "1 0 0 2 6"
        assert journal.check_run(owned.number).rows == 10
        execute(place, "UPDATE {chunk} SET items = '[1]' WHERE number = 1")
        execute(place, "DELETE FROM {item_note} WHERE number = 0")
        rows = [each.row for each in journal.check_run(owned.number).damage]
        assert rows == ["chunk 1 of the items of step 'scan'", "the record"]
        with pytest.raises(JournalDamagedError, match="chunk 1 of the items"):
            list(journal.chunks(owned.number, "scan", 1))

    def test_when_an_owner_was_last_heard_of(self, journal: Journal) -> None:
        before = time.time()
        owned = journal.open_run(new_run())
        row = journal.read(owned.number)
        # The clock of a server may be another one than that of who opens the run.
        assert row.heard is not None
        assert (row.heard >= row.opened, row.given_up) == (True, False)
        owned.write([STARTED])
        heard = journal.read(owned.number).heard
        assert heard == journal.runs()[0].heard
        assert heard is not None
        # The clock may be that of a server, and times are rounded to milliseconds.
        assert before - 1 < datetime.fromisoformat(heard).timestamp() < time.time() + 1
        owned.release()
        row = journal.read(owned.number)
        assert row.given_up
        journal.claim(owned.number).write([RunChange(outcome="completed")])
        row = journal.read(owned.number)
        assert not row.given_up

    def test_a_run_that_is_not_there_is_named_with_those_near_it(self, journal: Journal) -> None:
        with pytest.raises(NotFoundError, match="there is no run 4: the journal is empty"):
            journal.read(4)
        for _ in range(5):
            journal.open_run(new_run())
        for ask in (journal.read, journal.claim, journal.holder):
            with pytest.raises(NotFoundError, match="there is no run 9; the closest: 3, 4, 5"):
                ask(9)

    def test_what_one_journal_writes_another_reads_at_once(
        self, opened: Callable[..., Journal]
    ) -> None:
        writer, reader = opened(), opened()
        owned = writer.open_run(new_run())
        owned.write([note(1)])
        assert reader.read(owned.number).notes == writer.read(owned.number).notes != ()

    def test_threads_that_write_at_the_same_time_lose_nothing(self, journal: Journal) -> None:
        owned = journal.open_run(new_run())
        ready = threading.Barrier(8)

        def work(number: int) -> None:
            ready.wait()
            for seq in range(20):
                owned.write([note(seq, f"step {number}")])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        written = [(each.step, each.seq) for each in journal.read(owned.number).notes]
        assert sorted(written) == sorted((f"step {n}", s) for n in range(8) for s in range(20))
        for number in range(8):
            assert [s for step, s in written if step == f"step {number}"] == list(range(20))

    @given(batches=model.batches())
    @settings(
        max_examples=30,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,  # One contract, for several journals.
            HealthCheck.too_slow,
        ],
    )
    def test_any_changes_are_read_back_as_a_small_model_has_them(
        self, journal: Journal, batches: list[list[Change]]
    ) -> None:
        expected = model.Model()
        owned = journal.open_run(new_run(), batches[0])
        for batch in batches[1:]:
            owned.write(batch)
        for batch in batches:
            expected.apply(batch)
        assert model.contents(journal.read(owned.number)) == expected.contents()
        owned.release()


class FencesContract:
    """Only the owner can write, atomically, and not after a failure."""

    def test_a_write_that_fails_writes_nothing_and_ends_all_writing(self, journal: Journal) -> None:
        owned = journal.open_run(new_run(), [note(1)])
        with pytest.raises(JournalError):
            owned.write([STARTED, note(2), note(1)])
        for _ in range(2):
            with pytest.raises(JournalError):
                owned.write([note(3)])
        found = journal.read(owned.number)
        assert (len(found.notes), found.attempts) == (1, ())

    def test_an_outcome_closes_the_run(self, journal: Journal) -> None:
        owned = journal.open_run(new_run(), [STARTED])
        closing = [RunChange(outcome="completed"), AttemptChange(step="scan", n=1, state="done")]
        owned.write(closing)
        found = journal.read(owned.number)
        assert (found.outcome, found.attempts[0].state) == ("completed", "done")
        assert str(found.closed).endswith("Z")
        with pytest.raises(LeaseLostError, match=r"is closed \(completed\)"):
            owned.write([note(1)])
        assert journal.read(owned.number).notes == ()

    def test_a_closed_run_takes_no_attempts(self, journal: Journal) -> None:
        owned = journal.open_run(new_run(), [STARTED])
        owned.write([RunChange(outcome="completed")])
        done = AttemptChange(step="scan", n=1, state="done")
        with pytest.raises(LeaseLostError, match=r"is closed \(completed\)"):
            owned.write([done, AttemptChange(step="copy", n=1, state="started")])
        assert [each.state for each in journal.read(owned.number).attempts] == ["started"]

    def test_what_is_read_after_a_claim_is_what_is_there_then(
        self, opened: Callable[..., Journal]
    ) -> None:
        mine, other = opened(), opened()
        owned = other.open_run(new_run(), [STARTED])
        before = mine.read(owned.number)
        owned.write([AttemptChange(step="scan", n=1, state="done"), note(1)])
        owned.release()
        mine.claim(owned.number)
        after = mine.read(owned.number)
        assert (before.fence, after.fence) == (1, 2)
        assert (before.attempts[0].state, after.attempts[0].state) == ("started", "done")
        assert (len(before.notes), len(after.notes)) == (0, 1)
        assert (after.plan, after.fields) == (before.plan, before.fields)

    def test_direction_and_seal_stay_when_they_are_not_named(self, journal: Journal) -> None:
        owned = journal.open_run(new_run())
        owned.write([RunChange(direction="undo"), RunChange(sealed="originals were discarded")])
        owned.write([RunChange(outcome="rolled_back")])
        row = journal.read(owned.number)
        assert (row.direction, row.sealed) == ("undo", "originals were discarded")

    def test_what_was_undone_by_hand_stays_when_it_is_not_named(self, journal: Journal) -> None:
        owned = journal.open_run(new_run())
        assert journal.read(owned.number).by_hand is None
        owned.write([RunChange(direction="undo", by_hand='[{"step": "\u00e9"}]')])
        owned.write([RunChange(outcome="rolled_back")])
        assert journal.read(owned.number).by_hand == '[{"step": "\u00e9"}]'
        assert [row.by_hand for row in journal.runs()] == ['[{"step": "\u00e9"}]']

    def test_a_claim_opens_a_closed_run_again(self, journal: Journal) -> None:
        owned = journal.open_run(new_run())
        owned.write([RunChange(outcome="completed")])
        owned.release()
        again = journal.claim(owned.number)
        row = journal.read(owned.number)
        assert (row.outcome, row.closed, row.fence) == (None, None, 2)
        again.write([note(1)])
        assert again.uid == owned.uid

    def test_the_time_of_each_owner_counts_and_that_in_between_does_not(
        self, opened: Callable[..., Journal]
    ) -> None:
        """It counts as forward until the undo begins and as undo afterwards, across claims too."""
        journal, later = opened(), opened()
        owned = journal.open_run(new_run(opened=moment(-100.0)), [STARTED])
        owned.release()
        given_up = journal.read(1, fields=False)
        assert given_up.heard is not None
        worked, undid = given_up.spent(given_up.heard)
        assert 99.0 < worked < 130.0
        assert undid == 0.0
        again = later.claim(1)
        claimed = later.read(1, fields=False)
        assert abs(claimed.worked - worked) < 0.01
        assert (claimed.turned, claimed.heard) == (None, claimed.claimed)
        again.write([RunChange(direction="undo")])
        again.write([RunChange(outcome="rolled_back")])
        again.release()
        row = later.read(1, fields=False)
        assert row.closed is not None
        assert row.turned is not None
        assert claimed.claimed <= row.turned <= row.closed
        worked_in_all, undid = row.spent(row.closed)
        assert worked - 0.01 < worked_in_all < worked + 30.0
        assert undid < 30.0
        later.claim(1).release()
        folded = later.read(1, fields=False)
        assert abs(folded.worked - worked_in_all) < 0.01
        assert abs(folded.undid - undid) < 0.01

    def test_a_run_is_held_until_it_is_released(self, opened: Callable[..., Journal]) -> None:
        mine, other = opened(), opened()
        owned = mine.open_run(new_run())
        with pytest.raises(RunHeldError, match=f"is held by pid {os.getpid()} .* which is alive"):
            other.claim(owned.number)
        with pytest.raises(RunHeldError):
            other.claim(owned.number, take_over=True)
        owned.write([note(1)])
        owned.release()
        owned.release()
        assert other.holder(owned.number) is None
        other.claim(owned.number).write([note(2)])
        with pytest.raises(JournalError):
            owned.write([note(3)])
        assert [each.seq for each in other.read(owned.number).notes] == [1, 2]

    def test_closing_the_journal_gives_up_its_runs(self, opened: Callable[..., Journal]) -> None:
        mine, other = opened(), opened()
        number = mine.open_run(new_run()).number
        mine.close()
        mine.close()
        assert other.claim(number).number == number

    def test_a_forked_child_can_neither_write_nor_read(
        self, journal: Journal, process: Callable[..., Process]
    ) -> None:
        owner = process()
        number = owner.ask("open")
        assert owner.ask("note_in_child", 1) == ["JournalError", "JournalError"]
        assert owner.ask("note", 2) == "written"
        assert [each.seq for each in journal.read(number).notes] == [2]


class OwnersContract:
    """A run can be claimed when its owner is gone, and not before."""

    def test_a_killed_owner_is_known_at_once(
        self, journal: Journal, process: Callable[..., Process]
    ) -> None:
        owner = process()
        number = owner.ask("open")
        holder = journal.holder(number)
        assert holder is not None
        assert (f"pid {owner.pid}" in holder.described, holder.stale) == (True, False)
        owner.kill()
        until(lambda: journal.holder(number) is None)
        assert journal.claim(number).number == number

    def test_a_child_that_outlives_its_owner_does_not_keep_the_run(
        self, journal: Journal, process: Callable[..., Process]
    ) -> None:
        owner = process()
        number = owner.ask("open")
        child = owner.ask("fork")
        try:
            owner.kill()
            until(lambda: journal.holder(number) is None)
            assert journal.claim(number).number == number
        finally:
            os.kill(child, signal.SIGKILL)

    def test_a_stopped_owner_can_be_taken_over_once_its_lease_is_over(
        self, journal: Journal, process: Callable[..., Process]
    ) -> None:
        owner, taker = process(SHORT_LEASE), process()
        number = owner.ask("open")
        assert taker.ask("claim", number, True) == "RunHeldError", "it has just been heard of"
        owner.stop()
        until(lambda: is_stale(journal, number))
        with pytest.raises(RunHeldError, match=r"no sign of life for .* stopped, or") as held:
            journal.claim(number)
        assert any("--take-over" in way for way in held.value.ways_out)
        assert taker.ask("claim", number, True) == number
        assert taker.ask("note", 1) == "written"
        owner.go_on()
        assert owner.ask("note", 2) == "LeaseLostError"
        assert owner.ask("note", 3) == "LeaseLostError"
        assert taker.ask("note", 4) == "written"
        assert [each.seq for each in journal.read(number).notes] == [1, 4]
        assert journal.read(number).fence == 2

    def test_who_took_a_run_over_has_it_while_the_stopped_one_lives_on(
        self, journal: Journal, process: Callable[..., Process]
    ) -> None:
        owner, taker = process(SHORT_LEASE), process()
        number = owner.ask("open")
        owner.stop()
        until(lambda: is_stale(journal, number))
        taker.ask("claim", number, True)
        for take_over in (False, True):
            with pytest.raises(RunHeldError, match=f"pid {taker.pid}"):
                journal.claim(number, take_over=take_over)
        taker.kill()
        until(lambda: journal.holder(number) is None)
        mine = journal.claim(number)
        owner.kill()
        other = process()
        assert other.ask("claim", number) == "RunHeldError"
        mine.write([note(1)])

    def test_a_run_can_be_taken_over_again_and_again(
        self, journal: Journal, process: Callable[..., Process]
    ) -> None:
        owners = [process(SHORT_LEASE) for _ in range(3)]
        number = owners[0].ask("open")
        for before, after in itertools.pairwise(owners):
            before.stop()
            until(lambda: is_stale(journal, number))
            assert after.ask("claim", number, True) == number
        for each in owners[:2]:
            each.kill()
        holder = journal.holder(number)
        assert holder is not None
        assert f"pid {owners[2].pid}" in holder.described
        with pytest.raises(RunHeldError):
            journal.claim(number)
        owners[2].kill()
        until(lambda: journal.holder(number) is None)
        assert journal.claim(number).number == number
        assert journal.read(number).fence == 4

    def test_an_owner_that_only_waits_stays_alive(
        self, journal: Journal, process: Callable[..., Process]
    ) -> None:
        owner = process(SHORT_LEASE)
        number = owner.ask("open")
        heard: list[float] = []

        def renewed_often() -> bool:
            holder = journal.holder(number)
            assert holder is not None
            if holder.stale:
                heard.clear()  # A machine may be busy for a moment, but not over and over.
            heard.append(holder.silent or 0.0)
            falls = sum(later < earlier for earlier, later in itertools.pairwise(heard))
            return falls > 5  # More often than there are renewals in one lease.

        until(renewed_often)

    @pytest.fixture
    def interrupted(self) -> Iterator[list[int]]:
        """The signals that have come, which interrupt nothing."""
        found: list[int] = []
        before = signal.signal(signal.SIGINT, lambda number, _frame: found.append(number))
        yield found
        signal.signal(signal.SIGINT, before)

    def test_an_owner_that_is_asked_to_stop_is_interrupted_once(
        self, opened: Callable[..., Journal], interrupted: list[int]
    ) -> None:
        opened(SHORT_LEASE).open_run(new_run())
        opened().request_stop(1)
        until(lambda: interrupted)
        renewed(opened(), 1)
        assert interrupted == [signal.SIGINT]

    def test_a_request_to_stop_reaches_no_later_owner(
        self, opened: Callable[..., Journal], interrupted: list[int]
    ) -> None:
        journal = opened()
        owned = journal.open_run(new_run())
        journal.request_stop(1)
        owned.release()
        owned = opened(SHORT_LEASE).claim(1)
        renewed(journal, 1)
        owned.write([RunChange(outcome="failed")])
        journal.request_stop(1)  # It has just ended.
        owned.release()
        opened(SHORT_LEASE).claim(1)
        renewed(journal, 1)
        assert not interrupted

    def test_of_two_processes_that_want_a_run_one_gets_it(
        self, journal: Journal, process: Callable[..., Process]
    ) -> None:
        numbers = []
        for _ in range(50):
            owned = journal.open_run(new_run())
            numbers.append(owned.number)
            owned.release()
        racers = [process(), process()]
        for racer, order in zip(racers, (numbers, numbers[::-1]), strict=True):
            racer.send("claim_all", order)
        first, second = (racer.answer() for racer in racers)
        assert sorted([*first, *second]) == numbers
        assert {each.fence for each in journal.runs()} == {2}


class RelianceContract:
    """A journal that knows reliance knows it in both directions; others are asked for none."""

    def test_which_runs_rely_on_which(self, journal: Journal) -> None:
        first, second = (journal.open_run(new_run()) for _ in range(2))
        third = journal.open_run(new_run(), [RelianceChange((first.uid, "elsewhere"))])
        third.write([RelianceChange((second.uid, first.uid)), note(1)])
        journal.open_run(new_run(), [RelianceChange((first.uid,))])
        uids = tuple(sorted([first.uid, second.uid, "elsewhere"]))
        found = dict(journal.reliance([4, 3, 2, 1, 3, 9]))
        assert sorted(found[3].uids) == list(uids)
        assert dataclasses.replace(found.pop(3), uids=()) == Reliance(relies_on=(1, 2))
        assert found == {
            1: Reliance(relied_on_by=(3, 4)),
            2: Reliance(relied_on_by=(3,)),
            4: Reliance(relies_on=(1,), uids=(first.uid,)),
        }
        assert dict(journal.reliance([])) == {}

    def test_a_run_that_was_rolled_back_does_not_count(self, journal: Journal) -> None:
        first = journal.open_run(new_run())
        for outcome in ("completed", "failed", "rollback_incomplete", "rolled_back"):
            changes = [RelianceChange((first.uid,)), RunChange(outcome=outcome)]
            journal.open_run(new_run(), changes).release()
        assert journal.reliance([1])[1].relied_on_by == (2, 3, 4)
        assert 5 not in journal.reliance([5])

    def test_who_relied_on_a_run_that_was_undone_relies_on_those_before_it(
        self, journal: Journal
    ) -> None:
        """Each night names the one before it only; what is undone in between leaves that."""
        first = journal.open_run(new_run())
        second = journal.open_run(new_run(), [RelianceChange((first.uid,))])
        third = journal.open_run(new_run(), [RelianceChange((second.uid,))])
        journal.open_run(new_run(), [RelianceChange((third.uid,))])
        assert journal.reliance([1])[1].relied_on_by == (2,)
        for undone in (second, third):
            undone.write([RunChange(outcome="rolled_back")])
        assert journal.reliance([1])[1].relied_on_by == (4,)
        first.write([RunChange(outcome="rolled_back")])
        assert dict(journal.reliance([1])) == {}

    def test_a_deleted_run_is_one_of_no_journal(self, journal: Journal) -> None:
        first = journal.open_run(new_run(), [RunChange(outcome="completed")])
        second = journal.open_run(new_run(), [RelianceChange((first.uid,))])
        first.release()
        assert journal.prune(PAST) == [1]
        assert dict(journal.reliance([1, 2])) == {2: Reliance(uids=(first.uid,))}
        second.write([RunChange(outcome="completed")])
        second.release()
        assert journal.prune(PAST) == [2]
        assert dict(journal.reliance([1, 2])) == {}

    def test_more_runs_than_one_statement_takes(self, journal: Journal) -> None:
        first = journal.open_run(new_run())
        for _ in range(3):
            journal.open_run(new_run(), [RelianceChange((first.uid,))]).release()
        found = journal.reliance([*range(1000, 1250), 3, 1, 2])
        assert sorted(found) == [1, 2, 3]
        assert found[1].relied_on_by == (2, 3, 4)


class PruneContract:
    """Pruning deletes old runs, and only those."""

    def test_closed_runs_go_and_the_others_stay(
        self, journal: Journal, process: Callable[..., Process]
    ) -> None:
        owner = process()

        def ended(outcome: Any) -> int:
            owned = journal.open_run(new_run(), [STARTED, note(1), RunChange(outcome=outcome)])
            owned.release()
            return owned.number

        done, bad, undone = ended("completed"), ended("rollback_incomplete"), ended("rolled_back")
        failed = ended("failed")  # It was kept, to be finished or undone.
        alive, left = owner.ask("open"), journal.open_run(new_run())
        left.release()
        held = journal.open_run(new_run(), [RunChange(outcome="completed")])
        assert journal.prune(timedelta(hours=1)) == []
        assert journal.prune(PAST) == [done, undone]
        kept = [bad, failed, alive, left.number, held.number]
        assert sorted(each.number for each in journal.runs()) == kept
        held.release()
        assert journal.prune(PAST) == [held.number]

    def test_runs_go_one_by_one_after_each_was_released(
        self, journal: Journal, process: Callable[..., Process]
    ) -> None:
        """Nobody can claim a run meanwhile; it can be read, and it stays if it is not released."""
        rival = process()
        for outcome in ("completed", "failed", "completed", "rolled_back"):
            changes: list[Change] = [STARTED, note(1), RunChange(outcome=outcome)]
            journal.open_run(new_run(), changes).release()
        released: list[int] = []

        def release(number: int) -> bool:
            released.append(number)
            assert len(journal.read(number).notes) == 1
            assert rival.ask("claim", number) == "RunHeldError"
            return number != 3

        assert journal.prune(timedelta(hours=1), release) == []
        assert journal.prune(PAST, release) == [1, 4]
        assert released == [1, 3, 4]
        assert sorted(each.number for each in journal.runs()) == [2, 3]
        assert rival.ask("claim", 3) == 3

    def test_a_run_that_is_claimed_while_others_are_released_stays(self, journal: Journal) -> None:
        for _ in range(2):
            journal.open_run(new_run(), [RunChange(outcome="completed")]).release()
        claimed = []

        def release(number: int) -> bool:
            claimed.append(journal.claim(2))
            claimed[-1].release()
            return True

        assert journal.prune(PAST, release) == [1]
        assert len(claimed) == 1

    def test_a_number_is_never_given_twice(self, journal: Journal) -> None:
        owned = journal.open_run(new_run(), [RunChange(outcome="completed")])
        owned.release()
        assert journal.prune(PAST) == [owned.number]
        assert journal.open_run(new_run()).number == owned.number + 1


DAMAGE = [
    ("UPDATE {note} SET \"values\" = '[71]' WHERE run = 1 AND seq = 1", "note 1 of step 'scan'"),
    ("UPDATE {note} SET key = 'mades' WHERE run = 1 AND seq = 2", "note 2 of step 'scan'"),
    ("UPDATE {note} SET step = 'scam' WHERE run = 1 AND seq = 1", "note 1 of step 'scam'"),
    ("UPDATE {note} SET seq = 3 WHERE run = 1 AND seq = 1", "note 3 of step 'scan'"),
    ("UPDATE {attempt} SET result = '[]'", "attempt 1 of step 'scan'"),
    ("UPDATE {attempt} SET step = 'scam'", "attempt 1 of step 'scam'"),
    ("UPDATE {attempt} SET at = 'then'", "attempt 1 of step 'scan'"),
    ("UPDATE {field} SET value = '2'", "the value of the context's 'found' after 1 steps"),
    ("UPDATE {field} SET step = 'scan'", "the value of the context's 'found' after 1 steps"),
    ("UPDATE {run} SET params = '{{ }}' WHERE id = 1", "its own row"),
    ("UPDATE {run} SET packs = '{{ }}' WHERE id = 1", "its own row"),
    ("UPDATE {run} SET action = 'uproad' WHERE id = 1", "its own row"),
    ("UPDATE {run} SET uid = 'other' WHERE id = 1", "its own row"),
    ("UPDATE {run} SET turned = 'then' WHERE id = 1", "its own row"),
    ("UPDATE {run} SET plan_crc = 1 WHERE id = 1", "its plan"),
]


LOST = [
    ("DELETE FROM {attempt} WHERE run = 1", "has 0 attempts of steps, and had 1 at its end"),
    ("DELETE FROM {note} WHERE run = 1 AND seq = 2", "has 1 notes, and had 2 at its end"),
    ("DELETE FROM {field} WHERE run = 1", "has 0 context fields, and had 1 at its end"),
]


class PartsContract:
    """A run that is a part of another is opened under its fence, and goes with it."""

    def test_a_part_has_an_ordinary_number_and_the_place_that_it_is_for(
        self, journal: Journal
    ) -> None:
        whole = journal.open_run(new_run())
        parts = [part_of(journal, whole, step) for step in ("one", "two")]
        assert [each.number for each in parts] == [2, 3]
        found = journal.parts(whole.number)
        assert [each.number for each in found] == [2, 3]
        row = journal.read(3)
        assert (row.parent, row.parent_step) == (1, "two")
        assert (row.parent_attempt, row.parent_item) == (1, 0)
        assert [each.number for each in journal.runs()] == [1]
        assert journal.read(1).parent is None
        assert journal.parts(2) == []

    def test_parts_are_found_by_their_item(self, journal: Journal) -> None:
        whole = journal.open_run(new_run())
        for item, attempt in ((2, 1), (1, 1), (10, 1), (1, 2)):
            part_of(journal, whole, "runs", attempt=attempt, item=item)
        assert [row.number for row in journal.parts(1, item=1)] == [3, 5]
        assert journal.parts(1, item=3) == []
        assert [row.number for row in journal.runs(parts=True)] == [5, 4, 3, 2, 1]

    def test_a_part_is_held_claimed_and_ended_like_any_run(
        self, opened: Callable[..., Journal]
    ) -> None:
        ours, theirs = opened(), opened()
        owned = part_of(ours, ours.open_run(new_run()), "one")
        with pytest.raises(RunHeldError, match=r"run 2 "):
            theirs.claim(2)
        owned.release()
        assert theirs.holder(2) is None
        theirs.claim(2).write([RunChange(outcome="completed")])
        assert ours.read(2).outcome == "completed"

    def test_items_are_counted_by_what_came_of_their_latest_run(self, journal: Journal) -> None:
        whole = journal.open_run(new_run())
        for item, attempt, outcome in (
            *((1, 1, "rolled_back"), (1, 2, "completed"), (2, 1, "completed")),
            *((3, 1, "failed"), (10, 1, None)),
        ):
            owned = part_of(journal, whole, "runs", attempt=attempt, item=item)
            if outcome is not None:
                owned.write([RunChange(outcome=outcome)])
            owned.release()
        counted = {"completed": 2, "failed": 1, "interrupted": 1}
        assert (journal.count_parts(1), journal.count_parts(2)) == (counted, {})

    def test_a_place_has_one_part(self, journal: Journal) -> None:
        whole = journal.open_run(new_run())
        part_of(journal, whole, "one")
        with pytest.raises(JournalError):
            part_of(journal, whole, "one")
        assert part_of(journal, whole, "one", attempt=2).number in (3, 4)

    def test_no_part_is_opened_for_a_run_that_is_not_ours_any_more(self, journal: Journal) -> None:
        whole = journal.open_run(new_run())
        whole.release()
        journal.claim(whole.number)
        with pytest.raises(LeaseLostError):
            part_of(journal, whole, "one")
        assert journal.parts(whole.number) == []

    @pytest.mark.parametrize(
        "change", [RunChange(direction="undo"), RunChange(outcome="completed")]
    )
    def test_no_part_is_opened_for_a_run_that_is_undone_or_over(
        self, journal: Journal, change: RunChange
    ) -> None:
        whole = journal.open_run(new_run())
        whole.write([change])
        with pytest.raises(LeaseLostError):
            part_of(journal, whole, "one")
        assert journal.parts(whole.number) == []

    def test_parts_are_pruned_before_what_they_are_parts_of(self, journal: Journal) -> None:
        """Or nothing is, if one of them can still be finished or undone."""
        for outcome in ("completed", "failed"):
            whole = journal.open_run(new_run())
            part = part_of(journal, whole, "one")
            below = part_of(journal, part, "two")
            for each in (below, part, whole):
                done = RunChange(outcome=outcome if each is below else "completed")
                each.write([done])
                each.release()
        assert journal.prune(PAST) == [3, 2, 1]
        assert [each.number for each in journal.runs()] == [4]
        assert [each.number for each in journal.parts(4)] == [5]
        journal.close()

    def test_a_part_that_is_kept_keeps_what_it_is_a_part_of(self, journal: Journal) -> None:
        whole = journal.open_run(new_run())
        for each in (part_of(journal, whole, "one"), part_of(journal, whole, "two"), whole):
            each.write([RunChange(outcome="completed")])
            each.release()
        assert journal.prune(PAST, lambda number: number != 3) == [2]
        assert journal.prune(PAST) == [3, 1]


def part_of(journal: Journal, whole: Any, step: str, *, attempt: int = 1, item: int = 0) -> Any:
    """Return a new run that is a part of another one."""
    place = {"parent_step": step, "parent_attempt": attempt, "parent_item": item}
    new = dataclasses.replace(new_run(), parent=whole.number, parent_fence=whole.fence, **place)
    return journal.open_run(new)


class DamageContract:
    """What was read and is not what was written is told, and hides nothing else."""

    @pytest.fixture
    def full(self, journal: Journal) -> Journal:
        """A journal with two runs; the first has a row of each kind."""
        done = AttemptChange(step="scan", n=1, state="done", result='{"success":true}')
        value = FieldRow(boundary=1, name="found", value="1")
        owned = journal.open_run(new_run(), [STARTED])
        owned.write([note(1), note(2)])
        owned.write([done, value])
        owned.release()
        journal.open_run(new_run(), [STARTED, note(1)]).release()
        return journal

    @pytest.mark.parametrize(("statement", "row"), DAMAGE)
    def test_a_damaged_row_is_named_and_the_other_runs_are_read(
        self, full: Journal, place: str, statement: str, row: str
    ) -> None:
        only = statement if "WHERE" in statement else f"{statement} WHERE run = 1"
        execute(place, only)
        with pytest.raises(JournalDamagedError, match=f"run 1 is damaged .*: {row}") as damage:
            full.read(1)
        told = damage.value
        assert (told.run, told.row, told.exit_code) == (1, row, ExitCode.JOURNAL)
        assert any("handrail doctor --journal" in way for way in told.ways_out)
        assert [each.key for each in full.read(2).notes] == ["made"]
        listed = {each.number: each.damage is not None for each in full.runs()}
        assert listed == {2: False, 1: row == "its own row"}

    def test_all_damaged_rows_of_a_run_are_found(self, full: Journal, place: str) -> None:
        assert full.check() == []
        assert full.check_run(1) == RunCheck(rows=5, sound=full.read(1))
        execute(place, "UPDATE {note} SET key = 'other' WHERE run = 1")
        found = full.check_run(1)
        rows = ["note 1 of step 'scan'", "note 2 of step 'scan'"]
        assert [each.row for each in found.damage] == rows
        assert full.check_run(2) == RunCheck(rows=3, sound=full.read(2))

    @pytest.mark.parametrize(("statement", "told"), LOST)
    def test_a_row_that_is_lost_after_the_end_of_its_run_is_damage(
        self, full: Journal, place: str, statement: str, told: str
    ) -> None:
        owned = full.claim(1)
        owned.write([RunChange(outcome="failed")])
        owned.release()
        assert full.read(1).counts == "1 2 1 0 0"
        execute(place, statement)
        with pytest.raises(JournalDamagedError, match=f"run 1 is damaged .*: the record {told}"):
            full.read(1)
        [error] = full.check_run(1).damage
        assert told in error.message

    def test_the_rows_of_a_run_that_goes_on_are_not_counted(self, full: Journal) -> None:
        for outcome in ("failed", "completed"):
            owned = full.claim(1)
            assert full.read(1).counts is None
            owned.write([AttemptChange(step=outcome, n=1, state="done")])
            owned.write([note(7, step=outcome), RunChange(outcome=outcome)])
            owned.release()
            full.read(1)
        assert full.read(1).counts == "3 4 1 0 0"
        assert full.runs()[0].number == 2

    def test_the_rest_of_a_damaged_run_is_sound(self, full: Journal, place: str) -> None:
        before = full.read(1)
        execute(place, "UPDATE {note} SET key = 'other' WHERE run = 1 AND seq = 2")
        sound = full.check_run(1).sound
        assert sound is not None
        assert sound == dataclasses.replace(before, notes=before.notes[:1])
        execute(place, "UPDATE {run} SET params = '[]' WHERE id = 1")
        sound = full.check_run(1).sound
        assert sound is not None
        assert (sound.damage is not None, sound.plan) == (True, before.plan)
        assert sound.attempts == before.attempts

    def test_a_row_that_belongs_to_another_run_is_damage(self, full: Journal, place: str) -> None:
        execute(place, "UPDATE {note} SET run = 2 WHERE run = 1 AND seq = 2")
        with pytest.raises(JournalDamagedError, match="note 2 of step 'scan'"):
            full.read(2)

    def test_a_later_state_keeps_the_checksum_of_a_result(self, full: Journal, place: str) -> None:
        owned = full.claim(1)
        owned.write([AttemptChange(step="scan", n=1, state="undone")])
        assert full.read(1).attempts[0].result == '{"success":true}'
        execute(place, "UPDATE {attempt} SET result = '{{}}' WHERE run = 1")
        with pytest.raises(JournalDamagedError, match="attempt 1 of step 'scan'"):
            full.read(1)

    def test_an_owner_that_cannot_be_read_damages_its_run_only(
        self, full: Journal, place: str
    ) -> None:
        execute(place, "UPDATE {run} SET owner = '[]' WHERE id = 1")
        for use in (full.holder, full.claim):
            with pytest.raises(JournalDamagedError, match="run 1 is damaged"):
                use(1)
        full.claim(2).release()


class ValuesContract:
    """A journal that stores values that JSON lacks returns them as they were written."""

    def test_a_value_is_read_as_it_was_written(self, journal: Journal) -> None:
        """Also by another connection, and under a name of plain characters."""
        content = bytes(range(256)) * 1000
        owned, journal = storing(journal)
        stored = owned.store_value("scan/caf\udce9 \0-df", ".parquet", writing(content))
        assert stored["name"] == "scan_caf_-df.parquet"
        assert stored["size"] == len(content)
        assert stored["sha256"] == hashlib.sha256(content).hexdigest()
        with journal.open_value(1, stored["name"]) as file:
            assert file.read(10) == content[:10]
            file.seek(0)
            assert file.read() == content

    def test_values_of_one_name_are_kept_apart(self, journal: Journal) -> None:
        owned, journal = storing(journal)
        names = [
            owned.store_value(stem, ".npy", writing(b"%d" % number))["name"]
            for number, stem in enumerate(("a-df", "a-df", "a df", "../..", "." * 300))
        ]
        assert names == ["a-df.npy", "a-df-2.npy", "a_df.npy", "value.npy", "value-2.npy"]
        assert [read(journal, 1, name) for name in names] == [b"0", b"1", b"2", b"3", b"4"]

    def test_a_value_that_fails_to_be_written_leaves_nothing(self, journal: Journal) -> None:
        """Its error comes through, and a serializer may close its file."""
        owned, journal = storing(journal)

        def fail(file: BinaryIO) -> None:
            file.write(b"half")
            file.close()
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            owned.store_value("a-df", ".npy", fail)
        with pytest.raises(JournalError, match=r"run 1 .* a-df\.npy"):
            journal.open_value(1, "a-df.npy")

    @pytest.mark.parametrize("name", ["../1/a.npy", "/etc/passwd", "", ".", "..", "a.npy"])
    def test_a_value_of_another_run_or_place_is_not_read(self, journal: Journal, name: str) -> None:
        owned, journal = storing(journal)
        owned.store_value("a", ".npy", writing(b"1"))
        storing(journal)
        with pytest.raises(JournalError):
            journal.open_value(2, name)

    def test_a_check_of_the_journal_reads_the_values_too(self, journal: Journal) -> None:
        """And names the one that is not what its result says."""
        owned, _ = storing(journal)
        about = {"type": "a", "pack": "a", "media_type": "a", "shown": "a", "at": []}
        stored = [
            {**owned.store_value(name, ".npy", writing(b"1")), **about} for name in ("good", "bad")
        ]
        stored[1]["sha256"] = stored[1]["sha256"].upper()
        result = {
            "success": True,
            "timestamp": "2026-11-25T03:30:00+00:00",
            "data": {"x": {"shape": None, "stored": stored}},
        }
        done = AttemptChange(step="scan", n=1, state="done", result=json.dumps(result))
        owned.write([done])
        plan = '{"action": "a", "fingerprint": "f", "steps": []}'
        journal.open_run(new_run(plan=plan)).release()
        found = check_journal(journal)
        assert [(each.run, each.row) for each in found.damage] == [(1, "the value bad.npy")]

    def test_values_are_pruned_with_their_run(self, journal: Journal) -> None:
        """Those that no result names, too; those of other runs stay."""
        owned, values = storing(journal)
        others, _ = storing(journal)
        for run in (owned, others):
            run.store_value("a", ".npy", writing(b"1"))
        owned.write([RunChange(outcome="completed")])
        owned.release()
        assert journal.prune(PAST) == [1]
        with pytest.raises(JournalError):
            values.open_value(1, "a.npy")
        assert read(values, 2, "a.npy") == b"1"


def writing(content: bytes) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        file.write(content)

    return write


def read(journal: Any, number: int, name: str) -> bytes:
    with journal.open_value(number, name) as file:
        content: bytes = file.read()
    return content


def storing(journal: Any) -> tuple[Any, Any]:
    """Return a new run of a journal that stores values, and the journal."""
    owned = journal.open_run(new_run())
    return owned, journal


def said(step: str = "scan", kind: str = "log", name: str = "", seq: int = 0) -> KeptRow:
    return KeptRow(step, 1, kind, name, seq, json.dumps([step]), moment(0))


def observing(journal: Any, *changes: Change) -> tuple[Any, Any]:
    """Return a new run of a journal that keeps what steps say, and the journal."""
    owned = journal.open_run(new_run(), changes)
    return owned, journal


def observed(journal: Any, number: int = 1, **which: Any) -> list[KeptRow]:
    """Return what the steps of a run have said; none of it is damaged."""
    damage: list[JournalDamagedError] = []
    found = list(journal.kept(number, damage=damage.append, **which))
    assert damage == []
    return found


class ObservationsContract:
    """What steps say is kept beside what a run needs, and never in its way."""

    def test_what_steps_say_is_read_as_it_was_written(self, journal: Journal) -> None:
        """By run, step and kind; also without the values, and what is no Unicode."""
        odd = "caf\udce9/\0/\N{SNOWMAN}"
        owned, found = observing(journal, STARTED)
        changes = [said(), said("copy", "metric", odd, 2), said(odd, "attachment", "curves")]
        owned.keep(changes)
        assert observed(found) == [KeptRow(*each) for each in changes]
        assert [row.name for row in observed(found, step="copy")] == [odd]
        assert [row.step for row in observed(found, kinds=["attachment"])] == [odd]
        assert observed(found, step="copy", kinds=["log"]) == []
        assert [row.text for row in observed(found, texts=False)] == ["", "", ""]
        observing(journal)
        assert observed(found, 2) == []
        with pytest.raises(NotFoundError):
            observed(found, 3)

    def test_a_kind_is_any_text(self, journal: Journal) -> None:
        """It is that of whoever keeps something, of a step or of the run."""
        owned, found = observing(journal)
        owned.keep([said(), said("", "acme-trace", seq=3), said("copy", "acme-trace")])
        rows = found.kept(1, ["acme-trace", "log"])
        assert [(row.kind, row.step, row.seq) for row in rows] == [
            ("acme-trace", "", 3),
            ("acme-trace", "copy", 0),
            ("log", "scan", 0),
        ]

    def test_what_is_said_later_takes_the_place_of_what_was_said(self, journal: Journal) -> None:
        """In its place and no other; the order stays."""
        owned, found = observing(journal)
        owned.keep([said(), said(seq=1)])
        owned.keep([said()._replace(text="[2]"), said(kind="progress")])
        assert [(row.kind, row.seq, row.text) for row in observed(found)] == [
            ("log", 0, "[2]"),
            ("log", 1, '["scan"]'),
            ("progress", 0, '["scan"]'),
        ]

    def test_nothing_is_said_in_a_run_that_is_closed_or_was_lost(
        self, journal: Journal, opened: Callable[..., Journal]
    ) -> None:
        """And its own writes are not in question before."""
        owned, found = observing(journal)
        owned.release()
        other = opened().claim(1)
        with pytest.raises((LeaseLostError, JournalError)):
            owned.keep([said()])
        other.keep([said()])
        other.write([RunChange(outcome="completed")])
        with pytest.raises(LeaseLostError):
            other.keep([said("copy")])
        assert [row.step for row in observed(found)] == ["scan"]

    def test_a_call_that_waits_is_made_in_time_or_when_the_run_is_given_up(
        self, journal: Journal
    ) -> None:
        """In another thread, so that nobody has to wait for it."""
        owned, _ = observing(journal)
        threads: list[str] = []
        owned.call_later(0.01, lambda: threads.append(threading.current_thread().name))
        until(lambda: threads)
        assert threads == ["handrail-lease"]
        owned.call_later(60.0, lambda: threads.append("at the end"))
        owned.release()
        assert threads[1:] == ["at the end"]

    def test_damage_of_what_steps_said_is_told_and_nothing_else_is_in_question(
        self, journal: Journal, place: str
    ) -> None:
        """The run is read, claimed and ended as if it were whole; the rest is read."""
        owned, found = observing(journal, STARTED, note(1))
        owned.keep([said(), said("copy", "attachment", "curves")])
        owned.release()
        execute(place, "UPDATE {kept} SET text = '[3]' WHERE kind = 'attachment'")
        damage: list[JournalDamagedError] = []
        assert [row.step for row in found.kept(1, damage=damage.append)] == ["scan"]
        (error,) = damage
        assert "the attachment 'curves' of step 'copy' differs from its checksum" in error.message
        assert len(found.read(1).notes) == 1
        check = check_journal(found)
        assert (check.damage, [each.message for each in check.unseen]) == ((), [error.message])
        found.claim(1).write([RunChange(outcome="completed")])
        assert found.runs()[0].damage is None

    def test_what_steps_said_is_pruned_with_their_run(self, journal: Journal) -> None:
        owned, found = observing(journal)
        owned.keep([said()])
        owned.write([RunChange(outcome="completed")])
        owned.release()
        kept, _ = observing(journal)
        kept.keep([said("copy")])
        assert found.prune(PAST) == [1]
        assert [row.step for row in observed(found, 2)] == ["copy"]
        with pytest.raises(NotFoundError):
            observed(found, 1)

    def test_it_is_known_when_an_attempt_began_and_ended(self, journal: Journal) -> None:
        """Also after it was undone, which is another time."""
        owned, found = observing(journal, STARTED)
        (row,) = found.read(1).attempts
        assert (row.began, row.ended) == (row.at, None)
        began, state = row.at, row
        for state_now in ("done", "undone"):
            time.sleep(0.005)
            owned.write([AttemptChange(step="scan", n=1, state=state_now)])
            before, (state,) = state, found.read(1).attempts
            assert state.began == began
            assert state.at > before.at
        assert (state.ended, state.state) == (before.at, "undone")

    def test_it_is_known_when_a_chunk_began(self, journal: Journal) -> None:
        """The last attempt at it, if there were several."""
        owned, found = observing(journal, STARTED)
        owned.write([chunk(0)])
        (begun,) = found.chunks(1, "scan", 1)
        assert begun.began == begun.at
        time.sleep(0.005)
        owned.write([chunk(0)._replace(attempt=2)])
        (again,) = found.chunks(1, "scan", 1)
        time.sleep(0.005)
        owned.write([chunk(0, state="done")._replace(attempt=2)])
        (done,) = found.chunks(1, "scan", 1)
        assert begun.at < again.at == done.began < done.at


class JournalContract(
    PartsContract,
    RecordsContract,
    DamageContract,
    ObservationsContract,
    FencesContract,
    OwnersContract,
    RelianceContract,
    PruneContract,
    ValuesContract,
):
    """The whole contract."""


def is_stale(journal: Journal, number: int) -> bool:
    holder = journal.holder(number)
    assert holder is not None, "a stopped process still has its run"
    return holder.stale
