"""Taking a run from whoever had it: first the lock, then the fence."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from handrail.errors import RunHeldError
from handrail.journal.held import held_error
from handrail.journal.owner import Owner, boot, clock, this_process
from handrail.journal.ownership import LocksUnsupportedError, OwnerLock, OwnerLocks
from handrail.journal.protocol import Holder
from handrail.journal.sqlite import statements
from handrail.journal.sqlite.database import Database
from handrail.journal.sqlite.reading import unknown_run

# Somebody who only looks has the lock of a dead owner for a moment, and so has a rival.
_PAUSES = (0.01, 0.03)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a claim brought: the new fence, and the lock, where there are locks."""

    number: int
    uid: str
    fence: int
    lock: OwnerLock | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """What the journal says of the owner of a run."""

    fence: int
    owner: Owner
    boot: str
    until: float | None

    @property
    def stale(self) -> bool:
        return self.until is None or self.boot != boot() or clock() > self.until

    @property
    def holder(self) -> Holder:
        silent = None
        if self.until is not None and self.boot == boot():
            silent = max(0.0, clock() - (self.until - self.owner.lease))
        return Holder(described=self.owner.described, stale=self.stale, silent=silent)

    def is_over(self, locks: OwnerLocks) -> bool:
        """Whether the owner has ended, or given the run up."""
        if self.owner.lock is not None:
            with contextlib.suppress(LocksUnsupportedError):
                return locks.is_free(self.owner.lock)
        return self.stale or self.owner.is_gone


def holder_of(database: Database, locks: OwnerLocks, number: int) -> Holder | None:
    """Return whom a run belongs to now, or None.

    Raises:
        NotFoundError: There is no such run.
    """
    record = _recorded(database, number)
    return None if record.is_over(locks) else record.holder


def claim(
    database: Database, locks: OwnerLocks, number: int, *, take_over: bool, lease: float
) -> Claimed:
    """Make a run belong to this process.

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
) -> Claimed:
    record = _recorded(database, number)
    main = str(number)
    with contextlib.ExitStack() as undo:
        lock: OwnerLock | None = None
        works = True
        try:
            lock = locks.take(main)
        except LocksUnsupportedError:
            works = False
        if lock is not None:
            undo.callback(lock.close)
        over = record.owner.lock == main if lock else False
        if not (over or record.is_over(locks) or (take_over and record.stale)):
            raise held_error(number, record.holder)
        if lock is None and works:
            # A stopped process keeps its lock, though the run is no longer its own.
            lock = locks.take(f"{number}.{record.fence + 1}")
            if lock is None:
                raise held_error(number, record.holder)
            undo.callback(lock.close)
        owner = this_process(lock=lock.name if lock else None, lease=lease)
        values = (owner.to_json(), boot(), clock() + lease, number, record.fence)
        claimed: tuple[int, str] | None = database.write(
            lambda connection: connection.execute(statements.CLAIM, values).fetchone()
        )
        if claimed is None:
            raise held_error(number, _recorded(database, number).holder)
        undo.pop_all()
    fence, uid = claimed
    return Claimed(number=number, uid=uid, fence=fence, lock=lock)


def _recorded(database: Database, number: int) -> _Record:
    with database.reading() as connection:
        row = connection.execute(statements.OWNER, (number,)).fetchone()
        if row is None:
            raise unknown_run(connection, number)
    fence, owner, lease_boot, until = row
    return _Record(fence=fence, owner=Owner.of_json(owner), boot=lease_boot, until=until)
