"""Taking a run from whoever had it: first the lock, then the fence."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handrail.errors import NotFoundError
from handrail.journal import Holder
from handrail.journal.backend.lease_errors import held_error
from handrail.journal.backend.owner import Owner, this_process
from handrail.journal.backend.rows import no_run
from handrail_postgres import statements

if TYPE_CHECKING:
    import psycopg

    from handrail_postgres.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a claim brought: the new fence. The lock is that of its session."""

    number: int
    uid: str
    fence: int


def holder_of(session: Session, locks: int, number: int) -> Holder | None:
    """Return whom a run belongs to now, or None.

    Args:
        session: Any session.
        locks: The number that the locks of this journal have in common.
        number: The run.

    Raises:
        NotFoundError: There is no such run.
    """
    with session.using() as connection:
        _, holder = _recorded(connection, number)
        locked = connection.execute(statements.LOCKED, (locks, number)).fetchone()
    return holder if locked == (True,) else None


def claim(session: Session, locks: int, number: int, *, take_over: bool, lease: float) -> Claimed:
    """Make a run belong to that session, which is to be used for nothing else.

    Raises:
        NotFoundError: There is no such run.
        RunHeldError: It belongs to a process that lives, or may live.
        JournalError: It could not be written.
    """
    with session.using() as connection:
        fence, holder = _recorded(connection, number)
        if not _lock(connection, locks, number):
            if not (take_over and holder.stale):
                raise held_error(number, holder)
            # The server ends the session of the stopped one, which loses its lock.
            connection.execute(statements.END_SESSION, (locks, number))
            if not _lock(connection, locks, number):
                raise held_error(number, holder)
        owner = this_process(lease=lease).to_json()
        claimed = connection.execute(statements.CLAIM, (owner, lease, number, fence)).fetchone()
        if claimed is None:
            # Another one had it, and gave it up, in the meantime.
            with suppress(NotFoundError):
                raise held_error(number, _recorded(connection, number)[1])
            raise no_run(number, near(connection, number))
    return Claimed(number=number, fence=claimed[0], uid=claimed[1])


def near(connection: psycopg.Connection[Any], number: int) -> list[int]:
    """Return the numbers of runs that are near that one."""
    return sorted(each for (each,) in connection.execute(statements.NEAR, (number,)))


def _lock(connection: psycopg.Connection[Any], locks: int, number: int) -> bool:
    return connection.execute(statements.LOCK, (locks, number)).fetchone() == (True,)


def _recorded(connection: psycopg.Connection[Any], number: int) -> tuple[int, Holder]:
    row = connection.execute(statements.OWNER, (number,)).fetchone()
    if row is None:
        raise no_run(number, near(connection, number))
    fence, text, stale, over = row
    owner = Owner.of_json(text)
    silent = None if over is None else max(0.0, over + owner.lease)
    return fence, Holder(described=owner.described, stale=stale, silent=silent)
