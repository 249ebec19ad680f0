"""Claims a run in a PostgreSQL journal: takes its lock, then raises its fence."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from handrail.errors import NotFoundError
from handrail.journal import Holder
from handrail.journal.backend import (
    Claimed,
    Owner,
    decoding,
    held_error,
    run_number,
    this_process,
    unknown_run,
)
from handrail_postgres.statements import END_SESSION, LOCK, LOCKED, OWNER, SQL, lock_number

if TYPE_CHECKING:
    from handrail.journal.backend import Connection
    from handrail_postgres.session import Session


def holder_of(session: Session, locks: int, number: int) -> Holder | None:
    """Return the process that owns a run, or None.

    Args:
        session: Any session.
        locks: The number that all locks of this journal share.
        number: The number of the run.

    Raises:
        NotFoundError: There is no such run.
    """
    with session.using() as connection:
        _, holder = _recorded(connection, number)
        locked = connection.execute(LOCKED, (locks, lock_number(number))).fetchone()
    return holder if locked == (True,) else None


def claim(session: Session, locks: int, number: int, *, take_over: bool, lease: float) -> Claimed:
    """Make `session` the owner of a run; it must not be used for anything else.

    Raises:
        NotFoundError: There is no such run.
        RunHeldError: The run belongs to another process that is, or may be, alive.
        JournalError: The claim could not be written.
    """
    with session.using() as connection:
        fence, holder = _recorded(connection, number)
        if not _lock(connection, locks, number):
            if not (take_over and holder.stale):
                raise held_error(number, holder)
            # The server ends the session of the stopped process, which releases its lock.
            connection.execute(END_SESSION, (locks, lock_number(number)))
            if not _lock(connection, locks, number):
                raise held_error(number, holder)
        owner = this_process(lease=lease).to_json()
        values = {"run": number, "fence": fence, "owner": owner, "lease": lease}
        connection.execute(SQL.end_attempts, values)
        claimed = connection.execute(SQL.claim, values).fetchone()
        if claimed is None:
            # Another process owned the run and gave it up meanwhile.
            with suppress(NotFoundError):
                raise held_error(number, _recorded(connection, number)[1])
            raise unknown_run(connection, SQL, number)
    return Claimed(number=run_number(number), fence=claimed[0], uid=claimed[1])


def _lock(connection: Connection, locks: int, number: int) -> bool:
    found: tuple[bool] = connection.execute(LOCK, (locks, lock_number(number))).fetchone()
    return found[0]


def _recorded(connection: Connection, number: int) -> tuple[int, Holder]:
    row = connection.execute(OWNER, (number,)).fetchone()
    if row is None:
        raise unknown_run(connection, SQL, number)
    fence, text, stale, over = row
    with decoding(number, "its owner"):
        owner = Owner.from_json(text)
    silent = None if over is None else max(0.0, over + owner.lease)
    return fence, Holder(described=owner.described, stale=stale, silent=silent)
