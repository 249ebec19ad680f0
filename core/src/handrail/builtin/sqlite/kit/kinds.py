"""The kinds of rows that a run has besides its own: how each is stored, checked and called.

Their checksums, CRC-32, cover what is written once, not what SQL changes in place, such as states
and times. They find damage; they are no protection against forgery.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Any, Literal, get_args, get_origin, get_type_hints
from zlib import crc32

from handrail.errors import JournalDamagedError
from handrail.journal.damage import MISFIT, decoding, differs
from handrail.journal.records import (
    AttemptChange,
    AttemptRow,
    ChunkChange,
    ChunkRow,
    FieldRow,
    ItemNoteRow,
    KeptRow,
    NoteRow,
)

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


def _check_words(words: Sequence[str], column: Sequence[Any]) -> None:
    if not {*column} <= {*words}:
        raise ValueError(f"{column[0]!r} is none of {', '.join(words)}")


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
