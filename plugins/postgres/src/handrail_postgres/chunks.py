"""What keeps two workers from one chunk of items, and late ones from any: locks and tokens."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from handrail.errors import LeaseLostError, NotFoundError
from handrail.journal import ChunkHolder, ItemNoteRow, encode
from handrail.sqlite import ITEM_NOTE
from handrail_postgres.session import Session, patiently
from handrail_postgres.statements import (
    CHUNK_EXPEL,
    CHUNK_FORBID,
    CHUNK_HOLDERS,
    CHUNK_IS_FREE,
    CHUNK_LOCK,
    CHUNK_MAY,
    CHUNK_UNLOCK,
    FENCE,
    SQL,
)

if TYPE_CHECKING:
    from handrail.journal import AttemptId, Note
    from handrail.sqlite import Connection

T = TypeVar("T")

_NAME = "handrail "  # What the label of a worker follows, in pg_stat_activity.
_SERIALS = 32  # Bits of a token for its number; above them is the fence of the run.


def lock_of(attempt: AttemptId) -> int:
    """Return the number of the advisory lock of a chunk, which all attempts at it share.

    Two chunks with the same one could not be worked on at the same time, and nothing worse.
    """
    place = f"{attempt.run}\0{attempt.step}\0{attempt.step_attempt}\0{attempt.chunk}"
    return int.from_bytes(hashlib.sha256(place.encode()).digest()[:8], signed=True)


class PostgresChunkSession:
    """See `handrail.journal.ChunkSession`.

    Args:
        url: The URL of the journal.
        label: What the worker is called.
    """

    def __init__(self, url: str, label: str) -> None:
        self._session = Session(url)
        self._at: tuple[AttemptId, Mapping[str, Any]] | None = None
        with self._session.using() as connection:
            connection.execute(
                "SELECT set_config('application_name', %s, false), "
                "set_config('lock_timeout', '30s', false), "
                # What comes with the statement that takes a lock sees what was done before.
                "set_config('default_transaction_isolation', 'read committed', false)",
                (f"{_NAME}{label}",),
            )

    def begin(self, attempt: AttemptId, token: int) -> None:
        """Take the lock of a chunk; then check that nobody has forbidden the attempt.

        Raises:
            LeaseLostError: It is forbidden, or not the current one.
            JournalError: The journal cannot be used, or another worker has the lock.
        """
        values = {
            **attempt._asdict(),
            "token": token,
            "fence": token >> _SERIALS,
        }
        with self._session.using() as connection:
            try:
                with self._session.pipeline():
                    # In this order: whoever forbids an attempt looks for its lock afterwards.
                    connection.execute(CHUNK_LOCK, (lock_of(attempt),))
                    found = connection.execute(CHUNK_MAY, values)
                self._run_of(found.fetchone(), attempt)
            except BaseException:
                if not self._session.lost:
                    connection.execute(CHUNK_UNLOCK, (lock_of(attempt),))
                raise
            self._at = (attempt, values)

    def record(self, notes: Sequence[Note]) -> None:
        """Write rollback data of items, all or none; they are durable when this returns.

        Raises:
            LeaseLostError: The attempt was forbidden meanwhile.
            JournalError: The notes could not be written.
        """
        with self._session.batch() as connection:
            attempt, values = self._now()
            run = self._run_of(connection.execute(CHUNK_MAY, values).fetchone(), attempt)
            place = (attempt.step, attempt.step_attempt, attempt.chunk, attempt.attempt)
            for note in notes:
                change = ItemNoteRow(*place, note.item, note.key, encode(note.values, note.key))
                connection.execute(SQL.item_note, ITEM_NOTE.stored(run, attempt.run, change))

    def check(self) -> None:
        """Give a sign of life, and check that nobody has forbidden the attempt.

        Raises:
            LeaseLostError: It was forbidden.
            JournalError: The connection, and with it the lock, is lost.
        """
        with self._session.using() as connection:
            if self._at is not None:
                attempt, values = self._at
                self._run_of(connection.execute(CHUNK_MAY, values).fetchone(), attempt)

    def end(self) -> None:
        """Give back the lock.

        Raises:
            JournalError: The connection is lost, and so the lock is free as well.
        """
        with self._session.using() as connection:
            attempt, _ = self._now()
            self._at = None
            connection.execute(CHUNK_UNLOCK, (lock_of(attempt),))

    def close(self) -> None:
        """Disconnect. Calling it twice is harmless."""
        self._session.close()

    def _now(self) -> tuple[AttemptId, Mapping[str, Any]]:
        if self._at is None:
            raise LeaseLostError("the attempt has ended; nothing more can be recorded in it")
        return self._at

    def _run_of(self, row: tuple[int] | None, attempt: AttemptId) -> int:
        if row is None:
            raise LeaseLostError(
                f"attempt {attempt.attempt} at chunk {attempt.chunk} of step '{attempt.step}' "
                f"is not the current one in {self._session.shown}; this worker must stop"
            )
        return row[0]


class PostgresChunkFences:
    """See `handrail.journal.ChunkFences`.

    Args:
        session: Returns a session, which belongs to the caller: another one if it was lost.
        number: The number of the run.
    """

    def __init__(self, session: Callable[[], Session], number: int) -> None:
        self._session = session
        row = self._ask(lambda of: of.execute(FENCE, (number,)).fetchone())
        if row is None:
            raise NotFoundError(f"there is no run {number}")
        self._fence: int = row[0]
        self._serials = itertools.count(1)

    def _ask(self, ask: Callable[[Connection], T]) -> T:
        """Return what `ask` returns; each statement is harmless to repeat."""

        def once() -> T:
            with self._session().using() as connection:
                return ask(connection)

        return patiently(once)

    def token(self) -> int:
        """Return a number that allows one attempt to begin; each is greater than all before it."""
        return self._fence << _SERIALS | next(self._serials)

    def forbid(self, attempt: AttemptId) -> None:
        """Let nobody begin at the chunk, or write to it, with a token that was returned so far.

        Raises:
            JournalError: The journal cannot be written.
        """
        values = {**attempt._asdict(), "token": self.token()}
        self._ask(lambda of: of.execute(CHUNK_FORBID, values))

    def is_free(self, attempt: AttemptId) -> bool:
        """Return whether nobody has the lock of the chunk.

        Raises:
            JournalError: The journal cannot be read.
        """
        found = self._ask(lambda of: of.execute(CHUNK_IS_FREE, (lock_of(attempt),)).fetchone())
        return bool(found == (True,))

    def holders(self, attempts: Collection[AttemptId]) -> Mapping[AttemptId, ChunkHolder]:
        """Return who has the lock of each chunk; those whose lock is free are left out.

        Raises:
            JournalError: The journal cannot be read.
        """
        by_lock = {lock_of(each): each for each in attempts}
        found = self._ask(lambda of: list(of.execute(CHUNK_HOLDERS, (list(by_lock),))))
        return {
            by_lock[lock]: ChunkHolder(label=name.removeprefix(_NAME), silent=silent)
            for lock, name, silent in found
        }

    def expel(self, attempt: AttemptId) -> None:
        """End the connection of who has the lock of the chunk, so that it can write no more.

        Raises:
            JournalError: The journal cannot be used, or does not let this user do so.
        """
        self._ask(lambda of: of.execute(CHUNK_EXPEL, (lock_of(attempt),)))

    def close(self) -> None:
        """Disconnect. Calling it twice is harmless."""
