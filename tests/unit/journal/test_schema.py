"""Journals of older and newer versions."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from journals.places import new_run

from handrail.builtin.sqlite import database
from handrail.errors import JournalError
from handrail.sqlite import SqliteJournal

NOW = len(database.MIGRATIONS)
MORE = (*database.MIGRATIONS, ("ALTER TABLE note ADD COLUMN colour TEXT", "CREATE TABLE more (x)"))
DATABASE = "handrail.builtin.sqlite.database.MIGRATIONS"


def columns(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    found = [row[1] for row in connection.execute("PRAGMA table_info(note)")]
    connection.close()
    return found


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(found)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of today with one run."""
    path = tmp_path / "runs.db"
    journal = SqliteJournal(path)
    journal.open_run(new_run())
    journal.close()
    return path


def test_an_older_journal_is_brought_up_to_date(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runs stay, and what is new is added."""
    monkeypatch.setattr(DATABASE, MORE)
    journal = SqliteJournal(path)
    assert [row.number for row in journal.runs()] == [1]
    journal.close()
    assert (version(path), columns(path)[-1]) == (NOW + 1, "colour")


def test_a_run_in_a_journal_from_before_requests_to_stop_can_be_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner asks for them at each renewal."""
    path = tmp_path / "runs.db"
    with monkeypatch.context() as before:
        before.setattr(DATABASE, database.MIGRATIONS[:1])
        SqliteJournal(path).close()
    with closing(sqlite3.connect(path)) as connection:
        assert not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'stop'").fetchall()
    with closing(SqliteJournal(path)) as journal:
        journal.open_run(new_run())
        journal.request_stop(1)


def test_a_migration_that_fails_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it is one commit."""
    before = columns(path)
    monkeypatch.setattr(DATABASE, (*MORE, ("CREATE TABLE more (x)",)))
    with pytest.raises(JournalError, match="table more already exists"):
        SqliteJournal(path)
    assert (version(path), columns(path)) == (NOW, before)


def test_a_newer_journal_is_refused_with_the_way_to_upgrade(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is left as it was."""
    with monkeypatch.context() as later:
        later.setattr(DATABASE, MORE)
        SqliteJournal(path).close()
    with pytest.raises(
        JournalError, match=f"it has format {NOW + 1}, and this one knows {NOW}"
    ) as refused:
        SqliteJournal(path)
    assert "pip install --upgrade handrail" in refused.value.ways_out
    assert version(path) == NOW + 1


def test_a_file_that_many_make_at_once_is_made_once(tmp_path: Path) -> None:
    """Each of them has it open in the end, and can write."""
    path = tmp_path / "deep" / "runs.db"

    def work(_number: int) -> int:
        journal = SqliteJournal(path)
        owned = journal.open_run(new_run())
        journal.close()
        return owned.number

    with ThreadPoolExecutor(8) as pool:
        numbers = sorted(pool.map(work, range(16)))
    assert numbers == list(range(1, 17))


def test_tables_that_another_process_makes_meanwhile_are_none_of_another_program(
    tmp_path: Path,
) -> None:
    """Whoever looks sees all of them, or none."""
    path = tmp_path / "runs.db"

    class Slow(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "PRAGMA user_version" and not made:
                made.append(SqliteJournal(path).close())
            return super().execute(sql, *values)

    made: list[None] = []
    with closing(sqlite3.connect(path, isolation_level=None, factory=Slow)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        assert database.version_of(connection, "it", NOW) == 0
        assert made
        assert database.version_of(connection, "it", NOW) == NOW
        database.make_tables(connection, "it", database.MIGRATIONS)


def test_every_commit_outlives_power_loss_unless_the_url_says_otherwise(path: Path) -> None:
    """And memory is never mapped, rows never hang without their run."""
    for synchronous, code in (("full", 2), ("normal", 1)):
        journal = SqliteJournal(path, synchronous=synchronous)  # type: ignore[arg-type]
        with journal._database.reading() as connection:
            asked = ("synchronous", "mmap_size", "foreign_keys", "journal_mode", "busy_timeout")
            found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in asked]
        assert found == [code, 0, 1, "wal", 10_000]
        journal.close()
