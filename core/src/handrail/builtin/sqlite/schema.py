"""The SQLite dialect, its statements, and the tables of a journal with their migrations."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from handrail.builtin.sqlite.kit.kinds import ATTEMPT
from handrail.builtin.sqlite.kit.statements import Dialect, Statements, marks
from handrail.builtin.sqlite.kit.tables import Migrations, migrate, refuse_newer, tables_of
from handrail.errors import JournalError


def _between(first: str, last: str) -> str:
    # julianday() is accurate to about 40 us, and the times to 1 ms.
    return f"max(0.0, round((julianday({last}) - julianday({first})) * 86400.0, 3))"


DIALECT = Dialect(
    now="strftime('%Y-%m-%dT%H:%M:%fZ')",  # Constant within a statement.
    at="?",
    before="strftime('%Y-%m-%dT%H:%M:%fZ', 'now', -CAST(? AS REAL) || ' seconds')",
    between=_between,
    least="min",
    greatest="max",
    bytewise="COLLATE BINARY",
    lease={"lease_boot": ":boot", "lease_until": ":until"},
    lease_of_closed="NULL",
    lease_columns={"lease_boot": "TEXT NOT NULL", "lease_until": "REAL"},
    integer="INTEGER",
    real="REAL",
    id="INTEGER PRIMARY KEY",
    run_id="INTEGER PRIMARY KEY AUTOINCREMENT",
    strict=" STRICT",
    keyed=" STRICT, WITHOUT ROWID",
)
SQL = Statements(DIALECT)
OWNER = "SELECT fence, owner, lease_boot, lease_until FROM run WHERE id = ?"


def _attempts_of_open_run(count: int) -> str:
    width = len(ATTEMPT.written)
    rows = ", ".join([f"({marks(width)})"] * count)
    columns = ", ".join(f"column{number + 1}" for number in range(width))
    return f"""
        {SQL.attempts_into} SELECT {columns}, ? FROM run, (VALUES {rows})
        WHERE id = ? AND fence = ? AND outcome IS NULL {SQL.same_attempt}
    """


# A whole commit in one statement, by the number of values: the end of a step and the start of the
# next. Parameters are the time, the rows, and the id and fence of the run; it changes all rows or
# none.
ATTEMPTS_OF_OPEN_RUN = {
    len(ATTEMPT.written) * count: _attempts_of_open_run(count) for count in (1, 2)
}


# "Hrjl": identifies a journal among the SQLite files of other programs.
APPLICATION = 0x48726A6C

MIGRATIONS: Migrations = (tables_of(DIALECT),)


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
