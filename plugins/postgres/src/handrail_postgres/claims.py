"""Claims a run in a PostgreSQL journal: takes its lock, then raises its fence."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from handrail.errors import NotFoundError
from handrail.journal import Holder, decoding
from handrail.sqlite import Claimed, Owner, held_error, this_process, unknown_run
from handrail_postgres.statements import END_FORMER, END_SESSION, LOCK, LOCKED, OWNER, SQL

if TYPE_CHECKING:
    from handrail.sqlite import Connection
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
        _, holder, lives = _recorded(connection, number)
        locked = connection.execute(LOCKED, (locks, number)).fetchone()
    return holder if lives or locked == (True,) else None


def claim(
    session: Session,
    locks: int,
    number: int,
    *,
    take_over: bool,
    lease: float,
    former: int | None = None,
) -> Claimed:
    """Make `session` the owner of a run; it must not be used for anything else.

    Args:
        session: The session.
        locks: The number that all locks of this journal share.
        number: The number of the run.
        take_over: Whether to take the run from an owner whose lease has expired.
        lease: Length of the lease, in seconds.
        former: The backend of a connection with which this claim was begun, if it broke.

    Raises:
        NotFoundError: There is no such run.
        RunHeldError: The run belongs to another process that is, or may be, alive.
        JournalError: The claim could not be written.
    """
    with session.using() as connection:
        free = lock(connection, locks, number, former)
        fence, holder, lives = _recorded(connection, number)
        if free and lives:
            raise held_error(number, holder)
        if not free:
            if not (take_over and holder.stale):
                raise held_error(number, holder)
            # The server ends the session of the stopped process, which releases its lock.
            connection.execute(END_SESSION, (locks, number))
            if not lock(connection, locks, number):
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
    return Claimed(number=number, fence=claimed[0], uid=claimed[1])


def lock(connection: Connection, locks: int, number: int, former: int | None = None) -> bool:
    """Take the lock of a run for the session of `connection`; return whether it was free.

    Args:
        connection: The connection.
        locks: The number that all locks of this journal share.
        number: The number of the run.
        former: The backend of our broken connection, which may have the lock still; it is ended.
    """
    place = (locks, number)
    found: tuple[bool] = connection.execute(LOCK, place).fetchone()
    if not found[0] and former is not None:
        connection.execute(END_FORMER, (*place, former))
        found = connection.execute(LOCK, place).fetchone()
    return found[0]


def _recorded(connection: Connection, number: int) -> tuple[int, Holder, bool]:
    """Return the fence of a run, its owner, and whether that is seen to live, on this machine.

    Then it owns the run without having its lock: its connection broke, and is made again.
    """
    row = connection.execute(OWNER, (number,)).fetchone()
    if row is None:
        raise unknown_run(connection, SQL, number)
    fence, text, stale, over, is_open = row
    with decoding(number, "its owner"):
        owner = Owner.from_json(text)
    silent = None if over is None else max(0.0, over + owner.lease)
    us = this_process(lease=owner.lease)
    here = owner.host == us.host and owner.pid != us.pid
    lives = bool(is_open and not stale and here and owner.lives)
    pid = owner.pid if lives and owner.takes_interrupts else None
    return fence, Holder(described=owner.described, stale=stale, silent=silent, pid=pid), lives
