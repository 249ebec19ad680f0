"""Journals of older and newer versions."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from journals.places import new_run

from handrail.errors import JournalError
from handrail.journal import FieldChange, RelianceChange, RunChange
from handrail.journal.backend.owner import this_process
from handrail.journal.sqlite import SqliteJournal, schema

OPENED = "2026-11-25T03:30:00.000Z"
NOW = len(schema.MIGRATIONS)
MORE = (*schema.MIGRATIONS, ("ALTER TABLE note ADD COLUMN colour TEXT", "CREATE TABLE more (x)"))
DATABASE = "handrail.journal.sqlite.database.MIGRATIONS"


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


def test_a_run_that_was_written_before_plans_had_a_table_keeps_its_plan(tmp_path: Path) -> None:
    """It is read, claimed and pruned like those beside it."""
    path = tmp_path / "runs.db"
    connection = sqlite3.connect(path, isolation_level=None)
    schema.make_tables(connection, str(path), schema.MIGRATIONS[:1])
    connection.execute(
        "INSERT INTO run (uid, action, plan, params, packs, cwd, core_version, opened, owner,"
        " lease_boot, outcome, closed) VALUES ('u', 'a', 'an old plan', '', '', '', '', ?, ?,"
        " '', 'completed', ?)",
        (OPENED, this_process(lease=0.0).to_json(), OPENED),
    )
    connection.close()
    journal = SqliteJournal(path)
    journal.open_run(new_run(plan="a new plan"), [RunChange(outcome="completed")]).release()
    assert [row.plan for row in journal.runs()] == ["a new plan", "an old plan"]
    assert [journal.read(number).row.plan for number in (1, 2)] == ["an old plan", "a new plan"]
    assert journal.prune(timedelta(days=-1)) == [1, 2]
    with journal._database.reading() as reading:
        assert reading.execute("SELECT count(*) FROM plan").fetchone() == (0,)
    journal.close()


def test_a_run_of_before_is_of_the_project_in_its_folder(tmp_path: Path) -> None:
    """Older versions recorded the working folder only; its time is that since it was opened."""
    path = tmp_path / "runs.db"
    connection = sqlite3.connect(path, isolation_level=None)
    schema.make_tables(connection, str(path), schema.MIGRATIONS[:2])
    closed = "2026-11-25T03:30:02.500Z"
    connection.execute(
        "INSERT INTO run (uid, action, plan, params, packs, cwd, core_version, opened, owner,"
        " lease_boot, outcome, closed) VALUES ('u', 'a', '', '', '', '/photos', '', ?, ?,"
        " '', 'completed', ?)",
        (OPENED, this_process(lock=None, lease=0.0).to_json(), closed),
    )
    connection.close()
    journal = SqliteJournal(path)
    (row,) = journal.runs(project="/photos")
    assert row.spent(closed) == (2.5, 0.0)
    journal.claim(1).release()
    assert journal.read(1).row.worked == 2.5
    journal.close()


def test_runs_of_before_rely_on_nothing(tmp_path: Path) -> None:
    """And can be relied on, and rely on others, from now on."""
    path = tmp_path / "runs.db"
    connection = sqlite3.connect(path, isolation_level=None)
    schema.make_tables(connection, str(path), schema.MIGRATIONS[:3])
    connection.execute(
        "INSERT INTO run (uid, action, plan, params, packs, cwd, core_version, opened, owner,"
        " lease_boot, outcome, closed) VALUES ('old', 'a', '', '', '', '', '', ?, ?, '',"
        " 'completed', ?)",
        (OPENED, this_process(lease=0.0).to_json(), OPENED),
    )
    connection.close()
    journal = SqliteJournal(path)
    assert dict(journal.reliance([1])) == {}
    journal.open_run(new_run(), [RelianceChange(("old",))]).release()
    assert journal.reliance([1, 2])[1].relied_on_by == (2,)
    journal.close()


def test_of_a_run_of_before_nothing_was_undone_by_hand(tmp_path: Path) -> None:
    """And it can be recorded from now on."""
    path = tmp_path / "runs.db"
    connection = sqlite3.connect(path, isolation_level=None)
    schema.make_tables(connection, str(path), schema.MIGRATIONS[:5])
    connection.execute(
        "INSERT INTO run (uid, action, plan, params, packs, cwd, core_version, opened, owner,"
        " lease_boot, outcome, closed) VALUES ('old', 'a', '', '', '', '', '', ?, ?, '',"
        " 'rollback_incomplete', ?)",
        (OPENED, this_process(lease=0.0).to_json(), OPENED),
    )
    connection.close()
    journal = SqliteJournal(path)
    assert journal.read(1).row.by_hand is None
    owned = journal.claim(1)
    owned.write([RunChange(by_hand="[]", outcome="rolled_back")])
    assert journal.read(1).row.by_hand == "[]"
    journal.close()


def test_fields_of_before_are_of_no_step(tmp_path: Path) -> None:
    """They are read as they were, and those of a run that goes on have one from now on."""
    path = tmp_path / "runs.db"
    connection = sqlite3.connect(path, isolation_level=None)
    schema.make_tables(connection, str(path), schema.MIGRATIONS[:5])
    connection.execute(
        "INSERT INTO run (uid, action, plan, params, packs, cwd, core_version, opened, owner,"
        " lease_boot) VALUES ('old', 'a', '', '', '', '', '', ?, ?, '')",
        (OPENED, this_process(lease=0.0).to_json()),
    )
    connection.execute("INSERT INTO field (run, boundary, name, value) VALUES (1, 1, 'x', '1')")
    connection.close()
    journal = SqliteJournal(path)
    journal.claim(1).write([FieldChange(2, "x", "2", "scan")])
    assert [(row.value, row.step) for row in journal.read(1).fields] == [("1", None), ("2", "scan")]
    journal.close()


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
        assert schema.version_of(connection, "it", NOW) == 0
        assert made
        assert schema.version_of(connection, "it", NOW) == NOW
        schema.make_tables(connection, "it", schema.MIGRATIONS)


def test_every_commit_outlives_power_loss_unless_the_url_says_otherwise(path: Path) -> None:
    """And memory is never mapped, rows never hang without their run."""
    for synchronous, code in (("full", 2), ("normal", 1)):
        journal = SqliteJournal(path, synchronous=synchronous)  # type: ignore[arg-type]
        with journal._database.reading() as connection:
            asked = ("synchronous", "mmap_size", "foreign_keys", "journal_mode", "busy_timeout")
            found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in asked]
        assert found == [code, 0, 1, "wal", 10_000]
        journal.close()
