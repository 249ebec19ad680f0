"""The tables of a journal, which are the same in every SQL database, and their migrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from handrail.errors import JournalError

if TYPE_CHECKING:
    from handrail.builtin.sqlite.kit.changes import Connection
    from handrail.builtin.sqlite.kit.statements import Dialect

Migrations = Sequence[Sequence[str]]
"""The statements that migrate each version to the next; they only add."""


def _one_of(column: str, *values: str) -> str:
    # For `IN` with more than two values, SQLite builds a table at each write.
    return " OR ".join(f"{column} = '{value}'" for value in values)


_OUTCOME = _one_of(
    "outcome", "completed", "rolled_back", "rollback_incomplete", "failed", "interrupted"
)
_STATE = _one_of("state", "started", "done", "skipped", "failed", "undone", "undo_failed")
_CHUNK_STATE = _one_of("state", "started", "done", "failed", "undone", "undo_failed")

# Columns read at every write come first: SQLite reads a row up to the last column requested. The
# plan of a long run takes megabytes, which each claim and renewal would write again in its row.
# The working time is forward until `turned`, undoing since; `worked` and `undid` sum up earlier
# owners, and the time of the current one began at `claimed`.
_RUNS = (
    f"""
    CREATE TABLE {{prefix}}run (
        id {{run_id}},
        uid TEXT NOT NULL UNIQUE,
        fence {{integer}} NOT NULL DEFAULT 1,
        outcome TEXT CHECK ({_OUTCOME}),
        direction TEXT NOT NULL DEFAULT 'forward' CHECK ({_one_of("direction", "forward", "undo")}),
        {{lease}},
        opened {{time}} NOT NULL,
        closed {{time}},
        claimed {{time}} NOT NULL,
        turned {{time}},
        heard {{time}},
        worked {{real}} NOT NULL DEFAULT 0.0,
        undid {{real}} NOT NULL DEFAULT 0.0,
        counts TEXT,
        sealed TEXT,
        crc {{integer}} NOT NULL,
        plan_crc {{integer}} NOT NULL,
        owner TEXT NOT NULL,
        core_version TEXT NOT NULL,
        action TEXT NOT NULL,
        project TEXT NOT NULL,
        cwd TEXT NOT NULL,
        packs TEXT NOT NULL,
        params TEXT NOT NULL,
        by_hand TEXT,
        parent {{integer}} REFERENCES {{prefix}}run,
        parent_step TEXT,
        parent_attempt {{integer}},
        parent_item {{integer}}
    ){{strict}}
    """,
    # Of parts of other runs: what a step has made.
    """
    CREATE UNIQUE INDEX {prefix}run_of_parent
    ON {prefix}run (parent, parent_item, parent_step, parent_attempt) WHERE parent IS NOT NULL
    """,
    # Lists pass by the parts of all runs.
    "CREATE INDEX {prefix}run_parent ON {prefix}run (parent, id)",
    """
    CREATE TABLE {prefix}plan (
        run {integer} PRIMARY KEY REFERENCES {prefix}run ON DELETE CASCADE,
        plan TEXT NOT NULL
    ){strict}
    """,
    # Which run relies on what others made; those may be in other journals.
    """
    CREATE TABLE {prefix}reliance (
        run {of_run},
        uid TEXT NOT NULL,
        PRIMARY KEY (run, uid)
    ){keyed}
    """,
    "CREATE INDEX {prefix}reliance_uid ON {prefix}reliance (uid)",
)
_STEPS = (
    f"""
    CREATE TABLE {{prefix}}attempt (
        id {{id}},
        run {{of_run}},
        step TEXT NOT NULL,
        n {{integer}} NOT NULL,
        state TEXT NOT NULL CHECK ({_STATE}),
        data_version {{integer}} NOT NULL,
        at TEXT NOT NULL,
        began TEXT,
        ended TEXT,
        crc {{integer}} NOT NULL,
        result TEXT,
        error TEXT,
        UNIQUE (run, step, n)
    ){{strict}}
    """,
    """
    CREATE TABLE {prefix}note (
        id {id},
        run {of_run},
        step TEXT NOT NULL,
        n {integer} NOT NULL,
        seq {integer} NOT NULL,
        key TEXT NOT NULL,
        "values" TEXT NOT NULL,
        crc {integer} NOT NULL,
        UNIQUE (run, step, n, seq)
    ){strict}
    """,
    # In runs with groups, whose steps do not end in the order of the plan, the step that had ended.
    """
    CREATE TABLE {prefix}field (
        run {of_run},
        boundary {integer} NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        crc {integer} NOT NULL,
        step TEXT,
        PRIMARY KEY (run, boundary, name)
    ){keyed}
    """,
    # What people look at: opaque texts beside a run, which it does not need.
    """
    CREATE TABLE {prefix}kept (
        id {id},
        run {of_run},
        step TEXT NOT NULL,
        n {integer} NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        seq {integer} NOT NULL,
        at TEXT NOT NULL,
        crc {integer} NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (run, step, n, kind, name, seq)
    ){strict}
    """,
)
# The items of steps. Those of each chunk are in a row of their own, and may be read alone.
_ITEMS = (
    f"""
    CREATE TABLE {{prefix}}chunk (
        id {{id}},
        run {{of_run}},
        step TEXT NOT NULL,
        n {{integer}} NOT NULL,
        number {{integer}} NOT NULL,
        part {{integer}} NOT NULL,
        "first" {{integer}} NOT NULL,
        size {{integer}} NOT NULL,
        attempt {{integer}} NOT NULL,
        state TEXT NOT NULL CHECK ({_CHUNK_STATE}),
        failed {{integer}} NOT NULL,
        digest {{integer}} NOT NULL,
        head TEXT,
        error TEXT,
        at TEXT NOT NULL,
        began TEXT,
        crc {{integer}} NOT NULL,
        outcome_crc {{integer}} NOT NULL,
        errors TEXT,
        results TEXT,
        items TEXT,
        UNIQUE (run, step, n, number)
    ){{strict}}
    """,
    """
    CREATE TABLE {prefix}item_note (
        id {id},
        run {of_run},
        step TEXT NOT NULL,
        n {integer} NOT NULL,
        number {integer} NOT NULL,
        attempt {integer} NOT NULL,
        item {integer} NOT NULL,
        key TEXT NOT NULL,
        "values" TEXT NOT NULL,
        crc {integer} NOT NULL
    ){strict}
    """,
    "CREATE INDEX {prefix}item_note_of_chunk ON {prefix}item_note (run, step, n, number)",
)


# Some journals of format 1 have these already.
_SINCE_FORMAT_2 = (
    # Who is asked to stop: the owner with this fence. Only that writes to the row of its run.
    """
    CREATE TABLE IF NOT EXISTS {prefix}stop (
        run {integer} PRIMARY KEY REFERENCES {prefix}run ON DELETE CASCADE,
        fence {integer} NOT NULL
    ){strict}
    """,
    # For searches; nearly no attempt is in it.
    """
    CREATE INDEX IF NOT EXISTS {prefix}attempt_error
    ON {prefix}attempt (run) WHERE error IS NOT NULL
    """,
)


def tables_of(dialect: Dialect) -> Migrations:
    """Return the statements that create the tables of a journal, and their indices."""
    words = {
        "prefix": dialect.prefix,
        "time": f"TEXT {dialect.bytewise}",
        "of_run": f"{dialect.integer} NOT NULL REFERENCES {dialect.prefix}run ON DELETE CASCADE",
        "lease": ", ".join(f"{name} {kind}" for name, kind in dialect.lease_columns.items()),
        **{name: getattr(dialect, name) for name in ("integer", "real", "id", "run_id")},
        **{name: getattr(dialect, name) for name in ("strict", "keyed")},
    }
    formats = ((*_RUNS, *_STEPS, *_ITEMS), _SINCE_FORMAT_2)
    return tuple(tuple(each.format_map(words) for each in statements) for statements in formats)


def migrate(
    migrations: Migrations,
    *,
    version: Callable[[], int],
    alone: Callable[[], AbstractContextManager[Connection]],
    stamp: str,
) -> None:
    """Create or migrate the tables, in one commit.

    Args:
        migrations: The migrations, from the first version on.
        version: Returns the version of the tables, 0 if there are none; raises for newer ones.
        alone: Returns a transaction that excludes migrations by other processes.
        stamp: The statement that writes the version; `{}` stands for the number.
    """
    known = len(migrations)
    if version() == known:
        return
    with alone() as connection:
        # Read again: another process may have migrated them meanwhile.
        for statements in migrations[version() :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(stamp.format(known))


def refuse_newer(shown: str, version: int, known: int, *, by: str, ways_out: Sequence[str]) -> None:
    """Check that the tables are not newer than this version of Handrail.

    Raises:
        JournalError: `version` is greater than `known`.
    """
    if version > known:
        raise JournalError(
            f"{shown} was written by a newer {by}: it has format {version}, "
            f"and this one knows {known}",
            ways_out=tuple(ways_out),
        )
