"""Deletes old runs and their lock files."""

from __future__ import annotations

import contextlib
from datetime import datetime

from handrail.errors import NotFoundError
from handrail.journal.backend.owner_locks import LocksUnsupportedError, OwnerLocks
from handrail.journal.sqlite.claims import holder_of
from handrail.journal.sqlite.database import Database
from handrail.journal.sqlite.statements import SQL

AT_ONCE = 100  # Batch size; each run in a batch is an open file.


def prune(database: Database, locks: OwnerLocks, before: datetime) -> list[int]:
    """Delete the runs that were closed before `before` and have no owner; return their numbers."""
    limit = before.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    with database.reading() as connection:
        found = [number for (number,) in connection.execute(SQL.prunable, (limit,))]
    deleted: list[int] = []
    for first in range(0, len(found), AT_ONCE):
        deleted += _prune_some(database, locks, found[first : first + AT_ONCE], limit)
    return deleted


def _prune_some(database: Database, locks: OwnerLocks, numbers: list[int], limit: str) -> list[int]:
    with contextlib.ExitStack() as stack:
        # With their locks taken, no process can claim them meanwhile.
        ours = [number for number in numbers if _take(database, locks, number, stack)]
        deleted = database.write(
            lambda connection: [
                number
                for number in ours
                if connection.execute(SQL.prune, (limit, number)).rowcount == 1
            ]
        )
        for number in deleted:
            locks.remove(number)
    return deleted


def _take(database: Database, locks: OwnerLocks, number: int, stack: contextlib.ExitStack) -> bool:
    with contextlib.suppress(NotFoundError):
        if holder_of(database, locks, number) is not None:
            return False
    with contextlib.suppress(LocksUnsupportedError):
        lock = locks.take(str(number))
        if lock is None:
            return False
        stack.callback(lock.close)
    return True
