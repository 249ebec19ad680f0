"""Claims a run in an SQLite journal, and writes it: takes its lock, then raises its fence."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, TypeVar

from handrail.builtin.sqlite.database import ATTEMPTS_OF_OPEN_RUN, OWNER, SQL, Database
from handrail.builtin.sqlite.kit.changes import attempts_of, lost
from handrail.builtin.sqlite.kit.owned import (
    SHARE,
    Claimed,
    SqlOwnedRun,
    after_orphans,
    forked_from,
    held_error,
)
from handrail.builtin.sqlite.kit.owner import (
    Identity,
    LocksUnsupportedError,
    Owner,
    OwnerLock,
    OwnerLocks,
    SeenLock,
    boot,
    clock,
    identity_of,
    is_other_boot,
    this_process,
)
from handrail.builtin.sqlite.kit.rows import unknown_run
from handrail.errors import JournalError, RunHeldError
from handrail.frozen import frozen
from handrail.journal import Holder, now
from handrail.journal.damage import check_shape, check_texts, decoding

if TYPE_CHECKING:
    import sqlite3

    from handrail.builtin.sqlite.database import Database
    from handrail.builtin.sqlite.kit.owner import OwnerLock
    from handrail.builtin.sqlite.value_files import ValueFiles
    from handrail.journal.records import Change


# Seconds before each retry: a process that looks at a free lock, or a rival, has it briefly.
_PAUSES = (0.01, 0.03)


@frozen
class _Record:
    """The recorded owner and lease of a run."""

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
        pid = self.owner.pid if self.lives and self.owner.takes_interrupts else None
        return Holder(described=self.owner.described, stale=self.stale, silent=silent, pid=pid)


def holder_of(database: Database, locks: OwnerLocks, number: int) -> Holder | None:
    """Return the process that owns a run, or None.

    Raises:
        NotFoundError: There is no such run.
    """
    return _holder(database, locks, _recorded(database, number))


def _holder(database: Database, locks: OwnerLocks, record: _Record) -> Holder | None:
    """Return the process that owns a run, or None if the owner is gone, which is final.

    A free lock proves that the owner is gone only if it is the file that the owner locked: it may
    have been removed and recreated by another process while the owner is alive.
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
    """Return whether an owner without a lock may be alive; if unknown, the lease decides."""
    lives = record.lives
    return not record.stale if lives is None else lives


def _look(locks: OwnerLocks, owner: Owner) -> SeenLock | None:
    if owner.lock is None:
        raise LocksUnsupportedError
    return locks.look(owner.lock)


def _original(record: _Record, file: Identity | None) -> str | None:
    """Return the path of the journal of which this one is a copy, if it still exists."""
    path, recorded = record.owner.journal, record.owner.journal_identity
    if path is None or recorded is None:
        return None
    try:
        found = identity_of(os.stat(path))
    except (OSError, ValueError):
        return None
    # Device numbers may change at each boot.
    same = found[1] == recorded[1] if is_other_boot(record.boot) else found == recorded
    return path if same and found != file else None


def claim(
    database: Database, locks: OwnerLocks, number: int, *, take_over: bool, lease: float
) -> tuple[Claimed, OwnerLock | None]:
    """Make this process the owner of a run; return the claim, and the lock if locks are supported.

    Raises:
        NotFoundError: There is no such run.
        RunHeldError: The run belongs to another process that is, or may be, alive.
        JournalError: The claim could not be written.
    """
    for pause in _PAUSES:
        with contextlib.suppress(RunHeldError):
            return _claim(database, locks, number, take_over, lease)
        time.sleep(pause)
    after_orphans(lambda: holder_of(database, locks, number))
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
            # A stopped process keeps the lock of a run that was taken over; use a second one.
            lock = locks.take(str(number)) or locks.take(f"{number}.{record.fence + 1}")
            if lock is None:
                raise held_error(number, record.holder)
            undo.callback(lock.close)
        owner = owner_here(database, lock, lease)
        ours = {"run": number, "fence": record.fence, **lease_values(lease)}
        values = {**ours, "owner": owner.to_json()}

        def write(connection: sqlite3.Connection) -> tuple[int, str] | None:
            connection.execute(SQL.end_attempts, values)
            claimed: tuple[int, str] | None
            claimed = connection.execute(SQL.claim, values).fetchone()
            return claimed

        claimed = database.write(write)
        if claimed is None:
            raise held_error(number, _recorded(database, number).holder)
        undo.pop_all()
    fence, uid = claimed
    return Claimed(number=number, uid=uid, fence=fence), lock


def lease_values(lease: float) -> dict[str, object]:
    """Return the column values for a lease that begins now."""
    return {"boot": boot(), "until": clock() + lease}


def owner_here(database: Database, lock: OwnerLock | None, lease: float) -> Owner:
    """Return this process as an owner of runs in the journal."""
    return this_process(
        lease=lease, lock=lock, journal=str(database.path), journal_identity=database.file
    )


def _recorded(database: Database, number: int) -> _Record:
    with database.reading() as connection:
        row = connection.execute(OWNER, (number,)).fetchone()
        if row is None:
            raise unknown_run(connection, SQL, number)
    fence, text, lease_boot, until = row
    with decoding(number, "its owner"):
        owner = Owner.from_json(text)
        check_shape(fence, int)
        check_texts((lease_boot,))
        check_shape(until or 0.0, int, float)
    return _Record(fence=fence, owner=owner, boot=lease_boot, until=until)


T = TypeVar("T")


class SqliteOwnedRun(SqlOwnedRun):
    """A claimed run in an SQLite journal.

    Args:
        database: The database of the journal.
        values: The files with the values of its runs.
        claimed: The result of the claim.
        lock: The lock of the run, or None if locks are not supported.
        lease: Length of the lease, in seconds.
    """

    def __init__(
        self,
        database: Database,
        values: ValueFiles,
        claimed: Claimed,
        lock: OwnerLock | None,
        lease: float,
    ) -> None:
        self._database = database
        self._values = values
        self._lock = lock
        self._mine = (claimed.number, claimed.fence)
        self._renew_at = clock() + lease / SHARE
        super().__init__(SQL, claimed, lease)

    @property
    def lock_descriptor(self) -> int | None:
        """The file descriptor of its lock, or None; see `OwnedRun`."""
        return None if self._lock is None else self._lock.descriptor

    def store_value(
        self, stem: str, suffix: str, write: Callable[[BinaryIO], None]
    ) -> dict[str, Any]:
        """Store a value of the run in a file; see `OwnedRun`.

        No check of the fence is needed: a file counts only once a result that names it is written.

        Raises:
            OSError: There is no room for it, or the folder cannot be written.
        """
        return self._values.store(self.number, stem, suffix, write)

    def _transact(self, work: Callable[[sqlite3.Connection], T], *, synced: bool = True) -> T:
        return self._database.write(work, synced=synced)

    def _let_go(self, *, note: bool) -> None:
        if note:
            with contextlib.suppress(JournalError):
                self._database.write(lambda each: each.execute(SQL.release, self._ours))
        if self._lock is not None:
            self._lock.close()

    def _commit(self, batches: list[Sequence[Change]]) -> None:
        at = clock()
        due = at >= self._renew_at
        attempts = None if due else attempts_of(self.number, self.uid, batches)
        small = ATTEMPTS_OF_OPEN_RUN.get(len(attempts or ()))
        if attempts and small:
            # Fast path: most steps write only this, and it is most of their cost.
            if not self._database.write_at_once(small, (now(), *attempts, *self._mine)):
                self._database.write(self._refuse)
            return
        # If the renewal is not due, only check the owner, which writes one page less.
        self._write(batches, {**self._ours, "until": at + self._lease}, renew=due)
        if due:
            self._renew_at = at + self._lease / SHARE

    def _refuse(self, connection: sqlite3.Connection) -> NoReturn:
        raise lost(connection, SQL, self._ours)

    def _renew(self) -> bool:
        at = clock()
        values = {**self._ours, "until": at + self._lease}

        def renew(connection: sqlite3.Connection) -> tuple[int, bool] | None:
            found: tuple[int, bool] | None
            found = connection.execute(SQL.renew, values).fetchone() if self._open else None
            return found

        try:
            renewed = self._database.write(renew)
        except JournalError:
            return True  # The next write reports it, unless it was temporary.
        if renewed is not None:
            self._renew_at = at + self._lease / SHARE
        return self._is_renewed(renewed)
