"""SqliteJournal: the journal in an SQLite file."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import parse_qsl, unquote

from handrail.builtin.sqlite.claims import (
    SqliteOwnedRun,
    claim,
    holder_of,
    lease_values,
    owner_here,
)
from handrail.builtin.sqlite.database import MIGRATIONS, SQL, Database, Synchronous
from handrail.builtin.sqlite.kit.changes import add_run
from handrail.builtin.sqlite.kit.journal import SqlJournal
from handrail.builtin.sqlite.kit.owned import SECONDS, Claimed
from handrail.builtin.sqlite.kit.owner import LocksUnsupportedError, OwnerLock, OwnerLocks
from handrail.builtin.sqlite.kit.rows import UNREADABLE, by_name, with_parts
from handrail.builtin.sqlite.place import convert_os_errors, is_damage, prepare, resolved
from handrail.builtin.sqlite.value_files import ValueFiles
from handrail.errors import JournalDamagedError, JournalError, JournalUrlError, NotFoundError
from handrail.frozen import replace
from handrail.journal.records import RunRow

if TYPE_CHECKING:
    from handrail.journal import Holder
    from handrail.journal.records import Change, NewRun, RunRow

Written = tuple[int, int]


class ReadCache:
    """A weak reference to a run, valid until something else is written.

    Args:
        run: The run.
        written: The value of `Database.written` when it was read.
    """

    def __init__(self, run: RunRow | None = None, written: Written = (0, 0)) -> None:
        self._run = None if run is None else weakref.ref(run)
        self._number = 0 if run is None else run.number
        self._written = written

    def claimed(self, number: int) -> None:
        """Account for a claim of the run by this connection; see `Statements.end_attempts`."""
        run = None if self._run is None else self._run()
        if run is not None and number == self._number:
            others, ours = self._written
            ended = [row for row in run.attempts if row.state == "started"]
            self._written = others, ours + 1 + len(ended)

    def still(self, number: int, written: Written) -> RunRow | None:
        """Return the run if nothing but its claim was written since, or None."""
        fits = number == self._number and written == self._written
        return self._run() if fits and self._run is not None else None


_OPTIONS = {"synchronous": re.compile("full|normal"), "lease": re.compile("[1-9][0-9]{0,4}")}
NAME = "runs.db"  # The default name; only such a journal has folders without it in their names.


class SqliteJournal(SqlJournal[SqliteOwnedRun]):
    """A journal in an SQLite file, for processes on one machine.

    Args:
        path: The file. A missing folder is created with access for this user only.
        synchronous: `"full"` if commits must survive a power failure; `"normal"` if surviving a
            killed process is enough.
        lease: Seconds without a sign of life after which an owner is considered stopped.
        create: Whether to create a missing file. If not, one that cannot be written is read.

    Raises:
        NotFoundError: The file does not exist, and `create` is false.
        JournalError: The file is not a journal, or cannot be used.
    """

    version = 1

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Synchronous = "full",
        lease: float = SECONDS,
        create: bool = True,
    ) -> None:
        super().__init__(SQL)
        self._shown = os.fspath(path)
        file = self._path = resolved(path)
        prepare(file, create=create)
        self._lease = lease
        # A look needs no write access. What writes after all is refused then.
        writable = create or all(os.access(each, os.W_OK) for each in (file, file.parent))
        self._database = Database(file, synchronous, writable=writable)
        prefix = "" if file.name == NAME else f"{file.name}-"
        self._locks = OwnerLocks(file.parent / f"{prefix}owners")
        self._values = ValueFiles(file.parent / f"{prefix}values")
        self._cache = ReadCache()

    @property
    def shown(self) -> str:
        """The path of the file, for display."""
        return self._shown

    @property
    def address(self) -> str:
        """The absolute path of the file, with links resolved."""
        return str(self._path)

    @property
    def format(self) -> int:
        """The version of the tables; older ones are migrated when the journal is opened."""
        return len(MIGRATIONS)

    def _opened(self, new: NewRun, changes: Sequence[Change]) -> SqliteOwnedRun:
        lock: OwnerLock | None = None

        def own(number: int) -> str:
            nonlocal lock
            lock = self._lock_new(number)
            return owner_here(self._database, lock, self._lease).to_json()

        def add(connection: sqlite3.Connection) -> int:
            lease = lease_values(self._lease)
            return add_run(connection, SQL, new, changes, lease, own)

        try:
            with convert_os_errors(self._path):
                number = self._database.write(add)
        except BaseException:
            if lock is not None:
                lock.close()
            raise
        claimed = Claimed(number=number, uid=new.uid, fence=1)
        return SqliteOwnedRun(self._database, self._values, claimed, lock, self._lease)

    def claim(self, number: int, *, take_over: bool = False) -> SqliteOwnedRun:
        """Make this process the owner of a run; a closed run is reopened.

        Args:
            number: The number of the run.
            take_over: Whether to take the run from an owner whose lease has expired.

        Raises:
            NotFoundError: There is no such run.
            RunHeldError: The run belongs to another process that is, or may be, alive.
            JournalError: The claim could not be written.
        """
        with convert_os_errors(self._path):
            claimed, lock = claim(
                self._database, self._locks, number, take_over=take_over, lease=self._lease
            )
        self._cache.claimed(number)
        return self._own(SqliteOwnedRun(self._database, self._values, claimed, lock, self._lease))

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._database.reading()

    def _run_rows(
        self, connection: Any, statement: str, values: Mapping[str, Any]
    ) -> Iterable[Mapping[str, Any]]:
        try:
            return list(super()._run_rows(connection, statement, values))
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            return _one_by_one(connection, statement, values)

    def check(self) -> list[str]:
        """Return what SQLite finds wrong with the file, one sentence each."""
        with self._database.reading() as connection:
            found = [str(line) for (line,) in connection.execute("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def read(self, number: int, *, fields: bool = True) -> RunRow:
        """Return the complete record of one run.

        Args:
            number: The number of the run.
            fields: Whether to read the context's fields, which may be many; otherwise there are
                none.

        Raises:
            NotFoundError: There is no such run; the message lists the closest numbers.
        """
        with self._database.reading() as connection:
            written = self._database.written(connection)
            known = self._cache.still(number, written)
            if known is None:
                found = self._recorded(connection, number, fields=fields)
            else:
                row = self._row(connection, number, SQL.run_without_plan)
                attempts = known.attempts
                if row.fence != known.fence:
                    last = known.closed or known.heard
                    attempts = tuple(
                        [
                            each._replace(ended=last) if each.state == "started" else each
                            for each in attempts
                        ]
                    )
                found = replace(
                    row,
                    plan=known.plan,
                    attempts=attempts,
                    notes=known.notes,
                    fields=known.fields,
                )
        if fields:
            self._cache = ReadCache(found, written)
        return found

    def stamp(self) -> str:
        """Return a text that is another one after each commit, of whichever process."""
        with self._database.reading() as connection:
            return "-".join(map(str, self._database.written(connection)))

    def open_value(self, number: int, name: str) -> BinaryIO:
        """Return a file from which a stored value of a run can be read; it can be sought.

        Raises:
            JournalError: There is no such value, or it cannot be read.
        """
        return self._values.open(number, name)

    def _add(self, write: Callable[[sqlite3.Connection], None]) -> None:
        self._database.write(write, synced=False)

    def holder(self, number: int) -> Holder | None:
        """Return the process that owns the run, or None if its owner is gone.

        Raises:
            NotFoundError: There is no such run.
        """
        return holder_of(self._database, self._locks, number)

    def request_stop(self, number: int) -> None:
        """Ask the present owner of a run to stop it; see `Journal`."""
        self._database.write(lambda of: of.execute(SQL.request_stop, {"run": number}))

    def prune(
        self, older_than: timedelta, release: Callable[[int], bool] | None = None
    ) -> list[int]:
        """Delete closed runs that ended longer ago than `older_than`; see `Journal`."""
        with convert_os_errors(self._path):
            deleted = prune(self._database, self._locks, older_than.total_seconds(), release)
            # Also those of runs whose deletion was interrupted here. A run is there before its
            # files are, so none of a new one is meant.
            stored = self._values.runs()
            with self._database.reading() as connection:
                known = {number for (number,) in connection.execute("SELECT id FROM run")}
            self._values.remove([number for number in stored if number not in known])
        return deleted

    def close(self) -> None:
        """Release the runs of this process and close the file. Calling it twice is harmless."""
        super().close()
        self._database.close()

    def _lock_new(self, number: int) -> OwnerLock | None:
        try:
            lock = self._locks.take(str(number))
        except LocksUnsupportedError:
            return None
        if lock is None:
            raise JournalError(
                f"the number {number} of the new run is in use: "
                f"{self._locks.path(str(number))} is locked",
                ways_out=("was the journal deleted during a run? end that run",),
            )
        return lock


def _one_by_one(
    connection: sqlite3.Connection, statement: str, values: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """Return the rows of runs, each read for itself, because some page is damaged."""
    # This index has the numbers of all runs, whatever is in their rows.
    numbers = connection.execute("SELECT id FROM run INDEXED BY sqlite_autoindex_run_1").fetchall()
    one = statement.replace("ORDER BY", "AND id = :one ORDER BY")
    found = _each(connection, one, sorted(numbers, reverse=True), values)
    return list(islice(found, values["limit"]))


def _each(
    connection: sqlite3.Connection,
    statement: str,
    numbers: Iterable[tuple[int]],
    values: Mapping[str, Any],
) -> Iterator[Mapping[str, Any]]:
    for (number,) in numbers:
        try:
            yield from list(by_name(connection.execute(statement, {**values, "one": number})))
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            yield {"number": number, UNREADABLE: error}


AT_ONCE = 100  # Batch size; each run in a batch is an open file.


def prune(
    database: Database,
    locks: OwnerLocks,
    ago: float,
    release: Callable[[int], bool] | None = None,
) -> list[int]:
    """Delete the runs that were closed so many seconds ago and have no owner; return their numbers.

    Args:
        database: The database of the journal.
        locks: The locks of its runs.
        ago: The seconds.
        release: Called before a run is deleted, which stays if it returns False.
    """
    with database.reading() as connection:
        found = with_parts(
            connection.execute(SQL.prunable, (ago,)),
            connection.execute(SQL.numbers_of_parts),
        )
    deleted: list[int] = []
    step = AT_ONCE if release is None else 1  # A release may take long.
    for first in range(0, len(found), step):
        deleted += _prune_some(database, locks, found[first : first + step], ago, release)
    return deleted


def _prune_some(
    database: Database,
    locks: OwnerLocks,
    numbers: list[int],
    ago: float,
    release: Callable[[int], bool] | None,
) -> list[int]:
    with contextlib.ExitStack() as stack:
        # With their locks taken, no process can claim them meanwhile.
        ours = [number for number in numbers if _take(database, locks, number, stack)]
        if release is not None:
            ours = [each for each in ours if _is_prunable(database, each, ago) and release(each)]
        deleted = database.write(
            lambda connection: [
                number
                for number in ours
                if connection.execute(SQL.prune, (ago, number)).rowcount == 1
            ]
        )
        for number in deleted:
            locks.remove(number)
    return deleted


def _is_prunable(database: Database, number: int, ago: float) -> bool:
    with database.reading() as connection:
        return connection.execute(SQL.still_prunable, (ago, number)).fetchone() is not None


def _take(database: Database, locks: OwnerLocks, number: int, stack: contextlib.ExitStack) -> bool:
    try:
        if holder_of(database, locks, number) is not None:
            return False
    except JournalDamagedError:
        return False  # Somebody may want to look at it.
    except NotFoundError:
        pass
    with contextlib.suppress(LocksUnsupportedError):
        lock = locks.take(str(number))
        if lock is None:
            return False
        stack.callback(lock.close)
    return True


def open_journal(url: str, *, create: bool) -> SqliteJournal:
    """Open the journal in a file; the entry point `sqlite` of core.

    Args:
        url: A path, or `sqlite:///path`, which accepts `?synchronous=normal`, for commits that may
            be lost in a power failure, and `?lease=5`, the seconds without a sign of life after
            which an owner is considered stopped.
        create: Whether to create a missing file.

    Raises:
        JournalUrlError: The URL is not valid.
        NotFoundError: The file does not exist, and `create` is false.
        JournalError: The journal cannot be used.
    """
    if not url.lower().startswith("sqlite:"):
        return SqliteJournal(_path(url, shown=url), create=create)
    path, _, query = url.partition(":")[2].partition("?")
    if not path.startswith("///") or "#" in path:
        raise _wrong_url(
            f"'{url}' does not lead to a file: sqlite:// must be followed by an absolute path"
        )
    given = dict(parse_qsl(query, keep_blank_values=True))
    if not all(name in _OPTIONS and _OPTIONS[name].fullmatch(given[name]) for name in given):
        raise _wrong_url(f"'{url}' has an unknown option: '{query}'")
    options: dict[str, Any] = {**given, "lease": float(given.get("lease", SECONDS))}
    # Accept four slashes before an absolute path, as in URLs of SQLAlchemy.
    place = _path("/" + unquote(path[2:]).lstrip("/"), shown=url)
    return SqliteJournal(place, create=create, **options)


def _path(text: str, shown: str) -> Path:
    if not text or text == ":memory:" or text.endswith("/") or "\0" in text:
        raise _wrong_url(f"'{shown}' is not the path of a file")
    return Path(text)


def _wrong_url(message: str) -> JournalUrlError:
    hint = "use .handrail/runs.db, or sqlite:///srv/runs.db, which takes ?lease=SECONDS and "
    return JournalUrlError(message, ways_out=(f"{hint}?synchronous=normal (or full)",))
