"""Deleting old runs, with the files of their locks."""

from __future__ import annotations

import contextlib
from datetime import datetime

from handrail.errors import NotFoundError
from handrail.journal.ownership import LocksUnsupportedError, OwnerLocks
from handrail.journal.sqlite import statements
from handrail.journal.sqlite.claims import holder_of
from handrail.journal.sqlite.database import Database


def prune(database: Database, locks: OwnerLocks, before: datetime) -> list[int]:
    """Delete the runs that were closed before that moment and that nobody has."""
    moment = before.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    with database.reading() as connection:
        found = [number for (number,) in connection.execute(statements.PRUNABLE, (moment,))]
    return [number for number in found if _prune_one(database, locks, number, moment)]


def _prune_one(database: Database, locks: OwnerLocks, number: int, moment: str) -> bool:
    with contextlib.ExitStack() as held:
        with contextlib.suppress(NotFoundError):
            if holder_of(database, locks, number) is not None:
                return False
        # One at a time, and only while it is locked: nobody can claim it meanwhile.
        with contextlib.suppress(LocksUnsupportedError):
            lock = locks.take(str(number))
            if lock is None:
                return False
            held.callback(lock.close)
        with database.writing() as connection:
            deleted = connection.execute(statements.PRUNE, (number, moment)).rowcount == 1
        if deleted:
            locks.remove(number)
    return deleted
