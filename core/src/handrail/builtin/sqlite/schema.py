"""The tables of an SQLite journal, and their migrations."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from handrail.builtin.sqlite.kit.tables import Migrations, migrate, refuse_newer, tables_of
from handrail.builtin.sqlite.statements import DIALECT
from handrail.errors import JournalError

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
