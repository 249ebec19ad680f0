"""Opens a journal by path or URL, and creates runs for it."""

from __future__ import annotations

import itertools
import sqlite3
import time
import uuid
from collections.abc import Callable
from contextlib import closing

from handrail.journal import Journal, NewRun

SHORT_LEASE = 1.0

_count = itertools.count(1)


def open_place(place: str, lease: float) -> Journal:
    """Open the journal at a path or URL, with a lease of `lease` seconds."""
    if place.startswith("postgres"):
        from handrail_postgres import PostgresJournal

        return PostgresJournal(place, lease=lease)
    from handrail.sqlite import SqliteJournal

    return SqliteJournal(place, lease=lease)


def execute(place: str, statement: str) -> None:
    """Change a journal in a way that no journal would.

    Args:
        place: Its path or URL.
        statement: The statement; its tables are written as `{note}`.
    """
    postgres = place.startswith("postgres")
    tables = ("run", "attempt", "note", "field", "chunk", "item_note", "kept")
    named = statement.format_map(
        {each: f"handrail_{each}" if postgres else each for each in tables}
    )
    if postgres:
        import psycopg

        with psycopg.connect(place, autocommit=True) as connection:
            connection.execute(named.encode())
    else:
        with closing(sqlite3.connect(place, isolation_level=None)) as database:
            database.execute(named)


def new_run(**changes: str) -> NewRun:
    """Return a new run with its own UUID."""
    values = {
        "uid": str(uuid.uuid4()),
        "action": f"upload-{next(_count)}",
        "plan": '{"steps": []}',
        "params": '{"values": {}, "secrets": {}}',
        "packs": "{}",
        "cwd": "/work",
        "core_version": "0.1.0",
        "opened": "2026-11-25T03:30:00.000Z",
        "project": "/work",
    }
    return NewRun(**{**values, **changes})


def until(condition: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Wait until `condition` returns a true value."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)
