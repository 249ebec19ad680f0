"""The rows of a journal: how each kind is stored, checked and called, and what they are as values.

Their checksums, CRC-32, cover what is written once, not what SQL changes in place, such as states
and times. They find damage; they are no protection against forgery.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints
from zlib import crc32

from handrail.errors import JournalDamagedError, NotFoundError
from handrail.frozen import names_of, replace
from handrail.journal.damage import MISFIT, damaged, decoding, differs
from handrail.journal.records import (
    AttemptChange,
    AttemptRow,
    ChunkChange,
    ChunkRow,
    Direction,
    FieldRow,
    ItemNoteRow,
    KeptRow,
    NewRun,
    NoteRow,
    Outcome,
    Reliance,
    RunRow,
)

if TYPE_CHECKING:
    from handrail.builtin.sqlite.kit.changes import Connection, Cursor
    from handrail.builtin.sqlite.kit.statements import Statements


Damage = Callable[[JournalDamagedError], None]
"""Told of each damaged row, which is left out then."""

MARK = "unicode_escape:"


def to_stored(text: str) -> str:
    """Return `text`, escaped if it could not be stored otherwise; `from_stored` reverses it."""
    if text.isascii() and "\0" not in text and not text.startswith(MARK):
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        if "\0" not in text and not text.startswith(MARK):
            return text
    return MARK + text.encode("unicode_escape").decode("ascii")


def from_stored(text: str) -> str:
    """Return the original of a text escaped by `to_stored`."""
    if not text.startswith(MARK):
        return text
    return text.removeprefix(MARK).encode("ascii").decode("unicode_escape")


def checksum(*parts: object) -> int:
    """Return the checksum of texts and numbers, with the place that they are of."""
    return crc32("\0".join(map(str, parts)).encode())


def check_text(*texts: object) -> None:
    """Check that all values are text that can be encoded, or raise ValueError."""
    for text in texts:
        # Bytes that are no text were read as lone surrogates, which cannot be encoded.
        if not isinstance(text, str):
            raise ValueError(f"{type(text).__name__} in place of text")
        if not text.isascii():
            text.encode()


class Kind:
    """A kind of rows.

    Args:
        table: The name of its table, without prefix.
        row: The named tuple that is read; its attributes are columns.
        covered: The columns that its checksum covers.
        called: What a row is called in messages, with `{column}` for values.
        change: The named tuple that is written, if it is another one.
        free: The columns with texts that may not be valid Unicode.
        outcome: The columns that a second checksum covers, of what came of it.
    """

    def __init__(
        self,
        table: str,
        row: Any,
        covered: str,
        called: str,
        *,
        change: Any = None,
        free: str = "step",
        outcome: str = "",
    ) -> None:
        change = change or row
        self.table = table
        self.columns: tuple[str, ...] = row._fields
        self.checksums = ("crc", "outcome_crc")[: 1 + bool(outcome)]
        self.written: tuple[str, ...] = ("run", *change._fields, *self.checksums)
        self._called = called
        self._make: Callable[[Any], Any] = row._make
        self._checks = [_check_of(name, kind) for name, kind in get_type_hints(row).items()]
        self._free = [(row._fields.index(name), name) for name in free.split()]
        covers = [names.split() for names in (covered, outcome) if names]
        self._covers = [itemgetter(*map(row._fields.index, names)) for names in covers]
        self._written_free = {change._fields.index(name) for name in free.split()}
        self._written_covers = [itemgetter(*map(change._fields.index, names)) for names in covers]

    def stored(self, run: int, uid: str, change: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the values of a row to be written, in the order of `written`."""
        values = [
            to_stored(value) if place in self._written_free and value is not None else value
            for place, value in enumerate(change)
        ]
        crcs = [checksum(self.table, uid, *covered(values)) for covered in self._written_covers]
        return (run, *values, *crcs)

    def rows(
        self, run: int, uid: str, found: Iterable[Any], damage: Damage | None = None
    ) -> tuple[Any, ...]:
        """Return rows as they were written.

        Args:
            run: The number of the run.
            uid: Its UUID.
            found: The rows as they are read: `columns`, then the checksums, which are None if the
                columns have not all been read.
            damage: Told of each damaged row; by default, the first one is raised.

        Raises:
            JournalDamagedError: A row is not what was written.
        """
        batch = list(found)
        # A long run has thousands of rows, hardly any of which is damaged.
        with suppress(JournalDamagedError, *MISFIT):
            return tuple(self._sound(run, uid, batch))
        rows: list[Any] = []
        for values in batch:
            try:
                with decoding(run, self._name(values)):
                    rows += self._sound(run, uid, [values])
            except JournalDamagedError as error:
                if damage is None:
                    raise
                damage(error)
        return tuple(rows)

    def _sound(self, run: int, uid: str, batch: Sequence[Any]) -> list[Any]:
        width = len(self.columns)
        rows = [self._make(values[:width]) for values in batch]
        for place, covered in enumerate(self._covers, start=width):
            for values, row in zip(batch, rows, strict=True):
                crc = values[place]
                if crc is not None and crc != checksum(self.table, uid, *covered(row)):
                    raise differs(run, self._name(values))
        columns = [[row[place] for row in rows] for place in range(width)]
        for check, column in zip(self._checks, columns, strict=True):
            check(column)
        for place, name in self._free:
            if MARK in "".join(filter(None, columns[place])):
                rows = [_unescaped(row, name, row[place]) for row in rows]
        return rows

    def _name(self, values: Any) -> str:
        names: Mapping[str, Any] = dict(zip(self.columns, values, strict=False))
        return self._called.format_map(names).replace(" ''", "")


def _unescaped(row: Any, name: str, text: str | None) -> Any:
    return row if text is None else row._replace(**{name: from_stored(text)})


# They check all values of a column, or raise one of `MISFIT`.


def _check_of(name: str, kind: Any) -> Callable[[Sequence[Any]], object]:
    if name in ("at", "began", "ended"):
        return _check_times
    if get_origin(kind) is Literal:
        return partial(_check_words, get_args(kind))
    return _check_numbers if kind is int else partial(_check_texts, needed=kind is str)


def _check_times(column: Sequence[Any]) -> None:
    for text in filter(None, column):
        datetime.fromisoformat(text)


def _check_words(words: Sequence[str | None], column: Sequence[Any]) -> None:
    if not {*column} <= {*words}:
        raise ValueError(f"{column[0]!r} is none of {', '.join(map(str, words))}")


def _check_numbers(column: Sequence[Any]) -> None:
    if not {*map(type, column)} <= {int}:
        raise ValueError(f"{column[0]!r} is no number")


def _check_texts(column: Sequence[Any], *, needed: bool) -> None:
    if needed and None in column:
        raise ValueError("nothing in place of text")
    check_text("".join([text for text in column if text is not None]))


ATTEMPT = Kind(
    "attempt",
    AttemptRow,
    "step n result",
    "attempt {n} of step '{step}'",
    change=AttemptChange,
    free="step error",
)
NOTE = Kind(
    "note",
    NoteRow,
    "step n seq key values",
    "note {seq} of step '{step}'",
    free="step key",
)
FIELD = Kind(
    "field",
    FieldRow,
    "boundary name value step",
    "the value of the context's '{name}' after {boundary} steps",
    free="name step",
)
CHUNK = Kind(
    "chunk",
    ChunkRow,
    "step n number part first size digest head items",
    "chunk {number} of the items of step '{step}'",
    change=ChunkChange,
    free="step error",
    outcome="step n number failed results errors",
)
ITEM_NOTE = Kind(
    "item_note",
    ItemNoteRow,
    "step n number attempt item key values",
    "a note of item {item} in chunk {number} of step '{step}'",
    free="step key",
)
KEPT = Kind(
    "kept",
    KeptRow,
    "step n kind name seq text",
    "the {kind} '{name}' of step '{step}'",
    free="step name text",
)


# Of a run; may not be valid Unicode.
FREE_TEXTS = ("action", "cwd", "project", "sealed", "parent_step")
NEW_COLUMNS = tuple(each for each in names_of(NewRun) if each not in ("plan", "parent_fence"))
# Attributes that are computed when a run is read, or have another name in the table.
_APART = frozenset(
    ("plan", "parent_fence", "number", "given_up", "damage", "attempts", "notes", "fields")
)
RUN_COLUMNS = tuple(each for each in names_of(RunRow) if each not in _APART)

UNREADABLE = "unreadable"  # In a row in place of its columns: the error of the database.
DIRECTIONS, OUTCOMES = get_args(Direction), get_args(Outcome)
RUN_TEXTS = ("uid", "action", "params", "packs", "cwd", "core_version", "project", "owner")


# Columns of a run that are written once; the plan has a checksum of its own, because it is long and
# not always read.
_WRITTEN_ONCE = (
    *("uid", "action", "params", "packs", "cwd", "core_version", "opened", "project"),
    *("parent", "parent_step", "parent_attempt", "parent_item"),
)


def checksum_of_run(values: Mapping[str, Any]) -> int:
    """Return the checksum of a run's own row, without its plan."""
    return checksum("run", *(values[name] for name in _WRITTEN_ONCE))


def checksum_of_plan(uid: str, plan: str) -> int:
    """Return the checksum of the plan of the run `uid`."""
    return checksum("plan", uid, plan)


def run_row(row: Mapping[str, Any]) -> RunRow:
    """Return a RunRow from values by column.

    Raises:
        JournalDamagedError: The row is not what was written.
    """
    number = row["number"]
    with decoding(number, "its own row"):
        if UNREADABLE in row:
            raise damaged(number, "its own row", row[UNREADABLE])
        if row["crc"] != checksum_of_run(row):
            raise differs(number, "its own row")
        if "plan" in row and row["plan_crc"] != checksum_of_plan(row["uid"], row["plan"]):
            raise differs(number, "its plan")
        _check_run(row)
        return _run_row(row)


def run_row_or_damage(row: Mapping[str, Any]) -> RunRow:
    """Like `run_row`, but a damaged row has what can be read of it, and its `damage`."""
    try:
        return run_row(row)
    except JournalDamagedError as error:
        return damaged_row(row, error.message)


def sound_row(row: Mapping[str, Any]) -> RunRow:
    """Like `run_row_or_damage`, with the plan if that is sound, whatever the rest of the row is."""
    plan, rest = row["plan"], {name: value for name, value in row.items() if name != "plan"}
    found = run_row_or_damage(rest)
    try:
        sound = row["plan_crc"] == checksum_of_plan(row["uid"], plan)
        check_text(plan)
    except MISFIT:
        sound = False
    return replace(found, plan=plan) if sound else found


def damaged_row(row: Mapping[str, Any], damage: str) -> RunRow:
    """Return what can be read of a damaged row; texts that cannot are empty.

    Args:
        row: The values by column, as far as they could be read.
        damage: The damage.
    """
    texts: dict[str, Any] = {
        name: value.encode(errors="replace").decode() if isinstance(value, str) else ""
        for name in RUN_TEXTS
        for value in (row.get(name),)
    }
    return RunRow(
        **texts,
        number=row["number"],
        opened=row["opened"] if _is_time(row.get("opened")) else "",
        plan="",
        direction="forward",
        sealed=None,
        outcome=None,
        fence=0,
        closed=None,
        claimed="",
        damage=damage,
    )


def _run_row(row: Mapping[str, Any]) -> RunRow:
    values = {name: row[name] for name in RUN_COLUMNS}
    for name in FREE_TEXTS:
        if values[name] is not None:
            values[name] = from_stored(values[name])
    if _is_time(row["last_sign"]):  # Otherwise the row that it is from is damaged.
        values["heard"] = row["last_sign"]
    is_open = row["closed"] is None
    return RunRow(
        **values,
        number=row["number"],
        plan=row.get("plan", ""),
        given_up=is_open and bool(row["given_up"]),
    )


def _check_run(row: Mapping[str, Any]) -> None:
    """Check the types, words and times of a run's row, or raise ValueError."""
    texts = (*(row[name] for name in RUN_TEXTS), row["sealed"] or "", row["by_hand"] or "")
    check_text(*texts, row.get("plan", ""), row["parent_step"] or "")
    _check_words(DIRECTIONS, [row["direction"]])
    _check_words((None, *OUTCOMES), [row["outcome"]])
    _check_times([row[name] for name in ("opened", "closed", "claimed", "turned", "heard")])
    numbers = ("number", "fence", "parent", "parent_attempt", "parent_item")
    _check_numbers([row[name] for name in numbers if row[name] is not None])
    for name in ("worked", "undid"):
        if not isinstance(row[name], int | float):
            raise ValueError(f"{name} is no number")


def _is_time(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def by_name(found: Cursor) -> Iterator[dict[str, Any]]:
    """Yield each row as a dict by column."""
    names = [column[0] for column in found.description or ()]
    return (dict(zip(names, row, strict=True)) for row in found)


def unknown_run(connection: Connection, statements: Statements, number: int) -> NotFoundError:
    """Return the error for the number of no run, with the closest numbers."""
    found = connection.execute(statements.near, {"run": number})
    near = sorted(each for (each,) in found)
    if not near:
        return NotFoundError(f"there is no run {number}: the journal is empty")
    return NotFoundError(
        f"there is no run {number}; the closest: {', '.join(map(str, near))}",
        ways_out=("handrail runs lists them",),
    )


_ROWS = ("attempts of steps", "notes", "context fields", "chunks", "notes of items")


def check_counts(row: RunRow, *found: int | None) -> None:
    """Check that a run that has ended has as many rows as then.

    Args:
        row: The run.
        *found: The number of its attempts, notes and fields, of its chunks and the notes of their
            items; None for those that were not read.

    Raises:
        JournalDamagedError: Some are lost, or were added.
    """
    if row.counts is None:
        return
    with decoding(row.number, _COUNTS):
        then = [int(each) for each in row.counts.split()]
        for name, count, known in zip(_ROWS, (*found, None, None), then, strict=False):
            if count not in (None, known):
                raise damaged(
                    row.number, _COUNTS, f"has {count} {name}, and had {known} at its end"
                )


_COUNTS = "the record"


def reliance_of(relies_on: Cursor, relied_on_by: Cursor) -> dict[int, Reliance]:
    """Return the reliance of runs from the rows of both directions."""
    numbers: dict[int, list[int]] = {}
    uids: dict[int, list[str]] = {}
    for run, uid, number in relies_on:
        uids.setdefault(run, []).append(from_stored(uid))
        if number is not None:
            numbers.setdefault(run, []).append(number)
    by: dict[int, list[int]] = {}
    for run, number in relied_on_by:
        by.setdefault(run, []).append(number)
    return {
        run: Reliance(
            relies_on=tuple(numbers.get(run, ())),
            relied_on_by=tuple(by.get(run, ())),
            uids=tuple(uids.get(run, ())),
        )
        for run in uids.keys() | by.keys()
    }


def with_parts(runs: Cursor, parts: Cursor) -> list[int]:
    """Return the numbers of runs from their rows, each after all that is below it.

    Args:
        runs: The rows of the runs.
        parts: The rows of all runs that are parts of others, with the numbers of these.
    """
    below: dict[int, list[int]] = {}
    for number, parent in sorted(parts):
        below.setdefault(parent, []).append(number)

    def tree(number: int) -> Iterator[int]:
        for each in below.get(number, ()):
            yield from tree(each)
        yield number

    return [number for (whole,) in runs for number in tree(whole)]
