"""Taking a run from whoever had it: first the lock, then the fence."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass

from handrail.errors import RunHeldError
from handrail.journal.backend.lease_errors import forked_from, held_error
from handrail.journal.backend.owned import Claimed
from handrail.journal.backend.owner import Owner, boot, clock, is_other_boot, this_process
from handrail.journal.backend.owner_locks import (
    Identity,
    LocksUnsupportedError,
    OwnerLock,
    OwnerLocks,
    SeenLock,
    identity_of,
)
from handrail.journal.backend.rows import unknown_run
from handrail.journal.protocol import Holder
from handrail.journal.sqlite import statements
from handrail.journal.sqlite.database import Database

# Somebody who only looks has the lock of a dead owner for a moment, and so has a rival.
_PAUSES = (0.01, 0.03)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """What the journal says of the owner of a run."""

    fence: int
    owner: Owner
    boot: str
    until: float | None

    @property
    def stale(self) -> bool:
        return self.until is None or clock() > self.until

    @property
    def lives(self) -> bool | None:
        return False if is_other_boot(self.boot) else self.owner.lives

    @property
    def holder(self) -> Holder:
        silent = None
        if self.until is not None:
            silent = max(0.0, clock() - (self.until - self.owner.lease))
        return Holder(described=self.owner.described, stale=self.stale, silent=silent)


def holder_of(database: Database, locks: OwnerLocks, number: int) -> Holder | None:
    """Return whom a run belongs to now, or None.

    Raises:
        NotFoundError: There is no such run.
    """
    return _holder(database, locks, _recorded(database, number))


def _holder(database: Database, locks: OwnerLocks, record: _Record) -> Holder | None:
    """Return whom a run belongs to, or None for ever: an owner that is gone stays so.

    A free lock tells that the owner is gone only if it is the one that the owner took. Its file may
    have been removed, and made anew by somebody else, while the owner lives.
    """
    original = _original(record, database.file)
    if original is not None:
        return Holder(described=f"its original, {original}", stale=False, journal=original)
    owner = record.owner
    try:
        seen = _look(locks, owner)
    except LocksUnsupportedError:
        return None if record.until is None or not _may_live(record) else record.holder
    if seen is None or owner.lock_identity not in (None, seen.identity):
        return None if record.until is None or record.lives is False else record.holder
    if seen.free:
        return None
    if owner.lives is False:
        return forked_from(record.holder, str(locks.path(str(owner.lock))))
    return record.holder


def _may_live(record: _Record) -> bool:
    """Whether an owner without a lock may live: where nothing else tells, its lease does."""
    lives = record.lives
    return not record.stale if lives is None else lives


def _look(locks: OwnerLocks, owner: Owner) -> SeenLock | None:
    if owner.lock is None:
        raise LocksUnsupportedError
    return locks.look(owner.lock)


def _original(record: _Record, file: Identity | None) -> str | None:
    """Return the path of the journal that this one was copied from, if it is still there."""
    path, recorded = record.owner.journal, record.owner.journal_identity
    if path is None or recorded is None:
        return None
    try:
        found = identity_of(os.stat(path))
    except (OSError, ValueError):
        return None
    # Devices are numbered anew at each boot.
    same = found[1] == recorded[1] if is_other_boot(record.boot) else found == recorded
    return path if same and found != file else None


def claim(
    database: Database, locks: OwnerLocks, number: int, *, take_over: bool, lease: float
) -> tuple[Claimed, OwnerLock | None]:
    """Make a run belong to this process, and return its lock, too, where there are locks.

    Raises:
        NotFoundError: There is no such run.
        RunHeldError: It belongs to a process that lives, or may live.
        JournalError: It could not be written.
    """
    for pause in _PAUSES:
        with contextlib.suppress(RunHeldError):
            return _claim(database, locks, number, take_over, lease)
        time.sleep(pause)
    return _claim(database, locks, number, take_over, lease)


def _claim(
    database: Database, locks: OwnerLocks, number: int, take_over: bool, lease: float
) -> tuple[Claimed, OwnerLock | None]:
    record = _recorded(database, number)
    holder = _holder(database, locks, record)
    if holder is not None and not (take_over and holder.stale):
        raise held_error(number, holder)
    with contextlib.ExitStack() as undo:
        lock = None
        with contextlib.suppress(LocksUnsupportedError):
            # A stopped process keeps its lock, though the run is no longer its own.
            lock = locks.take(str(number)) or locks.take(f"{number}.{record.fence + 1}")
            if lock is None:
                raise held_error(number, record.holder)
            undo.callback(lock.close)
        owner = owner_here(database, lock, lease)
        ours = {"run": number, "fence": record.fence, **lease_values(lease)}
        values = {**ours, "owner": owner.to_json()}
        claimed: tuple[int, str] | None = database.write(
            lambda connection: connection.execute(statements.SQL.claim, values).fetchone()
        )
        if claimed is None:
            raise held_error(number, _recorded(database, number).holder)
        undo.pop_all()
    fence, uid = claimed
    return Claimed(number=number, uid=uid, fence=fence), lock


def lease_values(lease: float) -> dict[str, object]:
    """Return the values of a lease that begins now."""
    return {"boot": boot(), "until": clock() + lease}


def owner_here(database: Database, lock: OwnerLock | None, lease: float) -> Owner:
    """Return this process as the owner of a run in that journal."""
    return this_process(
        lease=lease, lock=lock, journal=str(database.path), journal_identity=database.file
    )


def _recorded(database: Database, number: int) -> _Record:
    with database.reading() as connection:
        row = connection.execute(statements.OWNER, (number,)).fetchone()
        if row is None:
            raise unknown_run(connection, statements.SQL, number)
    fence, owner, lease_boot, until = row
    return _Record(fence=fence, owner=Owner.of_json(owner), boot=lease_boot, until=until)
