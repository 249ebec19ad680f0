"""The tables of a PostgreSQL journal, and their migrations."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from handrail.journal.backend import Migrations, migrate, refuse_newer

if TYPE_CHECKING:
    from handrail.journal.backend import Connection
    from handrail_postgres.session import Session

# Advisory lock ("Hrjl") under which one process creates the tables while others wait.
_MAKING = 0x48726A6C

_FIRST = (
    "CREATE TABLE handrail_schema (version integer NOT NULL)",
    """
    CREATE TABLE handrail_run (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        uid text NOT NULL UNIQUE,
        action text NOT NULL,
        plan text NOT NULL,
        params text NOT NULL,
        packs text NOT NULL,
        cwd text NOT NULL,
        core_version text NOT NULL,
        direction text NOT NULL DEFAULT 'forward' CHECK (direction IN ('forward', 'undo')),
        sealed text,
        outcome text CHECK (
            outcome IN ('completed', 'rolled_back', 'rollback_incomplete', 'failed', 'interrupted')
        ),
        fence bigint NOT NULL DEFAULT 1,
        owner text NOT NULL,
        lease_until timestamptz,
        opened text COLLATE "C" NOT NULL,
        closed text COLLATE "C"
    )
    """,
    """
    CREATE TABLE handrail_attempt (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run bigint NOT NULL REFERENCES handrail_run ON DELETE CASCADE,
        step text NOT NULL,
        n bigint NOT NULL,
        state text NOT NULL CHECK (
            state IN ('started', 'done', 'skipped', 'failed', 'undone', 'undo_failed')
        ),
        data_version bigint NOT NULL,
        result text,
        error text,
        at text NOT NULL,
        UNIQUE (run, step, n)
    )
    """,
    """
    CREATE TABLE handrail_note (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run bigint NOT NULL REFERENCES handrail_run ON DELETE CASCADE,
        step text NOT NULL,
        n bigint NOT NULL,
        seq bigint NOT NULL,
        key text NOT NULL,
        "values" text NOT NULL,
        UNIQUE (run, step, n, seq)
    )
    """,
    """
    CREATE TABLE handrail_field (
        run bigint NOT NULL REFERENCES handrail_run ON DELETE CASCADE,
        boundary bigint NOT NULL,
        name text NOT NULL,
        value text NOT NULL,
        PRIMARY KEY (run, boundary, name)
    )
    """,
    "INSERT INTO handrail_schema VALUES (0)",
)

# The project, and the working time: forward until `turned`, undoing since. `worked` and `undid` sum
# up earlier owners; the time of the current one began at `claimed`. Older runs are assigned to the
# project in their working folder.
_PROJECTS = (
    """
    ALTER TABLE handrail_run
        ADD COLUMN project text NOT NULL DEFAULT '',
        ADD COLUMN claimed text COLLATE "C",
        ADD COLUMN turned text COLLATE "C",
        ADD COLUMN heard text COLLATE "C",
        ADD COLUMN worked float8 NOT NULL DEFAULT 0.0,
        ADD COLUMN undid float8 NOT NULL DEFAULT 0.0
    """,
    "UPDATE handrail_run SET project = cwd",
)

# Which run relies on what others made; those may be in other journals.
_RELIANCE = (
    """
    CREATE TABLE handrail_reliance (
        run bigint NOT NULL REFERENCES handrail_run ON DELETE CASCADE,
        uid text NOT NULL,
        PRIMARY KEY (run, uid)
    )
    """,
    "CREATE INDEX handrail_reliance_uid ON handrail_reliance (uid)",
)

# Older rows have no checksum, and are not checked.
_CHECKSUMS = (
    "ALTER TABLE handrail_run ADD COLUMN crc bigint, ADD COLUMN plan_crc bigint",
    "ALTER TABLE handrail_attempt ADD COLUMN crc bigint",
    "ALTER TABLE handrail_note ADD COLUMN crc bigint",
    "ALTER TABLE handrail_field ADD COLUMN crc bigint",
)

# Values of results that JSON lacks. Most are compressed already.
_VALUES = (
    """
    CREATE TABLE handrail_value (
        run bigint NOT NULL REFERENCES handrail_run ON DELETE CASCADE,
        name text NOT NULL,
        content bytea NOT NULL,
        PRIMARY KEY (run, name)
    )
    """,
    "ALTER TABLE handrail_value ALTER COLUMN content SET STORAGE EXTERNAL",
)

# How many rows a run has, written when it ends.
_COUNTS = ("ALTER TABLE handrail_run ADD COLUMN counts text",)

# What people undid by hand, as a JSON list.
_BY_HAND = ("ALTER TABLE handrail_run ADD COLUMN by_hand text",)

# In runs with groups, whose steps do not end in the order of the plan, the step that had ended. An
# older version must not open these: it would take what lies before the last step for skipped.
_LANES = ("ALTER TABLE handrail_field ADD COLUMN step text",)

# The items of steps. A worker may not begin or write any more with a token up to `fenced`.
_ITEMS = (
    """
    CREATE TABLE handrail_chunk (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run bigint NOT NULL REFERENCES handrail_run ON DELETE CASCADE,
        step text NOT NULL,
        n bigint NOT NULL,
        number bigint NOT NULL,
        part bigint NOT NULL,
        "first" bigint NOT NULL,
        size bigint NOT NULL,
        attempt bigint NOT NULL,
        state text NOT NULL CHECK (
            state IN ('started', 'done', 'failed', 'undone', 'undo_failed')
        ),
        failed bigint NOT NULL,
        digest bigint NOT NULL,
        head text,
        items text,
        results text,
        errors text,
        error text,
        at text NOT NULL,
        crc bigint NOT NULL,
        outcome_crc bigint NOT NULL,
        fenced bigint NOT NULL DEFAULT 0,
        UNIQUE (run, step, n, number)
    )
    """,
    """
    CREATE TABLE handrail_item_note (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run bigint NOT NULL REFERENCES handrail_run ON DELETE CASCADE,
        step text NOT NULL,
        n bigint NOT NULL,
        number bigint NOT NULL,
        attempt bigint NOT NULL,
        item bigint NOT NULL,
        key text NOT NULL,
        "values" text NOT NULL,
        crc bigint NOT NULL
    )
    """,
    "CREATE INDEX handrail_item_note_of_chunk ON handrail_item_note (run, step, n, number)",
    # Each commit writes the row of its run again. A page that is half full is cleaned for that; one
    # that lacks room for one more row only is not, and the table would grow by a row a commit.
    "ALTER TABLE handrail_run SET (fillfactor = 50)",
)

# What steps say and show, for people to look at; and when an attempt began and ended, which later
# states would overwrite.
_OBSERVATIONS = (
    """
    CREATE TABLE handrail_observation (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run bigint NOT NULL REFERENCES handrail_run ON DELETE CASCADE,
        step text NOT NULL,
        n bigint NOT NULL,
        kind text NOT NULL CHECK (kind IN ('attachment', 'log', 'metric', 'progress')),
        name text NOT NULL,
        part bigint NOT NULL,
        value text NOT NULL,
        at text NOT NULL,
        crc bigint NOT NULL,
        UNIQUE (run, step, n, kind, name, part)
    )
    """,
    "ALTER TABLE handrail_attempt ADD COLUMN began text, ADD COLUMN ended text",
    "ALTER TABLE handrail_chunk ADD COLUMN began text",
)

# Each only adds, so a journal of an older pack keeps all its data.
MIGRATIONS: Migrations = (
    _FIRST,
    _PROJECTS,
    _RELIANCE,
    _CHECKSUMS,
    _VALUES,
    _COUNTS,
    _BY_HAND,
    _LANES,
    _ITEMS,
    _OBSERVATIONS,
)


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
