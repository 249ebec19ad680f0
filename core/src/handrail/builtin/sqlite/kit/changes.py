"""Converts new runs and changes to rows, and writes them to a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, cast

from handrail.builtin.sqlite.kit.owner import Owner
from handrail.builtin.sqlite.kit.rows import (
    ATTEMPT,
    CHUNK,
    FIELD,
    FREE_TEXTS,
    ITEM_NOTE,
    KEPT,
    NEW_COLUMNS,
    NOTE,
    Kind,
    checksum,
    checksum_of_plan,
    checksum_of_run,
    to_stored,
)
from handrail.errors import LeaseLostError
from handrail.frozen import names_of, record, values_of
from handrail.journal import now
from handrail.journal.damage import MISFIT
from handrail.journal.records import (
    AttemptChange,
    ChunkChange,
    FieldRow,
    ItemNoteRow,
    NoteRow,
    RelianceChange,
    RunChange,
)

if TYPE_CHECKING:
    from handrail.builtin.sqlite.kit.statements import Statements
    from handrail.journal.records import Change, KeptRow, NewRun


Values = Sequence[object] | Mapping[str, object]
"""The parameters of a statement: in the order of its `?`, or by `:name`."""


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def description(self) -> Sequence[Sequence[Any]] | None:
        """The columns; the first value of each is the name."""
        ...

    @property
    def rowcount(self) -> int:
        """The number of changed rows."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        ...

    def execute(self, statement: str, values: Values = ..., /) -> object:
        """Execute a statement."""
        ...

    def executemany(self, statement: str, values: Sequence[Sequence[object]], /) -> object:
        """Execute a statement once for each of `values`."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A connection to the database; for writes, within a transaction."""

    def execute(self, statement: str, values: Values = ..., /) -> Cursor:
        """Execute a statement and return its result."""
        ...

    def cursor(self) -> Cursor:
        """Return a cursor for several statements."""
        ...


RowValues = tuple[object, ...]


_KINDS: Mapping[type, Kind] = {
    AttemptChange: ATTEMPT,
    NoteRow: NOTE,
    FieldRow: FIELD,
    ChunkChange: CHUNK,
    ItemNoteRow: ITEM_NOTE,
}


@record
class Rows:
    """The rows that one commit writes to each table, and its changes to the run.

    Attributes:
        of: The rows of each kind, in order, as `Kind.stored` returns them.
        reliance: run, uid.
        run: The values of the run that change, by their names in a `RunChange`; None if the run
            itself does not change.
    """

    of: dict[Kind, list[RowValues]] = field(default_factory=dict[Kind, list[RowValues]])
    reliance: list[RowValues] = field(default_factory=list[RowValues])
    run: dict[str, str] | None = None

    @property
    def ends(self) -> bool:
        """Whether the run ends with them."""
        return self.run is not None and "outcome" in self.run


def attempts_of(run: int, uid: str, batches: Iterable[Sequence[Change]]) -> list[object] | None:
    """Return the values of all attempts in one list, or None if there are other changes."""
    values: list[object] = []
    for batch in batches:
        for change in batch:
            if not isinstance(change, AttemptChange):
                return None
            values += _attempt(run, uid, change)
    return values


def rows_of(run: int, uid: str, batches: Iterable[Sequence[Change]]) -> Rows:
    """Return the rows for all changes in `batches` to the run.

    Args:
        run: The number of the run.
        uid: Its UUID.
        batches: The changes.
    """
    rows = Rows()
    for change in chain.from_iterable(batches):
        kind = _KINDS.get(type(change))
        if isinstance(change, RelianceChange):
            rows.reliance += [(run, to_stored(each)) for each in change.uids]
        elif isinstance(change, RunChange):
            rows.run = {**(rows.run or {}), **dict(_of_run(change))}
        elif kind is not None:
            rows.of.setdefault(kind, []).append(kind.stored(run, uid, change))
    return rows


def _of_run(change: RunChange) -> Iterator[tuple[str, str]]:
    """Yield the values of a change of the run that are not None."""
    for name, value in values_of(change).items():
        if value not in (None, False):
            yield name, "yes" if value is True else to_stored(value)


def _attempt(run: int, uid: str, change: AttemptChange) -> RowValues:
    # Fast path: what `Kind.stored` does, for most of what is written.
    step, n, state, data_version, result, error = change
    step = to_stored(step)
    error = None if error is None else to_stored(error)
    crc = checksum(ATTEMPT.table, uid, step, n, result)
    return run, step, n, state, data_version, result, error, crc


def write_kept(
    connection: Connection,
    statements: Statements,
    rows: Sequence[KeptRow],
    uid: str,
    ours: Mapping[str, object],
) -> None:
    """Check within the transaction that we own the run, and write rows beside it.

    Args:
        connection: The connection, within the transaction.
        statements: The statements in its dialect.
        rows: The rows.
        uid: The UUID of the run.
        ours: `run` and `fence`.

    Raises:
        LeaseLostError: We no longer own the run, or it is closed.
    """
    if connection.execute(statements.still_ours, ours).fetchone() is None:
        raise lost(connection, statements, ours)
    run = cast("int", ours["run"])
    values = [KEPT.stored(run, uid, row) for row in rows]
    connection.cursor().executemany(statements.keep, values)


def new_values(new: NewRun) -> dict[str, str | int | None]:
    """Return the stored values of a new run, by column, with its checksums."""
    values = {name: getattr(new, name) for name in NEW_COLUMNS}
    values |= {name: to_stored(values[name]) for name in FREE_TEXTS if values.get(name) is not None}
    return {
        **values,
        "crc": checksum_of_run(values),
        "plan_crc": checksum_of_plan(new.uid, new.plan),
    }


def add_run(
    connection: Connection,
    statements: Statements,
    new: NewRun,
    changes: Sequence[Change],
    ours: Mapping[str, object],
    own: Callable[[int], str],
) -> int:
    """Add a run within the transaction, with its first changes; return its number.

    Args:
        connection: The connection, within the transaction.
        statements: The statements in its dialect.
        new: The run.
        changes: Its first changes.
        ours: The values of the lease.
        own: Takes the lock of the run with this number, and returns its owner as JSON.

    Raises:
        LeaseLostError: It has a parent, which belongs to another owner, or is over or undone.
    """
    if new.parent is not None:
        whole = {"run": new.parent, "fence": new.parent_fence}
        if connection.execute(statements.parent, whole).fetchone() is None:
            raise lost(connection, statements, whole)
    values = {**new_values(new), "owner": "", **ours}
    number = cast("int", connection.execute(statements.open, values).fetchone()[0])
    connection.execute(statements.plan, (number, new.plan))
    connection.execute(statements.name_owner, (own(number), number))
    rows = rows_of(number, new.uid, (changes,))
    if rows.run is not None:
        change_run(connection, statements, rows, {**ours, "run": number, "fence": 1})
    write_rows(connection, statements, rows)
    return number


def change_run(
    connection: Connection,
    statements: Statements,
    rows: Rows,
    ours: Mapping[str, object],
    *,
    renew: bool = True,
) -> None:
    """Check within the transaction that we own the run, and change it or renew its lease.

    Args:
        connection: The connection, within the transaction.
        statements: The statements in its dialect.
        rows: The rows of the commit.
        ours: `run` and `fence`, and the values of the lease.
        renew: Whether to renew the lease if the run does not change; otherwise it is only checked.

    Raises:
        LeaseLostError: We no longer own the run, or it is closed.
    """
    if rows.run is not None:
        new = {**dict.fromkeys(names_of(RunChange)), **rows.run}
        found = connection.execute(statements.change, {**new, **ours}).fetchone()
    else:
        statement = statements.renew if renew else statements.still_ours
        found = connection.execute(statement, ours).fetchone()
    if found is None:
        raise lost(connection, statements, ours)


def lost_error(
    number: int, fence: int, found: tuple[int, str | None, str] | None
) -> LeaseLostError:
    """Return the error for a write to a run that we no longer own.

    Args:
        number: The number of the run.
        fence: The writer's fence.
        found: The recorded fence, outcome and owner; None if the run is gone.
    """
    if found is None:
        return LeaseLostError(f"run {number} was deleted from the journal")
    now, outcome, owner = found
    described = "another process"
    if now != fence:
        with suppress(*MISFIT):
            described = Owner.from_json(owner).described
        return LeaseLostError(
            f"run {number} was taken over by {described}; this process must stop working on it",
            ways_out=(f"handrail show {number}",),
        )
    return LeaseLostError(f"run {number} is closed ({outcome}); nothing more can be recorded in it")


def lost(
    connection: Connection, statements: Statements, ours: Mapping[str, object]
) -> LeaseLostError:
    """Return the error for a run that we no longer own; `ours` has its `run` and `fence`."""
    found = connection.execute(statements.state, ours).fetchone()
    return lost_error(cast("int", ours["run"]), cast("int", ours["fence"]), found)


def write_rows(connection: Connection, statements: Statements, rows: Rows) -> None:
    """Write the rows of a commit, but for that of the run.

    Args:
        connection: The connection, within the transaction.
        statements: The statements in its dialect.
        rows: The rows of the commit.
    """
    cursor, now_in = connection.cursor(), (now(),) if statements.takes_time else ()
    written = [(statements.reliance, rows.reliance)]
    for kind, values in rows.of.items():
        at = now_in if kind in (ATTEMPT, CHUNK) else ()
        written.append((getattr(statements, kind.table), [(*each, *at) for each in values]))
    for statement, values in written:
        if len(values) == 1:
            cursor.execute(statement, values[0])
        elif values:
            cursor.executemany(statement, values)
