"""Connections that break: what was written is known, and the run goes on or is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from journals.places import new_run
from servers.cutting import CuttingLine
from servers.postgres import PostgresServer

from handrail.errors import JournalError, LeaseLostError, RunHeldError
from handrail.journal import NoteRow, RunChange
from handrail_postgres import PostgresJournal, open_journal, reconnecting

SUPPORT = Path(__file__).parents[3] / "tests" / "support"
END_ALL = "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"


def note(seq: int) -> NoteRow:
    return NoteRow(step="scan", n=1, seq=seq, key="made", values="[]")


def written(journal: Any, number: int = 1) -> list[int]:
    return [row.seq for row in journal.read(number).notes]


def execute(url: str, statement: Any) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def opened() -> Iterator[Callable[..., Any]]:
    """A function that opens a journal."""
    journals: list[Any] = []

    def opener(url: str, **options: Any) -> Any:
        journals.append(PostgresJournal(url, **options) if options else open_journal(url))
        return journals[-1]

    yield opener
    for journal in journals:
        journal.close()


def test_it_is_tried_again_ever_more_seldom_and_for_longer_than_a_restart_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From a tenth of a second to some seconds, for more than half a minute."""
    now = [1000.0]
    monkeypatch.setattr(reconnecting.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(reconnecting.random, "uniform", lambda _least, most: most)
    waits = []
    for wait, _left in reconnecting.pauses():
        waits.append(wait)
        now[0] += wait
    assert waits[:7] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert set(waits[6:-1]) == {5.0}
    assert sum(waits) >= 60


@pytest.mark.parametrize("limit", ["idle_session_timeout", "idle_in_transaction_session_timeout"])
def test_a_connection_that_is_idle_for_too_long_is_made_again(
    place: str, opened: Callable[..., Any], limit: str
) -> None:
    """What is written and read after a long step is there."""
    url = f"{place}{'&' if '?' in place else '?'}options=-c%20{limit}%3D100"
    journal = opened(url)
    owned = journal.open_run(new_run(), [note(0)])
    for seq in (1, 2):
        threading.Event().wait(0.4)
        owned.write([note(seq)])
    threading.Event().wait(0.4)
    assert written(journal) == [0, 1, 2]


@pytest.mark.parametrize("first", range(2))
def test_each_answer_to_a_commit_may_be_lost(
    place: str, cutting_line: CuttingLine, opened: Callable[..., Any], first: int
) -> None:
    """Of opening, writing, storing, observing and closing: each is there once."""
    journal = opened(cutting_line.url(place))
    cutting_line.cuts = lambda number: number % 2 == first
    owned = journal.open_run(new_run(), [note(0)])
    for seq in range(1, 6):
        owned.write([note(seq)])
    stored = [owned.store_value("scan-made", "txt", lambda file: file.write(b"1")) for _ in "ab"]
    owned.write([RunChange(outcome="completed")])
    cutting_line.cuts = lambda _number: False
    assert cutting_line.broken >= 3
    assert written(journal) == [0, 1, 2, 3, 4, 5]
    assert [row.outcome for row in journal.runs()] == ["completed"]
    assert len({value["name"] for value in stored}) == 2
    with psycopg.connect(place) as connection:
        assert connection.execute("SELECT count(*) FROM handrail_value").fetchone() == (2,)


def test_what_was_not_committed_is_written_again(
    place: str, cutting_line: CuttingLine, opened: Callable[..., Any]
) -> None:
    """Ended within the transaction, before its commit."""
    owned = opened(cutting_line.url(place)).open_run(new_run())
    session = owned._session
    batch, ends = session.batch, count()

    def broken_batch() -> Any:
        if not next(ends):
            cutting_line.cut()
        return batch()

    session.batch = broken_batch
    owned.write([note(1)])
    owned.write([note(2)])
    assert written(opened(place)) == [1, 2]


def test_a_lost_answer_to_a_claim_is_claimed_again(
    place: str, cutting_line: CuttingLine, opened: Callable[..., Any]
) -> None:
    """The lock of the broken connection is not in the way."""
    opened(place).open_run(new_run()).release()
    journal = opened(cutting_line.url(place))
    claims = count()
    claimed = b"UPDATE 1\0"
    cutting_line.answer, cutting_line.cuts = claimed, lambda _number: not next(claims)
    owned = journal.claim(1)
    owned.write([note(1)])
    assert cutting_line.broken == 1
    assert written(journal) == [1]


def test_the_driver_says_nothing_of_a_connection_that_is_made_again(
    place: str, opened: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Only a server that is away for a while is worth a word."""
    owned = opened(place).open_run(new_run())
    execute(place, END_ALL)
    owned.write([note(1)])
    assert caplog.records == []


def test_a_read_that_is_broken_off_is_read_again(
    place: str, cutting_line: CuttingLine, opened: Callable[..., Any]
) -> None:
    """In the middle, after its snapshot was taken."""
    journal = opened(cutting_line.url(place))
    journal.open_run(new_run(), [note(1)]).release()
    cuts = count()
    # What a statement with one row answers.
    cutting_line.answer, cutting_line.cuts = b"SELECT 1\0", lambda _number: not next(cuts)
    assert written(journal) == [1]
    assert cutting_line.broken == 1


def test_a_run_that_was_taken_over_meanwhile_is_not_touched(
    place: str, cutting_line: CuttingLine, opened: Callable[..., Any]
) -> None:
    """Also where the other process has ended, and where the commit was made before."""
    owned = opened(cutting_line.url(place)).open_run(new_run())
    other = opened(place)
    cutting_line.cuts = lambda _number: other_claims()

    def other_claims() -> bool:
        execute(place, END_ALL)
        other.claim(1).release()
        return True

    with pytest.raises(LeaseLostError, match="was taken over"):
        owned.write([note(1)])
    with pytest.raises(LeaseLostError):
        owned.write([note(2)])
    assert written(other) == [1]


def test_a_renewal_takes_the_lock_again(place: str, opened: Callable[..., Any]) -> None:
    """During a long step, which writes nothing."""
    owned = opened(place, lease=0.4).open_run(new_run())
    other = opened(place)
    execute(place, END_ALL)
    looked = threading.Event()
    for _ in range(200):
        if other.holder(1) is not None:
            break
        looked.wait(0.02)
    with pytest.raises(RunHeldError):
        other.claim(1)
    owned.write([note(1)])
    assert written(other) == [1]


@pytest.mark.slow
def test_a_restart_of_the_server_is_waited_for(
    own_postgres: PostgresServer, opened: Callable[..., Any]
) -> None:
    """All goes on: writing, reading, claiming and opening."""
    journal = opened(own_postgres.database())
    owned = journal.open_run(new_run())
    journal.open_run(new_run()).release()

    def restart() -> threading.Timer:
        own_postgres.process.stop()
        starting = threading.Timer(0.5, own_postgres.process.start)
        starting.start()
        return starting

    for act in (
        lambda: owned.write([note(1)]),
        lambda: journal.claim(2).release(),
        lambda: journal.open_run(new_run()).release(),
        lambda: journal.read(1),
    ):
        starting = restart()
        act()
        starting.join()
    assert written(journal) == [1]
    assert len(journal.runs()) == 3


@pytest.mark.slow
def test_a_server_that_stays_away_ends_the_writing_and_not_the_way_back(
    own_postgres: PostgresServer, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run can be claimed as soon as the server is back."""
    monkeypatch.setattr(reconnecting, "IN_ALL", 0.5)
    url = own_postgres.database()
    owned = opened(url).open_run(new_run(), [note(1)])
    own_postgres.process.stop()
    with pytest.raises(JournalError, match="no answer for") as lost:
        owned.write([note(2)])
    assert not isinstance(lost.value, LeaseLostError)
    own_postgres.process.start()
    with pytest.raises(JournalError, match="no answer for"):
        owned.write([note(3)])
    owned.release()
    again = opened(url).claim(1)
    again.write([note(4)])
    assert written(opened(url)) == [1, 4]


def test_an_older_copy_in_its_place_is_not_written_to(
    place: str, opened: Callable[..., Any]
) -> None:
    """As after a failover to a replica that was behind."""
    owned = opened(place).open_run(new_run())
    owned.write([note(1)])
    execute(place, "DELETE FROM handrail_note")
    execute(place, "UPDATE handrail_run SET heard = heard")
    execute(place, END_ALL)
    with pytest.raises(JournalError, match="an older copy"):
        owned.write([note(2)])


OWN_AND_STOP = """
import os, signal, sys
sys.path[:0] = [sys.argv[2]]
from handrail_postgres import open_journal
from journals.places import new_run

journal = open_journal(sys.argv[1])
owned = journal.open_run(new_run())
print("owned", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_a_process_that_lives_here_without_its_connection_keeps_its_run(
    place: str, opened: Callable[..., Any]
) -> None:
    """It will take the lock again; once it is dead, the run is free at once."""
    words = [sys.executable, "-c", OWN_AND_STOP, place, str(SUPPORT)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "owned\n"
        execute(place, END_ALL)
        journal = opened(place)
        try:
            assert journal.holder(1) is not None
            with pytest.raises(RunHeldError, match="is alive"):
                journal.claim(1)
        finally:
            process.kill()
    assert journal.holder(1) is None
    journal.claim(1).release()


def test_what_other_processes_inherit_stays_the_connection_with_the_lock(
    place: str, opened: Callable[..., Any]
) -> None:
    """Its number is known elsewhere, for processes that begin later."""
    journal = opened(place)
    owned = journal.open_run(new_run())
    descriptor = owned.lock_descriptor
    execute(place, END_ALL)
    owned.write([note(1)])
    assert owned.lock_descriptor == descriptor
    assert os.fstat(descriptor).st_ino == os.fstat(owned._session._connection.fileno()).st_ino


FLOW = """
from handrail import action, step

@step
def count(context):
    for number in range(10**6):
        context.record_rollback("numbers", number)
        if number == 20:
            print("counting", flush=True)

flow = action("count", [count])

if __name__ == "__main__":
    flow.main()
"""


@pytest.mark.slow
def test_an_interrupt_ends_the_wait(own_postgres: PostgresServer, tmp_path: Path) -> None:
    """Long before the server is given up; the way on is printed."""
    (tmp_path / "flow.py").write_text(FLOW)
    environment = {**os.environ, "HANDRAIL_JOURNAL": own_postgres.database()}
    with subprocess.Popen(
        [sys.executable, "flow.py"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "counting\n"
        own_postgres.process.stop()
        for line in process.stderr:
            if "trying again for up to" in line:
                break
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode in (7, 130), said
    assert "handrail resume 1" in said
