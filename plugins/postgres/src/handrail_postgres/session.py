"""Session: one connection to the server, with its errors converted."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import psycopg
from psycopg import conninfo

from handrail.errors import JournalError, JournalUrlError
from handrail_postgres.failures import UnreachableError, journal_error
from handrail_postgres.reconnecting import IN_ALL, SAID_AFTER, is_end, may_come_back, pauses

if TYPE_CHECKING:
    from handrail.sqlite import Connection

T = TypeVar("T")

_log = logging.getLogger("handrail_postgres")
_OLDEST = 14  # pg_terminate_backend that waits

# Connection parameters; those in the URL take precedence.
_DEFAULTS: dict[str, Any] = {
    "application_name": "handrail",
    "client_encoding": "utf8",
    "connect_timeout": 10,
    "keepalives_count": 3,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "tcp_user_timeout": 30_000,
}
# Make the server detect within a minute that a machine is gone, and make commits durable.
_SETTINGS = """
    SELECT set_config('tcp_keepalives_idle', '30', false),
           set_config('tcp_keepalives_interval', '10', false),
           set_config('tcp_keepalives_count', '3', false),
           set_config('idle_in_transaction_session_timeout', '0', false),
           CASE WHEN current_setting('synchronous_commit') = 'off'
                THEN set_config('synchronous_commit', 'on', false) END,
           current_setting('server_encoding')
"""


def without_options(url: str) -> str:
    """Return a URL for display, without options."""
    return re.split("[?#]", url, maxsplit=1)[0]


def _options(url: str) -> dict[str, Any]:
    try:
        return conninfo.conninfo_to_dict(url)
    except psycopg.Error as error:
        message = " ".join(str(error).split())
        raise JournalUrlError(
            f"'{without_options(url)}' is not the URL of a database: {message}",
            ways_out=("such as postgresql://user@host/database?sslmode=verify-full",),
        ) from error


def patiently(
    work: Callable[[], T], wait: Callable[[Callable[[], None]], None] = lambda pause: pause()
) -> T:
    """Return the result of `work`, which is done again while the server cannot be reached.

    Args:
        work: What to do; it is harmless to repeat, and connects again by itself.
        wait: Called with a function that waits for a while.

    Raises:
        JournalError: The server stayed away, or it failed in another way.
    """
    told = False
    for pause, left in pauses():
        try:
            return work()
        except UnreachableError as error:
            if not told and left < IN_ALL - SAID_AFTER:
                told = True
                _log.warning("%s; trying again for up to %.0f s", error.message, left)
        wait(partial(_sleep, pause))
    try:
        return work()
    except UnreachableError as error:
        message = f"{error.message} (no answer for {IN_ALL:.0f} s)"
        raise JournalError(message, ways_out=error.ways_out) from error.__cause__


_quiet = threading.local()


@contextmanager
def _quietly() -> Generator[None, None, None]:
    """Log nothing of what the driver says about a connection that is lost: the error says it."""
    before = getattr(_quiet, "on", False)
    _quiet.on = True
    try:
        yield
    finally:
        _quiet.on = before


logging.getLogger("psycopg").addFilter(lambda _record: not getattr(_quiet, "on", False))


def _sleep(seconds: float) -> None:
    # In Python: a signal is told from the engine's by the functions that are being called.
    time.sleep(seconds)


class Session:
    """One connection, used by threads in turn; a lost connection is never replaced.

    Args:
        url: A libpq URL.

    Raises:
        JournalUrlError: The URL is not valid.
        UnreachableError: The database cannot be reached, and may be soon.
        JournalError: The database cannot be used.
    """

    def __init__(self, url: str) -> None:
        self.shown = without_options(url)
        self._process = os.getpid()
        self._turn = threading.RLock()
        self._descriptor: int | None = None
        self._uses = 0
        given = _options(url)
        try:
            left = {name: value for name, value in _DEFAULTS.items() if name not in given}
            self._connection = psycopg.connect(url, autocommit=True, **left)
        except psycopg.Error as error:
            lost = may_come_back(str(error))
            raise journal_error(error, self.shown, lost=lost) from error
        self.backend = self._connection.info.backend_pid
        _open.add(self)
        try:
            self._check_version()
            with self.using() as connection:
                row = connection.execute(_SETTINGS).fetchone()
            encoding = row[-1] if row else ""
            if encoding != "UTF8":
                raise JournalError(
                    f"the journal {self.shown}: the database has the encoding {encoding}",
                    ways_out=("use one that was made with ENCODING 'UTF8'",),
                )
        except BaseException:
            self.close()
            raise

    def _check_version(self) -> None:
        found = self._connection.info.server_version // 10_000
        if found < _OLDEST:
            raise JournalError(
                f"the journal {self.shown} is on PostgreSQL {found}; it needs {_OLDEST} or newer",
                ways_out=("name a newer server, or a file: --journal PATH",),
            )

    @property
    def lost(self) -> bool:
        """Whether the connection, and with it every lock, is lost."""
        return self._connection.closed

    @property
    def descriptor(self) -> int | None:
        """A descriptor of the connection, or None if it is lost.

        The server keeps the session while any process has it.
        """
        if self._connection.closed:
            return None
        if self._descriptor is None:
            self._descriptor = os.dup(self._connection.fileno())
        return self._descriptor

    def replace(self, lost: Session) -> None:
        """Take the number of the descriptor of a lost session, which is known elsewhere."""
        number, lost._descriptor = lost._descriptor, None
        if number is not None:
            self._descriptor = os.dup2(self._connection.fileno(), number, inheritable=False)

    @contextmanager
    def using(self) -> Generator[Connection, None, None]:
        """Return a context manager with the connection; each statement is its own commit.

        Raises:
            UnreachableError: The connection is lost.
            JournalError: A statement in the block failed.
        """
        self.refuse_fork()
        with self._turn:
            self._uses += 1
            try:
                # The cast is needed because psycopg's stubs accept only literal statements.
                yield cast("Connection", self._connection)
            except psycopg.Error as error:
                if is_end(error.sqlstate) or (self._uses == 1 and not self._is_idle()):
                    self._connection.close()
                raise journal_error(error, self.shown, lost=self.lost) from error
            finally:
                self._uses -= 1

    def _is_idle(self) -> bool:
        """Return whether the connection can be used for something new."""
        info = self._connection.info
        off = info.pipeline_status == psycopg.pq.PipelineStatus.OFF
        return off and info.transaction_status == psycopg.pq.TransactionStatus.IDLE

    def refuse_fork(self) -> None:
        """Raise a JournalError in a forked child, which must not use the connection."""
        if os.getpid() != self._process:
            raise JournalError(
                f"the journal {self.shown} was opened by the process {self._process}, "
                "from which this one was forked",
                ways_out=("open it again in this process",),
            )

    @contextmanager
    def transaction(self) -> Generator[Connection, None, None]:
        """Return a context manager with a transaction, committed unless the block raises.

        Raises:
            JournalError: The journal cannot be written. Nothing was changed, unless the connection
                was lost during the commit.
        """
        with self.using() as connection, _quietly(), self._connection.transaction():
            yield connection

    @contextmanager
    def snapshot(self) -> Generator[Connection, None, None]:
        """Return a context manager with a connection that reads a consistent snapshot.

        Raises:
            JournalError: The journal cannot be read.
        """
        with self.transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    @contextmanager
    def batch(self) -> Generator[Connection, None, None]:
        """Like `transaction`, in pipeline mode: only statements with a result wait for the server.

        Raises:
            JournalError: See `transaction`.
        """
        with self.pipeline(), self.transaction() as connection:
            yield connection

    @contextmanager
    def pipeline(self) -> Generator[Connection, None, None]:
        """Like `using`, in pipeline mode: only statements with a result wait for the server.

        Raises:
            JournalError: See `using`.
        """
        with self.using() as connection, _quietly(), self._connection.pipeline():
            yield connection

    def close(self) -> None:
        """Close the connection, unless in a forked child. Calling it twice is harmless."""
        if os.getpid() == self._process:
            with self._turn:
                self._connection.close()
                number, self._descriptor = self._descriptor, None
                if number is not None:
                    os.close(number)

    def forget(self) -> None:
        """Detach a forked child from the connection of its parent."""
        with suppress(psycopg.Error):
            nothing = os.open(os.devnull, os.O_RDWR)
            # Keep the numbers occupied: the driver still uses its own.
            if self._descriptor is not None:
                os.dup2(nothing, self._descriptor, inheritable=False)
            os.dup2(nothing, self._connection.fileno(), inheritable=False)
            os.close(nothing)


_open: weakref.WeakSet[Session] = weakref.WeakSet()


def _forget_in_child() -> None:
    # A child that outlives its parent would keep the connection open, and so the lock taken.
    for session in list(_open):
        session.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
