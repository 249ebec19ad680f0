"""Workers on other machines: one at a chunk, none after it was forbidden, notes of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from journals.places import new_run, until

from handrail.errors import JournalError, LeaseLostError
from handrail.journal import AttemptId, ChunkChange, ChunkFences, ChunkSession, Note, OwnedRun
from handrail_postgres import PostgresJournal


@pytest.fixture
def journal(place: str) -> Iterator[PostgresJournal]:
    opened = PostgresJournal(place)
    yield opened
    opened.close()


@pytest.fixture
def worker(journal: PostgresJournal) -> Iterator[Callable[[], ChunkSession]]:
    """A function that connects a worker."""
    sessions: list[ChunkSession] = []

    def connect() -> ChunkSession:
        sessions.append(journal.chunk_session(f"worker {len(sessions)}"))
        return sessions[-1]

    yield connect
    for each in sessions:
        each.close()


@pytest.fixture
def run(journal: PostgresJournal) -> OwnedRun:
    return journal.open_run(new_run(), [chunk(0), chunk(1)])


@pytest.fixture
def fences(journal: PostgresJournal, run: OwnedRun) -> ChunkFences:
    return journal.chunk_fences(run.number)


def chunk(number: int, attempt: int = 1, state: str = "started") -> ChunkChange:
    place = ("scan", 1, number, 0, number * 10, 10)
    return ChunkChange(*place, attempt, state, 7)  # type: ignore[arg-type]


def at(run: OwnedRun, number: int = 0, attempt: int = 1, *, undo: bool = False) -> AttemptId:
    return AttemptId(run.uid, "scan", 1, number, attempt, undo)


def noted(journal: PostgresJournal, run: OwnedRun) -> list[tuple[int, int, str, str]]:
    found = journal.item_notes(run.number, "scan", 1, 0)
    return [(each.attempt, each.item, each.key, each.values) for each in found]


def test_a_worker_records_what_its_items_do(
    journal: PostgresJournal,
    run: OwnedRun,
    fences: ChunkFences,
    worker: Callable[[], ChunkSession],
) -> None:
    """Its notes are those of the run, durable at once, for as long as it is at the chunk."""
    session = worker()
    session.begin(at(run), fences.token())
    session.record([Note(3, "file", ["a", "b"]), Note(4, "file", ["c"])])
    assert noted(journal, run) == [(1, 3, "file", '["a","b"]'), (1, 4, "file", '["c"]')]
    session.end()
    with pytest.raises(LeaseLostError, match="the attempt has ended"):
        session.record([Note(5, "file", ["d"])])
    session.begin(at(run, 1), fences.token())
    session.check()


def test_one_worker_is_at_a_chunk_at_a_time(
    run: OwnedRun, fences: ChunkFences, worker: Callable[[], ChunkSession]
) -> None:
    """A second one waits until the first has ended, whatever becomes of that."""
    first, second = worker(), worker()
    first.begin(at(run), fences.token())
    begun = threading.Event()

    def begin() -> None:
        second.begin(at(run), fences.token())
        begun.set()

    thread = threading.Thread(target=begin, daemon=True)
    thread.start()
    second_waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with psycopg.connect(first._session._connection.info.dsn, autocommit=True) as looking:  # type: ignore[attr-defined]
        until(lambda: looking.execute(second_waits).fetchone() == (1,))
    assert not begun.is_set()
    assert not fences.is_free(at(run))
    assert fences.is_free(at(run, 1))
    first.close()
    assert begun.wait(60)
    thread.join()


def test_a_worker_that_waited_for_a_chunk_sees_what_was_forbidden_meanwhile(
    place: str, run: OwnedRun, fences: ChunkFences, worker: Callable[[], ChunkSession]
) -> None:
    """Also where transactions see what was there when they began, as a database may be set to."""
    with psycopg.connect(place, autocommit=True) as looking:
        level = "SET default_transaction_isolation TO 'repeatable read'"
        looking.execute(f"ALTER DATABASE {looking.info.dbname} {level}".encode())
        first, second = worker(), worker()
        first.begin(at(run), fences.token())
        errors: list[LeaseLostError] = []
        token = fences.token()

        def begin() -> None:
            try:
                second.begin(at(run), token)
            except LeaseLostError as error:
                errors.append(error)

        thread = threading.Thread(target=begin, daemon=True)
        thread.start()
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        until(lambda: looking.execute(waits).fetchone() == (1,))
        fences.forbid(at(run))
        first.close()
        thread.join(60)
        assert [type(each) for each in errors] == [LeaseLostError]
        assert fences.is_free(at(run))


@pytest.mark.parametrize("why", ["forbidden", "claimed", "superseded", "undone", "unknown"])
def test_a_late_worker_does_not_begin(
    journal: PostgresJournal,
    run: OwnedRun,
    fences: ChunkFences,
    worker: Callable[[], ChunkSession],
    why: str,
) -> None:
    """Not after its attempt was given up, and not for a run that another process has claimed."""
    token, attempt = fences.token(), at(run)
    if why == "forbidden":
        fences.forbid(attempt)
    elif why == "claimed":
        run.release()
        journal.claim(run.number)
    elif why == "superseded":
        run.write([chunk(0, attempt=2)])
    elif why == "undone":
        run.write([chunk(0, state="undone")])
    else:
        attempt = at(run, 7)
    session = worker()
    with pytest.raises(LeaseLostError, match="is not the current one"):
        session.begin(attempt, token)
    assert fences.is_free(attempt)


def test_a_forbidden_chunk_can_be_undone_and_tried_again(
    run: OwnedRun, fences: ChunkFences, worker: Callable[[], ChunkSession]
) -> None:
    """What is submitted after it was forbidden may begin."""
    fences.forbid(at(run))
    session = worker()
    session.begin(at(run, undo=True), fences.token())
    session.end()
    run.write([chunk(0, state="undone"), chunk(0, attempt=2)])
    session.begin(at(run, attempt=2), fences.token())


@pytest.mark.parametrize("how", ["forbidden", "claimed", "expelled"])
def test_a_worker_that_goes_on_notices_and_writes_no_more(
    journal: PostgresJournal,
    run: OwnedRun,
    fences: ChunkFences,
    worker: Callable[[], ChunkSession],
    how: str,
) -> None:
    """Its next sign of life and its next note fail, and nothing of them is written."""
    session = worker()
    session.begin(at(run), fences.token())
    session.record([Note(0, "file", ["a"])])
    if how == "forbidden":
        fences.forbid(at(run))
    elif how == "claimed":
        run.release()
        journal.claim(run.number)
    else:
        fences.expel(at(run))
        assert fences.is_free(at(run))
    with pytest.raises(JournalError):
        session.record([Note(1, "file", ["b"])])
    with pytest.raises(JournalError):
        session.check()
    assert noted(journal, run) == [(1, 0, "file", '["a"]')]


def test_the_owner_sees_who_is_at_which_chunk(
    run: OwnedRun, fences: ChunkFences, worker: Callable[[], ChunkSession]
) -> None:
    """By what the worker called itself, with the time since it was last heard of."""
    first, second = worker(), worker()
    first.begin(at(run), fences.token())
    second.begin(at(run, 1), fences.token())
    both = [at(run), at(run, 1), at(run, 2)]
    found = fences.holders(both)
    assert {each.chunk: found[each].label for each in found} == {0: "worker 0", 1: "worker 1"}
    until(lambda: fences.holders(both)[at(run)].silent > 0.2)
    first.check()
    heard = fences.holders(both)
    assert heard[at(run)].silent < heard[at(run, 1)].silent
