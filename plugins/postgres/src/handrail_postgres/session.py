"""A session with the server."""

from __future__ import annotations

import os
import re
import threading
import weakref
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg import conninfo

from handrail.errors import JournalError, JournalUrlError
from handrail_postgres.failures import journal_error

if TYPE_CHECKING:
    from handrail.journal.backend import Connection

_OLDEST = 14  # pg_terminate_backend that waits

# What the URL says wins over these.
_DEFAULTS: dict[str, Any] = {
    "application_name": "handrail",
    "client_encoding": "utf8",
    "connect_timeout": 10,
    "keepalives_count": 3,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "tcp_user_timeout": 30_000,
}
# The server is to notice within a minute that a machine is gone, and a commit is to be durable.
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
    """Return a URL as people are told it."""
    return re.split("[?#]", url, maxsplit=1)[0]


def _options(url: str) -> dict[str, Any]:
    try:
        return conninfo.conninfo_to_dict(url)
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        raise JournalUrlError(
            f"'{without_options(url)}' is no URL of a database: {said}",
            ways_out=("such as postgresql://user@host/database?sslmode=verify-full",),
        ) from error


class Session:
    """One connection, for one thread at a time, which waits its turn; it is never made anew.

    Args:
        url: What libpq takes.

    Raises:
        JournalUrlError: It is none.
        JournalError: There is no way to that database.
    """

    def __init__(self, url: str) -> None:
        self.shown = without_options(url)
        self._process = os.getpid()
        self._turn = threading.RLock()
        given = _options(url)
        try:
            left = {name: value for name, value in _DEFAULTS.items() if name not in given}
            self._connection = psycopg.connect(url, autocommit=True, **left)
        except psycopg.Error as error:
            raise journal_error(error, self.shown) from error
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
        """Whether the connection is gone, and with it every lock."""
        return self._connection.closed

    @contextmanager
    def using(self) -> Generator[Connection, None, None]:
        """Use the connection within the block; each statement is a commit of its own.

        Raises:
            JournalError: What was done there failed.
        """
        if os.getpid() != self._process:
            raise JournalError(
                f"the journal {self.shown} was opened by the process {self._process}, "
                "from which this one was forked",
                ways_out=("open it again in this process",),
            )
        with self._turn:
            try:
                # The driver takes no text of ours for a statement, unless a checker is told.
                yield cast("Connection", self._connection)
            except psycopg.Error as error:
                raise journal_error(error, self.shown) from error

    @contextmanager
    def transaction(self) -> Generator[Connection, None, None]:
        """Write within the block, and commit at its end, unless it raises.

        Raises:
            JournalError: It cannot be written; unless the connection broke at the very end,
                nothing was.
        """
        with self.using() as connection, self._connection.transaction():
            yield connection

    @contextmanager
    def snapshot(self) -> Generator[Connection, None, None]:
        """Read within the block; all that is read is of one moment.

        Raises:
            JournalError: It cannot be read.
        """
        with self.transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    @contextmanager
    def batch(self) -> Generator[Connection, None, None]:
        """Write within the block like `transaction`, and wait for the server only for answers.

        Raises:
            JournalError: See `transaction`.
        """
        with self.using(), self._connection.pipeline(), self.transaction() as connection:
            yield connection

    def close(self) -> None:
        """Close it; harmless twice. A forked child leaves it to its parent."""
        if os.getpid() == self._process:
            with self._turn:
                self._connection.close()

    def forget(self) -> None:
        """Let go of the connection of the parent, in a forked child."""
        with suppress(psycopg.Error):
            nothing = os.open(os.devnull, os.O_RDWR)
            # Nobody else gets its number: the driver still believes that it is the connection's.
            os.dup2(nothing, self._connection.fileno(), inheritable=False)
            os.close(nothing)


_open: weakref.WeakSet[Session] = weakref.WeakSet()


def _forget_in_child() -> None:
    # A child that outlives its parent would keep the connection open, and the server the lock.
    for session in list(_open):
        session.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
