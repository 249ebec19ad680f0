"""SqlJournal: the common part of journals in SQL databases."""

from __future__ import annotations

import re
import weakref
from abc import abstractmethod
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from handrail.builtin.sqlite.kit.owned import SqlOwnedRun
from handrail.builtin.sqlite.kit.rows import (
    ATTEMPT,
    CHUNK,
    FIELD,
    ITEM_NOTE,
    KEPT,
    NOTE,
    Damage,
    Kind,
    by_name,
    check_counts,
    from_stored,
    reliance_of,
    run_row,
    run_row_or_damage,
    sound_row,
    to_stored,
    unknown_run,
)
from handrail.builtin.sqlite.kit.statements import BOUNDS_AT_ONCE, CHUNKS_AT_ONCE, RUNS_AT_ONCE
from handrail.errors import JournalDamagedError
from handrail.frozen import replace
from handrail.journal import Journal, RunCheck, now
from handrail.journal.records import UNDO_TRACEBACK, ChunkCount, KeptRow, RunPage, RunRow

if TYPE_CHECKING:
    from handrail.builtin.sqlite.kit.changes import Connection, Cursor
    from handrail.builtin.sqlite.kit.statements import Statements
    from handrail.journal.records import (
        Change,
        ChunkRow,
        ItemNoteRow,
        NewRun,
        Outcome,
        Reliance,
        RunRow,
    )

_ALL = 2**63 - 1  # The greatest number; valid as a LIMIT in every database.

Run = TypeVar("Run", bound=SqlOwnedRun)


class SqlJournal(Journal, Generic[Run]):
    """Reads a journal with SQL, and releases the runs of this process when it is closed.

    Args:
        statements: The statements in the dialect of the database.
    """

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._owned: weakref.WeakSet[Run] = weakref.WeakSet()

    def open_run(self, new: NewRun, changes: Sequence[Change] = ()) -> Run:
        """Add a run owned by this process; see `Journal`."""
        return self._own(self._opened(new, changes))

    @abstractmethod
    def _opened(self, new: NewRun, changes: Sequence[Change]) -> Run:
        """Add a run with `add_run`; return it, owned by this process."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Connection]:
        """Return a context manager with a connection that reads a consistent snapshot."""

    def runs(
        self,
        *,
        limit: int | None = None,
        action: str | None = None,
        outcome: Outcome | None = None,
        project: str | None = None,
        parts: bool = False,
    ) -> list[RunRow]:
        """Return runs, without their plans, the latest first; also those whose row is damaged.

        Args:
            limit: The maximum number of runs; None for all.
            action: Only runs of this action: its name, or the part after the last colon.
            outcome: Only runs with this outcome; `interrupted` for runs that have not ended.
            project: Only runs of this project.
            parts: Whether also those that are parts of others.
        """
        statement = self._statements.every_run if parts else self._statements.runs
        values = {
            "limit": _ALL if limit is None else limit,
            "action": None if action is None else to_stored(action),
            "outcome": outcome,
            "project": None if project is None else to_stored(project),
        }
        with self._reading() as connection:
            found = self._run_rows(connection, statement, values)
            return [run_row_or_damage(row) for row in found]

    def find_runs(
        self,
        *,
        text: str | None = None,
        action: str | None = None,
        outcome: Outcome | None = None,
        before: int | None = None,
        limit: int,
    ) -> RunPage:
        """Return some of the runs that fit, the latest first, and how many fit in all.

        Args:
            text: Only runs with this text in the action, the project, the params, the UUID, or in
                why a step failed if the journal can search that; in upper or lower case. And the
                run with this number.
            action: Only runs of this action: its name, or the part after the last colon.
            outcome: Only runs with this outcome; `interrupted` for runs that have not ended.
            before: Only runs with lower numbers; they are counted all the same.
            limit: The maximum number of runs.
        """
        statements = self._statements
        # `!` makes what follows it stand for itself.
        spelled = re.sub("[!%_]", r"!\g<0>", text or "")
        values = {
            "limit": limit,
            "before": _ALL if before is None else before,
            "action": None if action is None else to_stored(action),
            "outcome": outcome,
            "text": f"%{to_stored(spelled)}%" if text else None,
            "number": text or None,
        }
        with self._reading() as connection:
            rows = self._run_rows(connection, statements.found_runs, values)
            found = [run_row_or_damage(row) for row in rows]
            (count,) = connection.execute(statements.count_found, values).fetchone()
            named = connection.execute(statements.actions)
            actions = sorted(from_stored(name) for (name,) in named)
            errors: dict[int, list[str]] = {}
            for these in _at_once([row.number for row in found]):
                for number, error in connection.execute(statements.errors, these):
                    message = from_stored(error).partition(UNDO_TRACEBACK)[0]
                    errors.setdefault(number, []).append(message)
        return RunPage(rows=found, count=count, actions=actions, errors=errors)

    def parts(self, number: int, *, item: int | None = None) -> list[RunRow]:
        """Return the runs that are parts of a run, as they were opened, without their plans.

        Args:
            number: The number of the run.
            item: Only those that were opened for this item.
        """
        statements = self._statements
        statement = statements.parts if item is None else statements.parts_of_item
        values = {"run": number, "item": item, "limit": _ALL}
        with self._reading() as connection:
            found = self._run_rows(connection, statement, values)
            return [run_row_or_damage(row) for row in found]

    def count_parts(self, number: int) -> Mapping[str, int]:
        """Return how many items of a run have which outcome, by their latest attempt."""
        with self._reading() as connection:
            return dict(connection.execute(self._statements.count_parts, {"run": number}))

    def _run_rows(
        self, connection: Connection, statement: str, values: Mapping[str, Any]
    ) -> Iterable[Mapping[str, Any]]:
        """Return the rows of runs by column; for one that cannot be read, see `UNREADABLE`."""
        return by_name(connection.execute(statement, values))

    def read(self, number: int, *, fields: bool = True) -> RunRow:
        """Return the complete record of one run.

        Args:
            number: The number of the run.
            fields: Whether to read the context's fields, which may be many; otherwise there are
                none.

        Raises:
            NotFoundError: There is no such run; the message lists the closest numbers.
            JournalDamagedError: A row of the run is not what was written.
        """
        with self._reading() as connection:
            return self._recorded(connection, number, fields=fields)

    def _recorded(self, connection: Connection, number: int, *, fields: bool) -> RunRow:
        statements, run = self._statements, {"run": number}
        execute = connection.execute
        row = self._row(connection, number, statements.run)
        found = replace(
            row,
            attempts=ATTEMPT.rows(number, row.uid, execute(statements.attempts, run)),
            notes=NOTE.rows(number, row.uid, execute(statements.notes, run)),
            fields=FIELD.rows(number, row.uid, execute(statements.fields, run)) if fields else (),
        )
        read = len(found.fields) if fields else None
        check_counts(row, len(found.attempts), len(found.notes), read)
        return found

    def chunks(
        self,
        number: int,
        step: str,
        n: int,
        *,
        first: int = 0,
        back: bool = False,
        contents: bool = True,
    ) -> Iterator[ChunkRow]:
        """Yield the chunks of an attempt of a step, by their numbers; only a few are held.

        Args:
            number: The number of the run.
            step: Name of the step.
            n: Number of the attempt.
            first: The number of the first one.
            back: Whether the last one comes first, and that the last.
            contents: Whether to read items, results and errors, too; then they are checked.

        Raises:
            JournalDamagedError: A row is not what was written.
        """
        of = self._statements
        if back:
            statement = of.chunks_back if contents else of.chunk_bounds_back
        else:
            statement = of.chunks if contents else of.chunk_bounds
        beyond = _ALL if back else first - 1
        values = {"run": number, "step": to_stored(step), "n": n, "first": first}
        uid: str | None = None
        while True:
            # Each page is read for itself: whoever takes the rows may write to the journal.
            with self._reading() as connection:
                if uid is None:
                    uid = self._uid(connection, number)
                page = list(connection.execute(statement, {**values, "beyond": beyond}))
            yield from CHUNK.rows(number, uid, page)
            if len(page) < (CHUNKS_AT_ONCE if contents else BOUNDS_AT_ONCE):
                return
            beyond = page[-1][2]

    def item_notes(self, number: int, step: str, n: int, chunk: int) -> Sequence[ItemNoteRow]:
        """Return what the items of a chunk have recorded, in order.

        Raises:
            JournalDamagedError: A row is not what was written.
        """
        values = {"run": number, "step": to_stored(step), "n": n, "number": chunk}
        with self._reading() as connection:
            uid = self._uid(connection, number)
            found = connection.execute(self._statements.item_notes, values)
            return ITEM_NOTE.rows(number, uid, found)

    def chunk_counts(self, number: int) -> Sequence[ChunkCount]:
        """Return how many chunks and items of a run are in which state."""
        with self._reading() as connection:
            found = connection.execute(self._statements.chunk_counts, {"run": number})
            return [ChunkCount(from_stored(step), *rest) for step, *rest in found]

    def kept(
        self,
        number: int,
        kinds: Collection[str] = (),
        *,
        damage: Damage | None = None,
        step: str | None = None,
        texts: bool = True,
    ) -> Sequence[KeptRow]:
        """Return the rows beside a run; see `Journal`."""
        of = self._statements
        given: dict[str, object] = {"run": number}
        if step is None:
            statement = of.kept if texts else of.kept_names
        else:
            statement = of.kept_of_step if texts else of.kept_names_of_step
            given["step"] = to_stored(step)
        with self._reading() as connection:
            uid = self._uid(connection, number)
            return [
                row
                for kind in (*kinds,) or (None,)
                for row in KEPT.rows(
                    number, uid, connection.execute(statement, {**given, "kind": kind}), damage
                )
            ]

    def keep_result(self, number: int, text: str) -> None:
        """Keep the result of a run that has ended; see `Journal`."""
        row = KeptRow(step="", n=0, kind="result", name="", seq=0, text=text, at=now())

        def write(connection: Connection) -> None:
            values = KEPT.stored(number, self._uid(connection, number), row)
            connection.execute(self._statements.keep, values)

        self._add(write)

    @abstractmethod
    def _add(self, write: Callable[[Connection], None]) -> None:
        """Call a function that writes what only people look at, in a transaction of its own."""

    def _uid(self, connection: Connection, number: int) -> str:
        found = connection.execute(self._statements.uid, {"run": number}).fetchone()
        if found is None:
            raise unknown_run(connection, self._statements, number)
        return str(found[0])

    def check_run(self, number: int) -> RunCheck:
        """Read all rows of a run; return which are damaged, and what is sound; see `Journal`."""
        check, said = _Check(number), _Check(number)
        with self._reading() as connection, check.to_the_end():
            self._check_rows(connection, check)
        if check.sound is not None:
            values = {"run": number, "kind": None}
            with self._reading() as connection, said.to_the_end():
                said.uid = self._uid(connection, number)
                said.drop(KEPT, connection.execute(self._statements.kept, values))
        return RunCheck(
            rows=max(1, check.rows) + said.rows,
            damage=tuple(check.damage),
            unseen=tuple(said.damage),
            sound=check.sound,
        )

    def _check_rows(self, connection: Connection, check: _Check) -> None:
        statements, run = self._statements, {"run": check.number}
        execute = connection.execute
        try:
            self._row(connection, check.number, statements.run)
        except JournalDamagedError as error:
            check.damage.append(error)
        [own] = by_name(execute(statements.run, run))
        check.uid, check.rows = str(own["uid"]), 1
        row = sound_row(own)
        check.sound = row
        for name, kind, statement in (
            ("attempts", ATTEMPT, statements.attempts),
            ("notes", NOTE, statements.notes),
            ("fields", FIELD, statements.fields),
        ):
            rows = tuple(check.read(kind, execute(statement, run)))
            check.sound = replace(check.sound, **{name: rows})
        check.drop(CHUNK, execute(statements.all_chunks, run))
        check.drop(ITEM_NOTE, execute(statements.all_item_notes, run))
        check_counts(row, *check.counts)

    def _row(self, connection: Connection, number: int, statement: str) -> RunRow:
        for row in by_name(connection.execute(statement, {"run": number})):
            return run_row(row)
        raise unknown_run(connection, self._statements, number)

    def reliance(self, numbers: Iterable[int]) -> Mapping[int, Reliance]:
        """Return the runs on which each of the given runs relies, and those that rely on it.

        Runs for which there are none, and unknown ones, are left out.
        """
        statements = self._statements
        found: dict[int, Reliance] = {}
        with self._reading() as connection:
            for these in _at_once(list(dict.fromkeys(numbers))):
                found |= reliance_of(
                    connection.execute(statements.relies_on, these),
                    connection.execute(statements.relied_on_by, these),
                )
        return found

    def _own(self, run: Run) -> Run:
        """Return `run`, registered to be released by `close`."""
        self._owned.add(run)
        return run

    def close(self) -> None:
        """Release the runs of this process. Calling it twice is harmless."""
        for run in list(self._owned):
            run.release()


def _at_once(numbers: list[int]) -> Iterator[list[int]]:
    """Yield numbers of runs, as many as a statement takes: one statement, which stays prepared."""
    for first in range(0, len(numbers), RUNS_AT_ONCE):
        part = numbers[first : first + RUNS_AT_ONCE]
        yield [*part, *part[:1] * (RUNS_AT_ONCE - len(part))]


class _Check:
    """What is found of a run while all of its rows are read, a few at a time.

    Args:
        number: The number of the run.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.uid = ""
        self.rows = 0
        self.counts: list[int] = []
        self.damage: list[JournalDamagedError] = []
        self.sound: RunRow | None = None

    @contextmanager
    def to_the_end(self) -> Generator[None]:
        """Note the damage after which the rest cannot be read at all."""
        try:
            yield
        except JournalDamagedError as error:
            error.run = self.number
            self.damage.append(error)

    def read(self, kind: Kind, cursor: Cursor) -> Iterator[Any]:
        """Yield the sound rows."""
        rows, before = iter(cursor), self.rows
        while found := list(islice(rows, CHUNKS_AT_ONCE)):
            self.rows += len(found)
            yield from kind.rows(self.number, self.uid, found, self.damage.append)
        self.counts.append(self.rows - before)

    def drop(self, kind: Kind, cursor: Cursor) -> None:
        """Read rows that are not held, because there may be many."""
        for _ in self.read(kind, cursor):
            pass
