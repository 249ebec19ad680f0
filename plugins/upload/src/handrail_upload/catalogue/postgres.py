"""A catalogue in a PostgreSQL database."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from itertools import count
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from handrail_upload.catalogue.address import PostgresAddress
from handrail_upload.catalogue.database import (
    Cursor,
    Database,
    Row,
    TablesGoneError,
    UnreachableError,
    Values,
)
from handrail_upload.catalogue.reconnecting import IN_ALL, SAID_AFTER, is_end, may_come_back, pauses
from handrail_upload.errors import CatalogueError
from handrail_upload.listing import Listing

if TYPE_CHECKING:
    import psycopg

OnStatus = Callable[[str | None], object]
T = TypeVar("T")

_MAKING = 0x68616E647261696C  # "handrail": the advisory lock for creating the tables.
_RUN = 0x68616E64  # "hand": the first half of the advisory locks of runs.
_COLLECTION = 0x636F6C6C  # "coll": and of those of collections.
_VALUE = re.compile(r":(\w+)")

# Whether the server at a URL has answered when it was last asked: one that has is waited for, and
# one that never did may have a wrong address.
_answers: dict[str, bool] = {}
# A lost server is noticed after a minute, even if a firewall silently drops packets.
_KEEP_ALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
# SQLSTATEs of transactions that the server has undone so that others could go on.
_GAVE_WAY = ("40001", "40P01")

_TEMPORARY = (
    """
    CREATE TEMPORARY TABLE given_unit (
        name text COLLATE "C" PRIMARY KEY, metadata text COLLATE "C"
    ) ON COMMIT DROP
    """,
    """
    CREATE TEMPORARY TABLE given_file (
        unit text COLLATE "C", role text COLLATE "C", name text, location text, key text,
        size bigint, sha256 text, etag text, PRIMARY KEY (unit, role)
    ) ON COMMIT DROP
    """,
    """
    CREATE TEMPORARY TABLE differing_unit (
        name text COLLATE "C" PRIMARY KEY, id bigint, metadata text COLLATE "C"
    ) ON COMMIT DROP
    """,
)


# Rights that every new table of the owner gets there are none that somebody has given to ours.
_GRANTED = """
    SELECT 1 FROM unnest(CAST(:tables AS text[])) t (name)
    JOIN pg_class c ON c.oid = to_regclass(t.name)
    CROSS JOIN LATERAL aclexplode(c.relacl) a
    WHERE a.grantee <> c.relowner AND NOT EXISTS (
        SELECT 1 FROM pg_default_acl d CROSS JOIN LATERAL aclexplode(d.defaclacl) e
        WHERE d.defaclrole = c.relowner AND d.defaclobjtype = 'r'
        AND d.defaclnamespace IN (0, c.relnamespace)
        AND e.grantee = a.grantee AND e.privilege_type = a.privilege_type
    )
    LIMIT 1
"""


class PostgresDatabase(Database):
    """A PostgreSQL database; the tables are in the first schema of its `search_path`.

    Transactions are READ COMMITTED: a statement after a lock sees the changes of the previous owner
    of the lock. Settings are per transaction, so that PgBouncer can be used.
    """

    types: ClassVar[Mapping[str, str]] = {
        "id": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "integer": "bigint",
        # The collations of a system change with it, and then its indexes are wrong.
        "text": 'text COLLATE "C"',
        "moment": "timestamptz",
    }

    def __init__(
        self,
        address: PostgresAddress,
        timeout: float,
        *,
        known: bool = False,
        on_status: OnStatus = lambda status: None,
    ) -> None:
        super().__init__(address.shown, timeout)
        self._url = address.url
        self._on_status = on_status
        if known:
            _answers.setdefault(self._url, True)

    def patiently(self, work: Callable[[], T]) -> T:
        waits = pauses()
        for number in count():
            try:
                result = work()
            except UnreachableError as error:
                if not _answers.get(self._url):
                    raise
                pause, left = next(waits, (0.0, 0.0))
                if not left:
                    # It is not waited for again until it has answered.
                    _answers[self._url] = False
                    message = f"{error.message} (no answer for {IN_ALL:.0f} s)"
                    raise CatalogueError(message, ways_out=error.ways_out) from error.__cause__
                if left < IN_ALL - SAID_AFTER:
                    self._on_status(
                        f"retrying {number + 1}, for up to {left:.0f} s: "
                        f"the catalogue cannot be reached: {error.reason}"
                    )
                time.sleep(pause)
            else:
                if number:
                    self._on_status(None)
                return result
        raise AssertionError("it counts without end")

    def rows(self, statement: str, **values: object) -> list[Row]:
        status = None if self._connection is None else self._connection.info.transaction_status
        if status not in (None, _driver().pq.TransactionStatus.IDLE):
            return super().rows(statement, **values)

        def read() -> list[Row]:
            with self.transaction():  # Its settings are for readers, too.
                return super(PostgresDatabase, self).rows(statement, **values)

        return self.patiently(read)

    @contextmanager
    def publishing(self, listing: Listing) -> Generator[None, None, None]:
        # Loaded within the transaction: PgBouncer may give the next one another session.
        with self.transaction():
            for statement in _TEMPORARY:
                self.change(statement)
            self.fill("given_unit", listing.rows(listing.units))
            self.fill("given_file", listing.rows(listing.files))
            # The server knows little of tables that were just filled. Rows are always looked up by
            # their keys, so that a few units in a large collection cost as little as they should.
            self.change("SET LOCAL enable_hashjoin = off")
            self.change("SET LOCAL enable_mergejoin = off")
            yield

    def fill(self, table: str, rows: Iterable[Row]) -> None:
        with (
            self._converting_errors(),
            self._connected().cursor() as cursor,
            cursor.copy(f"COPY {table} FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def moment(self, when: datetime) -> object:
        return when

    def exists(self) -> bool:
        def connect() -> None:
            with self._converting_errors():
                self._connected()

        self.patiently(connect)
        return True

    def columns(self, table: str) -> tuple[str, ...]:
        found = self.rows(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:table)"
            " AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            table=table,
        )
        return tuple(name for (name,) in found)

    def lock_making(self) -> None:
        self.rows("SELECT pg_advisory_xact_lock(:lock)", lock=_MAKING)

    def lock_run(self, run: str) -> None:
        self._lock(_RUN, run)

    def lock_collection(self, name: str) -> None:
        self._lock(_COLLECTION, name)

    def _lock(self, kind: int, name: str) -> None:
        self.rows("SELECT pg_advisory_xact_lock(:kind, hashtext(:name))", kind=kind, name=name)

    def lock_tables(self, tables: Sequence[str]) -> None:
        self.change(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")

    def is_granted(self, tables: Sequence[str]) -> bool:
        return bool(self.rows(_GRANTED, tables=list(tables)))

    def drop(self, tables: Sequence[str]) -> bool:
        connection, errors = self._connected(), _driver().errors
        with self._converting_errors():
            connection.execute("SAVEPOINT before_drop")
            try:
                self._execute(connection, f"DROP TABLE {', '.join(tables)}", {})
            except errors.DependentObjectsStillExist:
                connection.execute("ROLLBACK TO SAVEPOINT before_drop")
                return False
        return True

    def _connect(self) -> psycopg.Connection[Any]:
        driver = _driver()
        given = driver.conninfo.conninfo_to_dict(self._url)
        defaults = {
            "application_name": "handrail-upload",
            "connect_timeout": max(2, ceil(self.timeout)),  # libpq takes 1 as 2.
            **_KEEP_ALIVE,
        }
        left = {name: value for name, value in defaults.items() if name not in given}
        connection: psycopg.Connection[Any] = driver.connect(self._url, autocommit=True, **left)
        _answers[self._url] = True
        return connection

    def _begin(self, connection: Any, *, alone: bool) -> None:
        connection.execute(
            "BEGIN ISOLATION LEVEL READ COMMITTED;"
            f"SET LOCAL lock_timeout = {ceil(self.timeout * 1000)};"
            # Tables are mostly empty when the server looks, and then it plans to read all of them.
            "SET LOCAL enable_seqscan = off;"
            "SET LOCAL jit = off"
        )

    def _execute(
        self, connection: psycopg.Connection[Any], statement: str, values: Values
    ) -> Cursor:
        # Not prepared: its plan would stay as it was when the tables were empty.
        return connection.execute(_translated(statement), values, prepare=False)

    def _roll_back(self) -> None:
        connection: psycopg.Connection[Any] | None = self._connection
        if connection is None or self._process != os.getpid():
            return
        with suppress(_driver().Error):
            if not connection.closed:
                connection.execute("ROLLBACK")
        if connection.closed:
            self.close()  # The next use connects again.

    @contextmanager
    def _converting_errors(self) -> Generator[None, None, None]:
        psycopg = _driver()
        try:
            yield
        except psycopg.Error as error:
            raise self._error(error) from error
        except UnicodeEncodeError as error:
            raise CatalogueError(f"{self.shown} takes no text that is not Unicode") from error

    def _error(self, error: psycopg.Error) -> CatalogueError:
        diagnosis = error.diag
        words = [diagnosis.message_primary, diagnosis.message_detail, diagnosis.message_hint]
        said = "; ".join(word for word in words if word) or str(error)
        state = error.sqlstate or ""
        if state == "55P03":
            return CatalogueError(
                f"{self.shown} is locked: another run or program holds it; "
                f"waited for {self.timeout:g} s ({said})",
                ways_out=("wait for the other one to finish; then run it again",),
            )
        if state == "42P01":
            return TablesGoneError(self.shown, said)
        way_out = _WAYS_OUT.get(state, _WAYS_OUT.get(state[:2], ""))
        reason = " ".join(said.split())
        message = f"{self.shown}: {reason}"
        connection = self._connection
        lost = may_come_back(said) if connection is None else connection.closed or is_end(state)
        if lost or state in _GAVE_WAY:
            return UnreachableError(message, reason=reason, ways_out=(way_out,))
        return CatalogueError(message, ways_out=(way_out,))


_WAYS_OUT = {
    "": "is the server running, and reachable from here? psql with the same URL tells",
    "08": "the connection was lost; what was not committed is undone; run it again",
    "57P01": "the server was stopped; what was not committed is undone; run it again",
    "28": "check the user and its password: PGPASSWORD, or ~/.pgpass",
    "3D000": "make the database first: createdb, or name another one in the URL",
    "42501": "ask who administers the database for the right, or use another schema: "
    "?options=-csearch_path%3DNAME",
    "53": "the server is out of space or connections; nothing was lost",
    "57014": "statement_timeout of the server is too short for this; set it higher for this user",
    "25006": "this server only reads; name the one that writes",
}


@lru_cache(maxsize=256)
def _translated(statement: str) -> Any:
    # Any, because psycopg requires literal statements; ours come from constants.
    return _VALUE.sub(r"%(\1)s", statement)


def _driver() -> Any:
    try:
        import psycopg  # noqa: PLC0415 - heavy, and only there with the extra
    except ImportError as error:
        raise CatalogueError(
            "a catalogue in PostgreSQL needs psycopg, which is not installed",
            ways_out=("pip install 'handrail-upload[postgres]'",),
        ) from error
    return psycopg
