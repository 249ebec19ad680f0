"""What is special to PostgreSQL: sessions that end, tables, rights, and URLs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from journals.places import new_run

from handrail.errors import JournalError, JournalUrlError, LeaseLostError, RunHeldError
from handrail.journal import Journal, NoteRow
from handrail.journal.opening import open_journal as open_any
from handrail_postgres import PostgresJournal, open_journal, schema

MORE = (*schema.MIGRATIONS, ("ALTER TABLE handrail_note ADD COLUMN colour text",))
MIGRATIONS = "handrail_postgres.journal.MIGRATIONS"
END_ALL = "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"


def note(seq: int) -> NoteRow:
    return NoteRow(step="scan", n=1, seq=seq, key="made", values="[]")


def ask(url: str, statement: Any) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


@pytest.fixture
def opened() -> Iterator[Callable[..., Journal]]:
    """A function that opens a journal."""
    journals: list[Journal] = []

    def opener(url: str) -> Journal:
        journals.append(open_journal(url))
        return journals[-1]

    yield opener
    for each in journals:
        each.close()


def test_a_lost_connection_is_made_anew_with_its_lock(
    place: str, opened: Callable[..., Journal]
) -> None:
    """Nobody else has claimed the run: writing goes on, and nobody can claim it."""
    journal = opened(place)
    owned = journal.open_run(new_run(), [note(1)])
    ask(place, END_ALL)
    owned.write([note(2)])
    assert journal.holder(1) is not None
    with pytest.raises(RunHeldError):
        opened(place).claim(1)
    assert [each.seq for each in journal.read(1).notes] == [1, 2]
    owned.release()
    assert journal.holder(1) is None


def test_a_lost_connection_of_a_run_that_somebody_claimed_is_a_lost_lease(
    place: str, opened: Callable[..., Journal]
) -> None:
    """Whoever had it learns who has it now."""
    mine, other = opened(place), opened(place)
    owned = mine.open_run(new_run())
    ask(place, END_ALL)
    other.claim(1)
    with pytest.raises(LeaseLostError, match="was taken over by pid"):
        owned.write([note(1)])


def test_reading_goes_on_after_a_lost_connection(
    place: str, opened: Callable[..., Journal]
) -> None:
    """Nothing hangs on the connection that reads."""
    journal = opened(place)
    ask(
        place,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = 'handrail'",
    )
    assert journal.runs() == []


def test_an_older_journal_is_brought_up_to_date_and_a_newer_one_refused(
    place: str, opened: Callable[..., Journal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runs stay."""
    opened(place).open_run(new_run())
    with monkeypatch.context() as later:
        later.setattr(MIGRATIONS, MORE)
        assert [row.number for row in opened(place).runs()] == [1]
    assert ask(place, "SELECT version FROM handrail_schema") == [(len(MORE),)]
    assert ask(place, "SELECT colour FROM handrail_note") == []
    newer = f"has format {len(MORE)}, and this one knows {len(schema.MIGRATIONS)}"
    with pytest.raises(JournalError, match=newer) as refused:
        opened(place)
    assert any("--upgrade" in way for way in refused.value.ways_out)


def test_each_schema_is_a_journal_of_its_own(place: str, opened: Callable[..., Journal]) -> None:
    """Numbers, rows and locks: run 1 of one is not run 1 of the other."""
    for name in ("red", "blue"):
        ask(place, f"CREATE SCHEMA {name}")
    journals = [opened(f"{place}?options=-csearch_path%3D{name}") for name in ("red", "blue")]
    assert [journal.open_run(new_run()).number for journal in journals] == [1, 1]
    assert journals[0].read(1).uid != journals[1].read(1).uid
    assert "search_path" not in journals[0].shown


def test_a_user_who_may_not_make_tables_is_told(place: str, opened: Callable[..., Journal]) -> None:
    """With the way out, and nothing was made."""
    ask(place, "CREATE SCHEMA closed")
    ask(place, "DROP ROLE IF EXISTS acme_guest")
    ask(place, "CREATE ROLE acme_guest LOGIN")
    guest = place.replace("postgres@", "acme_guest@")
    with pytest.raises(JournalError, match="permission denied") as refused:
        opened(guest)
    assert any("use another schema" in way for way in refused.value.ways_out)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda url: f"{url}x", "does not exist"),
        (lambda _url: "postgresql://postgres@127.0.0.1:1/acme", "connection"),
    ],
)
def test_a_database_that_is_not_there_is_told(
    place: str, change: Callable[[str], str], message: str
) -> None:
    """With what to try."""
    with pytest.raises(JournalError, match=message) as refused:
        open_journal(change(place))
    assert refused.value.ways_out


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    """By the pack, too: it can be called without the core."""
    with pytest.raises(JournalUrlError, match="has a password in it") as refused:
        PostgresJournal("postgresql://ada:s3cret@127.0.0.1/acme")
    assert "s3cret" not in str(refused.value.to_dict())


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_the_entry_points_lead_here(scheme: str, place: str) -> None:
    """As the core finds them."""
    from importlib.metadata import entry_points

    def find(name: str) -> Any:
        (found,) = entry_points(group="handrail.journals", name=name)
        return found.load()

    url = place.replace("postgresql", scheme)
    journal = open_any(url, default="", find=find)
    assert journal.shown == url
    journal.close()


def test_a_commit_is_durable_where_the_server_would_not_wait(
    place: str, opened: Callable[..., Journal]
) -> None:
    """`synchronous_commit = off` is for others."""
    database = place.rpartition("/")[2]
    ask(place, f"ALTER DATABASE {database} SET synchronous_commit = off")
    journal: Any = opened(place)
    with journal._session.using() as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_the_table_of_runs_does_not_grow_with_commits(
    place: str, opened: Callable[..., Journal]
) -> None:
    """Each writes the row of its run anew; the earlier ones make room, whatever its size."""
    journal = opened(place)
    for more in range(300, 1200, 100):
        params = json.dumps({"values": {"text": "x" * more}, "secrets": {}})
        owned = journal.open_run(new_run(params=params))
        for seq in range(40):
            owned.write([note(seq)])
    ((pages,),) = ask(place, "SELECT pg_relation_size('handrail_run') / 8192")
    assert pages <= 9
