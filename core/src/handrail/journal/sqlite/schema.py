"""The tables of an SQLite journal, and their migrations."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from handrail.errors import JournalError
from handrail.journal.backend.migrations import Migrations, migrate, refuse_newer

# "Hrjl": identifies a journal among the SQLite files of other programs.
APPLICATION = 0x48726A6C


def _one_of(column: str, *values: str) -> str:
    # For `IN` with more than two values, SQLite builds a table at each write.
    return " OR ".join(f"{column} = '{value}'" for value in values)


_OUTCOME = _one_of(
    "outcome", "completed", "rolled_back", "rollback_incomplete", "failed", "interrupted"
)
_STATE = _one_of("state", "started", "done", "skipped", "failed", "undone", "undo_failed")

# Columns read at every write come first: SQLite reads a row up to the last column requested.
_FIRST = (
    f"""
    CREATE TABLE run (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        uid TEXT NOT NULL UNIQUE,
        fence INTEGER NOT NULL DEFAULT 1,
        outcome TEXT CHECK ({_OUTCOME}),
        direction TEXT NOT NULL DEFAULT 'forward' CHECK ({_one_of("direction", "forward", "undo")}),
        lease_boot TEXT NOT NULL,
        lease_until REAL,
        opened TEXT NOT NULL,
        closed TEXT,
        sealed TEXT,
        owner TEXT NOT NULL,
        core_version TEXT NOT NULL,
        action TEXT NOT NULL,
        cwd TEXT NOT NULL,
        packs TEXT NOT NULL,
        params TEXT NOT NULL,
        plan TEXT NOT NULL
    ) STRICT
    """,
    f"""
    CREATE TABLE attempt (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
        step TEXT NOT NULL,
        n INTEGER NOT NULL,
        state TEXT NOT NULL CHECK ({_STATE}),
        data_version INTEGER NOT NULL,
        result TEXT,
        error TEXT,
        at TEXT NOT NULL,
        UNIQUE (run, step, n)
    ) STRICT
    """,
    """
    CREATE TABLE note (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
        step TEXT NOT NULL,
        n INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        key TEXT NOT NULL,
        "values" TEXT NOT NULL,
        UNIQUE (run, step, n, seq)
    ) STRICT
    """,
    """
    CREATE TABLE field (
        run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
        boundary INTEGER NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (run, boundary, name)
    ) STRICT, WITHOUT ROWID
    """,
)

# The plan of a long run takes megabytes, which each claim and renewal would write again. From this
# version on it has its own table, and is empty in `run`.
_PLANS = (
    """
    CREATE TABLE plan (
        run INTEGER PRIMARY KEY REFERENCES run ON DELETE CASCADE,
        plan TEXT NOT NULL
    ) STRICT
    """,
)

# The project, and the working time: forward until `turned`, undoing since. `worked` and `undid` sum
# up earlier owners; the time of the current one began at `claimed`. Older runs are assigned to the
# project in their working folder.
_PROJECTS = (
    "ALTER TABLE run ADD COLUMN project TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE run ADD COLUMN claimed TEXT",
    "ALTER TABLE run ADD COLUMN turned TEXT",
    "ALTER TABLE run ADD COLUMN heard TEXT",
    "ALTER TABLE run ADD COLUMN worked REAL NOT NULL DEFAULT 0.0",
    "ALTER TABLE run ADD COLUMN undid REAL NOT NULL DEFAULT 0.0",
    "UPDATE run SET project = cwd",
)

# Which run relies on what others made; those may be in other journals.
_RELIANCE = (
    """
    CREATE TABLE reliance (
        run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
        uid TEXT NOT NULL,
        PRIMARY KEY (run, uid)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX reliance_uid ON reliance (uid)",
)

# Older rows have no checksum, and are not checked.
_CHECKSUMS = (
    "ALTER TABLE run ADD COLUMN crc INTEGER",
    "ALTER TABLE run ADD COLUMN plan_crc INTEGER",
    "ALTER TABLE attempt ADD COLUMN crc INTEGER",
    "ALTER TABLE note ADD COLUMN crc INTEGER",
    "ALTER TABLE field ADD COLUMN crc INTEGER",
)

# How many rows a run has, written when it ends.
_COUNTS = ("ALTER TABLE run ADD COLUMN counts TEXT",)

# What people undid by hand, as a JSON list.
_BY_HAND = ("ALTER TABLE run ADD COLUMN by_hand TEXT",)

# In runs with groups, whose steps do not end in the order of the plan, the step that had ended. An
# older version must not open these: it would take what lies before the last step for skipped.
_LANES = ("ALTER TABLE field ADD COLUMN step TEXT",)

# The items of steps. Those of each chunk are in a row of their own, and may be read alone.
_ITEMS = (
    f"""
    CREATE TABLE chunk (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
        step TEXT NOT NULL,
        n INTEGER NOT NULL,
        number INTEGER NOT NULL,
        part INTEGER NOT NULL,
        "first" INTEGER NOT NULL,
        size INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        state TEXT NOT NULL
            CHECK ({_one_of("state", "started", "done", "failed", "undone", "undo_failed")}),
        failed INTEGER NOT NULL,
        digest INTEGER NOT NULL,
        head TEXT,
        error TEXT,
        at TEXT NOT NULL,
        crc INTEGER NOT NULL,
        outcome_crc INTEGER NOT NULL,
        errors TEXT,
        results TEXT,
        items TEXT,
        UNIQUE (run, step, n, number)
    ) STRICT
    """,
    """
    CREATE TABLE item_note (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
        step TEXT NOT NULL,
        n INTEGER NOT NULL,
        number INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        item INTEGER NOT NULL,
        key TEXT NOT NULL,
        "values" TEXT NOT NULL,
        crc INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX item_note_of_chunk ON item_note (run, step, n, number)",
)

# What steps say and show, for people to look at; and when an attempt began and ended, which later
# states would overwrite.
_OBSERVATIONS = (
    f"""
    CREATE TABLE observation (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
        step TEXT NOT NULL,
        n INTEGER NOT NULL,
        kind TEXT NOT NULL CHECK ({_one_of("kind", "attachment", "log", "metric", "progress")}),
        name TEXT NOT NULL,
        part INTEGER NOT NULL,
        at TEXT NOT NULL,
        crc INTEGER NOT NULL,
        value TEXT NOT NULL,
        UNIQUE (run, step, n, kind, name, part)
    ) STRICT
    """,
    "ALTER TABLE attempt ADD COLUMN began TEXT",
    "ALTER TABLE attempt ADD COLUMN ended TEXT",
    "ALTER TABLE chunk ADD COLUMN began TEXT",
)

# Each only adds, so a journal of an older Handrail keeps all its data.
MIGRATIONS: Migrations = (
    _FIRST,
    _PLANS,
    _PROJECTS,
    _RELIANCE,
    _CHECKSUMS,
    _COUNTS,
    _BY_HAND,
    _LANES,
    _ITEMS,
    _OBSERVATIONS,
)


def make_tables(connection: sqlite3.Connection, shown: str, migrations: Migrations) -> None:
    """Create or migrate the tables, in one commit.

    Raises:
        JournalError: The tables are newer, or belong to another program.
    """
    migrate(
        migrations,
        version=lambda: version_of(connection, shown, len(migrations)),
        alone=lambda: _alone(connection),
        stamp="PRAGMA user_version = {}",
    )


def version_of(connection: sqlite3.Connection, shown: str, known: int) -> int:
    """Return the version of the tables, 0 if there are none.

    Raises:
        JournalError: The version is greater than `known`, or the tables belong to another program.
    """
    application, version, tables = _read(connection)
    if application != APPLICATION and (application or version or tables):
        raise JournalError(
            f"{shown} is a database of another program, not a journal",
            ways_out=("name another file: --journal PATH",),
        )
    ways_out = ("pip install --upgrade handrail", "or another file: --journal PATH")
    refuse_newer(shown, version, known, by="Handrail", ways_out=ways_out)
    return version


@contextmanager
def _alone(connection: sqlite3.Connection) -> Generator[sqlite3.Connection, None, None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _read(connection: sqlite3.Connection) -> list[int]:
    """Return the application id, the version and the number of the tables."""
    # In one transaction, so that a migration by another process is seen as a whole or not at all.
    begun = not connection.in_transaction
    if begun:
        connection.execute("BEGIN")
    try:
        statements = (
            "PRAGMA application_id",
            "PRAGMA user_version",
            "SELECT count(*) FROM sqlite_master",
        )
        return [connection.execute(each).fetchone()[0] for each in statements]
    finally:
        if begun and connection.in_transaction:
            connection.execute("ROLLBACK")
