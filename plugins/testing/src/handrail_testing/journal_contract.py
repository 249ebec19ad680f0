"""JournalContract: the promises of every journal, as tests to subclass."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid
from collections.abc import Callable, Generator
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, cast

import handrail
from handrail.errors import HandrailError, JournalError, LeaseLostError, NotFoundError, RunHeldError
from handrail.frozen import values_of
from handrail.journal import (
    AttemptChange,
    Change,
    ChunkChange,
    FieldRow,
    Journal,
    KeptRow,
    NewRun,
    NoteRow,
    OwnedRun,
    RelianceChange,
    RunChange,
    open_journal,
)

_ODD = "caf\udce9/\0/\\udce9/\N{SNOWMAN}"
_STARTED = AttemptChange(step="scan", n=1, state="started", data_version=3)
_PAST = timedelta(days=-1)  # All runs that have ended did so longer ago.


class JournalContract:
    """The promises of a journal; subclass it in a test file, and pytest runs them.

        class TestContract(JournalContract):
            factory = "acme_journal:open_journal"
            url = "acme://{folder}/runs"

    A test of something that a journal may leave out, and this one does, is skipped.

    Attributes:
        factory: What its entry point in `handrail.journals` leads to, as `module:name`.
        url: The URL of an empty journal; `{folder}` stands for an empty folder. A property of that
            name can return another one each time.
        patience: Seconds after which something that must happen has not.
    """

    factory: ClassVar[str] = ""
    url: Any = ""
    patience: ClassVar[float] = 60.0

    def test_it_is_a_journal_of_this_version(self) -> None:
        """Handrail opens it by the scheme of its URL."""
        with tempfile.TemporaryDirectory() as folder:
            url = str(self.url).format(folder=folder)
            found = open_journal(url, find=lambda _: _named(self.factory))
            with contextlib.closing(found):
                assert found.shown

    def test_a_new_run_is_read_as_it_was_given(self) -> None:
        """With the rows of its first commit, and as one that nobody has ended."""
        with self._opened() as open_it:
            journal, new = open_it(), _new_run(action=_ODD, cwd=_ODD)
            owned = journal.open_run(new, [_STARTED, _note(1, _ODD)])
            found = journal.read(owned.number)
            given = values_of(new)
            assert {name: getattr(found, name) for name in given} == given
            assert (owned.number, owned.uid) == (1, new.uid)
            assert (found.direction, found.outcome, found.sealed) == ("forward", None, None)
            assert [tuple(each)[:4] for each in found.attempts] == [("scan", 1, "started", 3)]
            assert found.notes == (_note(1, _ODD),)

    def test_a_later_state_of_an_attempt_keeps_what_it_does_not_name(self) -> None:
        """Its result, its error and its version of the data."""
        with self._opened() as open_it:
            journal, owned = _begun(open_it)
            failed = AttemptChange(step="scan", n=1, state="failed", result="{}", error="oh")
            owned.write([failed])
            owned.write([AttemptChange(step="scan", n=1, state="undone")])
            (row,) = journal.read(1).attempts
            kept = (row.state, row.result, row.error, row.data_version)
            assert kept == ("undone", "{}", "oh", 3)

    def test_rows_come_in_the_order_in_which_they_were_written(self) -> None:
        """Attempts by their first commit, notes as they came, fields by their boundary."""
        with self._opened() as open_it:
            journal, owned = _begun(open_it)
            copy = AttemptChange(step="copy", n=1, state="started")
            owned.write([copy, _note(1, "copy"), FieldRow(2, "found", "2", "scan")])
            done = AttemptChange(step="scan", n=1, state="done")
            owned.write([done, _note(1), FieldRow(1, "found", "1", _ODD)])
            owned.write([FieldRow(2, "found", "3", "scan")])
            found = journal.read(1)
            assert [each.step for each in found.attempts] == ["scan", "copy"]
            assert [each.step for each in found.notes] == ["copy", "scan"]
            assert [tuple(each) for each in found.fields] == [
                (1, "found", "1", _ODD),
                (2, "found", "3", "scan"),
            ]

    def test_runs_are_listed_the_latest_first(self) -> None:
        """All, a few, and those of an action, of a project or with an outcome."""
        with self._opened() as open_it:
            journal = open_it()
            journal.open_run(_new_run(action="upload", project=_ODD))
            ended = journal.open_run(_new_run(action="train", project="/work"))
            ended.write([RunChange(outcome="failed")])
            journal.open_run(_new_run(action="train", project="/work"))

            def found(**which: Any) -> list[int]:
                return [row.number for row in journal.runs(**which)]

            assert (found(), found(limit=2), found(action="train")) == ([3, 2, 1], [3, 2], [3, 2])
            assert (found(project=_ODD), found(project="/w")) == ([1], [])
            assert (found(outcome="failed"), found(outcome="interrupted")) == ([2], [3, 1])

    def test_a_run_that_is_not_there_is_not_found(self) -> None:
        """Neither read nor claimed."""
        with self._opened() as open_it:
            journal = open_it()
            for ask in (journal.read, journal.claim, journal.holder):
                assert _error(partial(ask, 9)) is NotFoundError

    def test_threads_that_write_at_the_same_time_lose_nothing(self) -> None:
        """Lanes of a run do; the notes of each stay in order."""
        with self._opened() as open_it:
            journal, owned = _begun(open_it)
            ready = threading.Barrier(8)

            def work(number: int) -> None:
                ready.wait()
                for seq in range(20):
                    owned.write([_note(seq, f"step {number}")])

            threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            notes = journal.read(1).notes
            for number in range(8):
                seqs = [each.seq for each in notes if each.step == f"step {number}"]
                assert seqs == list(range(20))

    def test_an_outcome_closes_the_run(self) -> None:
        """It takes no more rows, also not in the same process."""
        with self._opened() as open_it:
            journal, owned = _begun(open_it)
            owned.write([RunChange(direction="undo", sealed="sent", by_hand="[]")])
            owned.write([RunChange(outcome="rollback_incomplete")])
            assert _error(lambda: owned.write([_note(1)])) is LeaseLostError
            row = journal.read(1)
            assert (row.outcome, row.notes) == ("rollback_incomplete", ())
            assert (row.direction, row.sealed, row.by_hand) == ("undo", "sent", "[]")
            assert str(row.closed).endswith("Z")

    def test_a_claim_opens_a_closed_run_again_and_shuts_out_its_former_owner(self) -> None:
        """By the fence, which each claim raises."""
        with self._opened() as open_it:
            journal, owned = _begun(open_it)
            owned.write([RunChange(outcome="failed")])
            owned.release()
            assert journal.holder(1) is None
            again = journal.claim(1)
            assert (again.uid, again.fence) == (owned.uid, owned.fence + 1)
            row = journal.read(1)
            assert (row.outcome, row.closed, row.fence) == (None, None, again.fence)
            assert issubclass(_error(lambda: owned.write([_note(1)])), JournalError)
            again.write([_note(2)])
            assert [each.seq for each in journal.read(1).notes] == [2]

    def test_nobody_claims_a_run_whose_owner_lives(self) -> None:
        """Neither another process, nor another part of this one, also not with `take_over`."""
        with self._opened() as open_it:
            journal, _ = _begun(open_it)
            assert journal.holder(1) is not None
            for take_over in (False, True):
                held = _error(partial(journal.claim, 1, take_over=take_over))
                assert held is RunHeldError
            with self._writer(open_it) as (_, number):
                # A journal for one process at a time does not even open.
                held = _error(lambda: open_it().claim(number))
                assert held in (RunHeldError, JournalError)

    def test_an_owner_that_is_asked_to_stop_is_interrupted(self) -> None:
        """When it renews its lease, as Ctrl-C would; a run that is over is left alone."""
        came = threading.Event()
        with self._opened() as open_it, contextlib.ExitStack() as stack:
            journal, owned = _begun(open_it)
            before = signal.signal(signal.SIGINT, lambda _number, _frame: came.set())
            stack.callback(signal.signal, signal.SIGINT, before)
            try:
                journal.request_stop(1)
            except JournalError as error:
                raise unittest.SkipTest(f"it passes on no requests: {error.message}") from None
            self._until(came.is_set)
            owned.write([RunChange(outcome="failed")])
            journal.request_stop(1)

    def test_what_was_written_is_there_after_a_kill(self) -> None:
        """Every commit that returned, whole and in order; and the run can be claimed."""
        with self._opened() as open_it:
            with self._writer(open_it) as (process, number):
                assert process.stdout is not None
                told = [int(process.stdout.readline()) for _ in range(20)]
                process.kill()
                told += [int(line) for line in process.stdout.read().split()]
            journal = open_it()
            self._until(lambda: journal.holder(number) is None)
            found = [each.seq for each in journal.read(number).notes]
            assert found == list(range(1, len(found) + 1))
            assert len(found) - len(told) in (0, 1), "a commit that returned is gone"
            assert journal.claim(number).fence == 2

    def test_a_run_is_kept_and_resumed_from_it(self) -> None:
        """A real one of two steps: the first is not run again."""
        with self._opened() as open_it:
            done, ready = list[str](), list[bool]()
            flow = _two_steps(done, ready)
            with contextlib.suppress(handrail.StepFailedError):
                flow.run(journal=open_it(), on_failure="keep", packs=())
            ready.append(True)
            handrail.resume(flow, journal=open_it(), packs=())
            assert done == ["made", "sent"]
            states = {row.step: row.state for row in open_it().read(1).attempts if row.n == 1}
            assert (states["make"], open_it().read(1).outcome) == ("done", "completed")

    def test_a_run_is_rolled_back_from_it(self) -> None:
        """With what its steps had recorded, by another opening of the journal."""
        with self._opened() as open_it:
            done: list[str] = []
            flow = _two_steps(done, [True])
            flow.run(journal=open_it(), packs=())
            handrail.rollback(flow, 1, journal=open_it(), packs=())
            assert done == ["sent"]
            assert open_it().read(1).outcome == "rolled_back"

    def test_a_part_has_the_place_that_it_is_for(self) -> None:
        """It is found by the run that it is a part of, and not listed beside it."""
        with self._opened() as open_it:
            journal, owned = _begun(open_it)
            for item in (1, 2):
                journal.open_run(_part_of(owned, item))
            assert [row.number for row in journal.parts(1)] == [2, 3]
            assert [row.number for row in journal.parts(1, item=2)] == [3]
            row = journal.read(3)
            assert (row.parent, row.parent_step, row.parent_attempt) == (1, "scan", 1)
            assert [row.number for row in journal.runs()] == [1]
            assert [row.number for row in journal.runs(parts=True)] == [3, 2, 1]

    def test_no_part_is_opened_for_a_run_that_turned_back_ended_or_was_lost(self) -> None:
        """It would be forgotten in the undo."""
        with self._opened() as open_it:
            journal, _ = _begun(open_it)
            ended, turned, lost = (journal.open_run(_new_run()) for _ in range(3))
            ended.write([RunChange(outcome="completed")])
            turned.write([RunChange(direction="undo")])
            lost.release()
            journal.claim(lost.number)
            for each in (ended, turned, lost):
                assert _error(partial(journal.open_run, _part_of(each, 1))) is LeaseLostError
                assert journal.parts(each.number) == []

    def test_items_of_steps_come_back_by_chunk(self) -> None:
        """Both ways, from any of them on."""
        with self._opened() as open_it:
            journal, owned = _begun(open_it)
            chunks = [
                ChunkChange("scan", 1, number, 0, number, 1, 1, "started", 7, head="{}", items="[]")
                for number in range(5)
            ]
            try:
                owned.write(chunks)
            except JournalError as error:
                raise unittest.SkipTest(f"it keeps no items: {error.message}") from None
            owned.write([chunks[2]._replace(state="done", results="[1]", items=None, head=None)])

            def numbers(**how: Any) -> list[int]:
                return [each.number for each in journal.chunks(1, "scan", 1, **how)]

            assert numbers() == [0, 1, 2, 3, 4]
            assert (numbers(first=3), numbers(first=3, back=True)) == ([3, 4], [4, 3])
            row = list(journal.chunks(1, "scan", 1))[2]
            assert (row.state, row.items, row.results) == ("done", "[]", "[1]")

    def test_what_is_kept_beside_a_run_comes_back_by_kind(self) -> None:
        """A later text takes the place of the former one; no run depends on any."""
        with self._opened() as open_it:
            journal, owned = _begun(open_it)
            at = _new_run().opened
            rows = [KeptRow("scan", 1, "acme", "", seq, str(seq), at) for seq in (0, 1)]
            owned.keep([*rows, KeptRow("", 0, "other", _ODD, 0, _ODD, at)])
            owned.keep([rows[0]._replace(text="new")])
            found = [(row.kind, row.seq, row.text) for row in journal.kept(1, ["acme"])]
            if not found:
                raise unittest.SkipTest("it keeps nothing that only people look at")
            assert found == [("acme", 0, "new"), ("acme", 1, "1")]
            assert [row.name for row in journal.kept(1, ["other"])] == [_ODD]

    def test_the_result_of_a_run_is_kept_after_its_end(self) -> None:
        """Once more after it was resumed."""
        with self._opened() as open_it:
            journal, owned = _begun(open_it)
            owned.write([RunChange(outcome="completed")])
            owned.release()
            for text in ("1", "2"):
                journal.keep_result(1, text)
            if journal.kept(1, ["result"]):
                assert [row.text for row in journal.kept(1, ["result"])] == ["2"]

    def test_reliance_is_known_in_both_directions(self) -> None:
        """By the runs on which another one says that it relies."""
        with self._opened() as open_it:
            journal, first = _begun(open_it)
            journal.open_run(_new_run(), [RelianceChange((first.uid,))])
            found = journal.reliance([1, 2])
            if not found:
                raise unittest.SkipTest("it does not know which runs rely on which")
            assert (found[1].relied_on_by, found[2].relies_on) == ((2,), (1,))

    def test_pruning_keeps_what_can_still_be_finished_or_undone(self) -> None:
        """And gives no number twice."""
        with self._opened() as open_it:
            journal, _ = _begun(open_it)
            for outcome in ("completed", "failed", "rollback_incomplete"):
                ended = journal.open_run(_new_run())
                ended.write([RunChange(outcome=cast("Any", outcome))])
                ended.release()
            assert journal.prune(timedelta(hours=1)) == []
            gone = journal.prune(_PAST)
            assert [row.number for row in journal.runs()] == [
                n for n in (4, 3, 2, 1) if n not in gone
            ]
            assert gone in ([], [2])
            assert journal.open_run(_new_run()).number == 5

    @contextlib.contextmanager
    def _opened(self) -> Generator[Callable[[], Journal]]:
        """Yield what opens the journal; it closes what it has opened before."""
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            url = str(self.url).format(folder=folder)

            def open_it() -> Journal:
                stack.close()
                journal: Journal = _named(self.factory)(url, create=True)
                stack.callback(journal.close)
                return journal

            self._url = url
            yield open_it

    @contextlib.contextmanager
    def _writer(
        self, open_it: Callable[[], Journal]
    ) -> Generator[tuple[subprocess.Popen[str], int]]:
        """Yield a process that writes note after note to a run, and its number."""
        open_it().close()
        code = f"from {__name__} import write; import sys; write(*sys.argv[1:])"
        path = os.pathsep.join(each for each in sys.path if each)
        process = subprocess.Popen(
            [sys.executable, "-c", code, self.factory, self._url],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()
            process.communicate()

    def _until(self, condition: Callable[[], object]) -> None:
        over = time.monotonic() + self.patience
        while not condition():
            assert time.monotonic() < over, f"it has not come in {self.patience:g} s"
            time.sleep(0.01)

    _url = ""


def write(factory: str, url: str) -> None:
    """Open a run, and write notes to it until this process is killed; print each number."""
    journal: Journal = _named(factory)(url, create=True)
    owned = journal.open_run(_new_run())
    os.write(1, f"{owned.number}\n".encode())  # Whatever a buffer has would be lost in the kill.
    seq = 0
    while True:
        seq += 1
        owned.write([_note(seq)])
        os.write(1, f"{seq}\n".encode())


def _named(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _new_run(**changes: Any) -> NewRun:
    values: dict[str, Any] = {
        "uid": str(uuid.uuid4()),
        "action": "upload",
        "plan": '{"steps": []}',
        "params": '{"values": {}, "secrets": {}}',
        "packs": "{}",
        "cwd": "/work",
        "core_version": "0.1.0",
        "opened": "2026-11-25T03:30:00.000Z",
        "project": "/work",
    }
    return NewRun(**{**values, **changes})


def _part_of(whole: OwnedRun, item: int) -> NewRun:
    return _new_run(
        parent=whole.number,
        parent_step="scan",
        parent_attempt=1,
        parent_item=item,
        parent_fence=whole.fence,
    )


def _begun(open_it: Callable[[], Journal]) -> tuple[Journal, OwnedRun]:
    """Return a journal, and its first run, of which one step has begun."""
    journal = open_it()
    first: list[Change] = [_STARTED]
    return journal, journal.open_run(_new_run(), first)


def _note(seq: int, step: str = "scan") -> NoteRow:
    return NoteRow(step=step, n=1, seq=seq, key="made", values=f"[{seq}]")


def _error(function: Callable[[], object]) -> type[BaseException]:
    """Return the class of the error that a function raises."""
    try:
        function()
    except HandrailError as error:
        return type(error)
    raise AssertionError("it raises nothing")


def _two_steps(done: list[str], ready: list[bool]) -> Any:
    """Return an action of which the second step fails while `ready` is empty."""

    @handrail.step
    def make(context: Any) -> None:
        context.record_rollback("made", "made")
        done.append("made")

    @make.rollback
    def unmake(context: Any, result: Any) -> None:
        for each in result.rollback_data["made"]:
            done.remove(each)

    @handrail.step
    def send(context: Any) -> None:
        if not ready:
            raise ConnectionError("the server is not ready")
        done.append("sent")

    return handrail.action("nightly", [make, send])
