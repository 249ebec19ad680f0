"""The tables of a PostgreSQL journal, and their migrations."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from handrail.sqlite import Migrations, migrate, refuse_newer, tables_of
from handrail_postgres.statements import DIALECT

if TYPE_CHECKING:
    from handrail.sqlite import Connection
    from handrail_postgres.session import Session

# Advisory lock ("Hrjl") under which one process creates the tables while others wait.
_MAKING = 0x48726A6C

# Most values are compressed already. A worker may not begin or write at a chunk any more with a
# token up to `fenced`. Each commit writes the row of its run again: a page that is half full is
# cleaned for that; one that lacks room for one more row only is not, and the table would grow by a
# row a commit.
_OF_POSTGRES = (
    """
    CREATE TABLE handrail_value (
        run bigint NOT NULL REFERENCES handrail_run ON DELETE CASCADE,
        name text NOT NULL,
        content bytea NOT NULL,
        PRIMARY KEY (run, name)
    )
    """,
    "ALTER TABLE handrail_value ALTER COLUMN content SET STORAGE EXTERNAL",
    "ALTER TABLE handrail_chunk ADD COLUMN fenced bigint NOT NULL DEFAULT 0",
    "ALTER TABLE handrail_run SET (fillfactor = 50)",
    "CREATE TABLE handrail_schema (version integer NOT NULL)",
    "INSERT INTO handrail_schema VALUES (0)",
)
_FIRST, *_LATER = tables_of(DIALECT)
MIGRATIONS: Migrations = ((*_FIRST, *_OF_POSTGRES), *_LATER)


def make_tables(session: Session, migrations: Migrations) -> None:
    """Create or migrate the tables in the first schema of the search path.

    Raises:
        JournalError: The tables are newer, or cannot be created.
    """
    with session.using() as connection:
        migrate(
            migrations,
            version=lambda: version_of(connection, session.shown, len(migrations)),
            alone=lambda: _alone(session),
            stamp="UPDATE handrail_schema SET version = {}",
        )


def version_of(connection: Connection, shown: str, known: int) -> int:
    """Return the version of the tables, 0 if there are none.

    Raises:
        JournalError: The version is greater than `known`.
    """
    found = connection.execute("SELECT to_regclass('handrail_schema') IS NOT NULL").fetchone()
    if found != (True,):
        return 0
    row = connection.execute("SELECT version FROM handrail_schema").fetchone()
    version = 0 if row is None else int(row[0])
    ways_out = ("pip install --upgrade handrail-postgres",)
    refuse_newer(f"the journal {shown}", version, known, by="handrail-postgres", ways_out=ways_out)
    return version


@contextmanager
def _alone(session: Session) -> Generator[Connection, None, None]:
    with session.transaction() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
        yield connection
