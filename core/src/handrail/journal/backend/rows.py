"""Converts rows of the tables to values, for any SQL database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from handrail.errors import JournalDamagedError, NotFoundError
from handrail.frozen import replace
from handrail.journal.backend.checksums import (
    of_attempt,
    of_chunk,
    of_field,
    of_item_note,
    of_note,
    of_observation,
    of_outcome,
    of_plan,
    of_run,
)
from handrail.journal.backend.statements import ENDS, FREE_TEXTS, RUN_COLUMNS
from handrail.journal.damage import MISFIT, damaged, decoding, differs
from handrail.journal.numbers import ChildNumber, run_number
from handrail.journal.records import (
    AttemptRow,
    ChunkRow,
    ChunkState,
    Direction,
    FieldRow,
    ItemNoteRow,
    NoteRow,
    ObservationKind,
    ObservationRow,
    Outcome,
    Reliance,
    RunRow,
    State,
    seconds_between,
)

if TYPE_CHECKING:
    from handrail.journal.backend.connection import Connection, Cursor
    from handrail.journal.backend.statements import Statements

MARK = "unicode_escape:"

UNREADABLE = "unreadable"  # In a row in place of its columns: the error of the database.
DIRECTIONS, OUTCOMES, STATES = get_args(Direction), get_args(Outcome), get_args(State)
CHUNK_STATES, OBSERVATION_KINDS = get_args(ChunkState), get_args(ObservationKind)
RUN_TEXTS = ("uid", "action", "params", "packs", "cwd", "core_version", "project", "owner")


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


def run_row(row: Mapping[str, Any]) -> RunRow:
    """Return a RunRow from values by column.

    Raises:
        JournalDamagedError: The row is not what was written.
    """
    number = run_number(row["number"])
    with decoding(number, "its own row"):
        if UNREADABLE in row:
            raise damaged(number, "its own row", row[UNREADABLE])
        if row["crc"] != of_run(row):
            raise differs(number, "its own row")
        if "plan" in row and row["plan_crc"] != of_plan(row["uid"], row["plan"]):
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
        sound = row["plan_crc"] == of_plan(row["uid"], plan)
        _check_text(plan)
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
        number=run_number(row["number"]),
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
        number=run_number(row["number"]),
        plan=row.get("plan", ""),
        given_up=is_open and bool(row["given_up"]),
    )


def _check_run(row: Mapping[str, Any]) -> None:
    """Check the types, words and times of a run's row, or raise ValueError."""
    texts = (*(row[name] for name in RUN_TEXTS), row["sealed"] or "", row["by_hand"] or "")
    _check_text(*texts, row.get("plan", ""))
    _check_words("direction", row["direction"], DIRECTIONS)
    _check_words("outcome", row["outcome"], (None, *OUTCOMES))
    for name in ("opened", "closed", "claimed", "turned", "heard"):
        if not (_is_time(row[name]) or (row[name] is None and name != "opened")):
            raise ValueError(f"{name} is no time")
    for name in ("number", "fence", "worked", "undid"):
        if not isinstance(row[name], int | float):
            raise ValueError(f"{name} is no number")


def _check_text(*texts: object) -> None:
    for text in texts:
        # Bytes that are no text were read as lone surrogates, which cannot be encoded.
        if not isinstance(text, str):
            raise ValueError(f"{type(text).__name__} in place of text")
        if not text.isascii():
            text.encode()


def _check_words(name: str, word: object, words: Collection[object]) -> None:
    if word not in words:
        raise ValueError(f"{name} is {word!r}")


def _is_time(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def by_name(found: Cursor) -> Iterator[dict[str, Any]]:
    """Yield each row as a dict by column."""
    names = [column[0] for column in found.description or ()]
    return (dict(zip(names, row, strict=True)) for row in found)


def durations_of(rows: Iterable[Any]) -> dict[str, list[float]]:
    """Return the seconds that steps took, by name, from `Statements.durations`."""
    took: dict[str, list[float]] = {}
    before: dict[int, str] = {}
    for run, opened, step, state, began, at in rows:
        # Where it is not recorded when a step began, it was when the one before it had ended.
        since = str(began or before.get(run, opened))
        before[run] = at
        if state in ("done", "skipped"):
            with suppress(ValueError):  # A damaged time.
                each = seconds_between(since, at) if state == "done" else 0.0
                took.setdefault(from_stored(step), []).append(each)
    return took


def unknown_run(connection: Connection, statements: Statements, number: int) -> NotFoundError:
    """Return the error for the number of no run, with the closest numbers."""
    found = connection.execute(statements.near, {"run": number})
    near = sorted((run_number(each) for (each,) in found), key=abs)
    number = run_number(number)
    if not near:
        empty = "the journal has no sweep" if number < 0 else "the journal is empty"
        return NotFoundError(f"there is no run {number}: {empty}")
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


Damage = Callable[[JournalDamagedError], None]
"""Told of each damaged row, which is left out then."""


def attempt_rows(
    run: int, uid: str, found: Iterable[Any], damage: Damage | None = None
) -> tuple[AttemptRow, ...]:
    """Return the rows of attempts.

    Args:
        run: The number of the run.
        uid: Its UUID.
        found: The rows as they are read: the columns, then the checksum.
        damage: Told of each damaged row; by default, the first one is raised.

    Raises:
        JournalDamagedError: A row is not what was written.
    """

    # The statements select the columns in the order of the attributes, then the checksum.
    def attempt(row: Any) -> AttemptRow:
        step, n, state, data_version, result, error, at, began, ended, crc = row
        if crc != of_attempt(uid, step, n, result):
            raise differs(run, _attempt_name(row))
        if state not in STATES or type(n) is not int or type(data_version) is not int:
            raise ValueError("a state or a number is none")
        datetime.fromisoformat(at)
        # The time of the present state is not kept twice.
        began = at if state == "started" else began
        ended = at if state in ENDS else ended
        # Fast path: a long run has thousands of rows, hardly any with an error or escaped text.
        if error is not None or step.startswith(MARK):
            step, error = from_stored(step), None if error is None else from_stored(error)
        return AttemptRow(step, n, state, data_version, result, error, at, began, ended)

    return _converted(run, found, attempt, _attempt_name, damage)


def note_rows(
    run: int, uid: str, found: Iterable[Any], damage: Damage | None = None
) -> tuple[NoteRow, ...]:
    """Return the rows of notes; see `attempt_rows`."""

    def note(row: Any) -> NoteRow:
        step, n, seq, key, values, crc = row
        if crc != of_note(uid, step, n, seq, key, values):
            raise differs(run, _note_name(row))
        if type(n) is not int or type(seq) is not int:
            raise ValueError("a number is none")
        return NoteRow(from_stored(step), n, seq, from_stored(key), values)

    return _converted(run, found, note, _note_name, damage)


def field_rows(
    run: int, uid: str, found: Iterable[Any], damage: Damage | None = None
) -> tuple[FieldRow, ...]:
    """Return the rows of context fields; see `attempt_rows`."""

    def field(row: Any) -> FieldRow:
        boundary, name, value, step, crc = row
        if crc != of_field(uid, boundary, name, value, step):
            raise differs(run, _field_name(row))
        if type(boundary) is not int:
            raise ValueError("a number is none")
        return FieldRow(
            boundary, from_stored(name), value, None if step is None else from_stored(step)
        )

    return _converted(run, found, field, _field_name, damage)


def chunk_rows(
    run: int, uid: str, found: Iterable[Any], damage: Damage | None = None
) -> tuple[ChunkRow, ...]:
    """Return the rows of chunks; see `attempt_rows`. They may have been read without contents."""

    def chunk(row: Any) -> ChunkRow:
        *values, crc, outcome_crc = row
        read = ChunkRow(*values)
        step, n, number, part, first, count, attempt, state, failed, digest = read[:10]
        if crc is not None:
            expected = of_chunk(
                uid, step, n, number, part, first, count, digest, read.head, read.items
            )
            if crc != expected:
                raise differs(run, _chunk_name(row))
            if outcome_crc != of_outcome(uid, step, n, number, failed, read.results, read.errors):
                raise damaged(run, _chunk_name(row), "has results that differ from their checksum")
        _check_text(step, read.head or "", read.error or "")
        if state not in CHUNK_STATES:
            raise ValueError("a state is none")
        for each in (n, number, part, first, count, attempt, failed, digest):
            if type(each) is not int:
                raise ValueError("a number is none")
        datetime.fromisoformat(read.at)
        error = None if read.error is None else from_stored(read.error)
        began = read.at if state == "started" else read.began
        return read._replace(step=from_stored(step), error=error, began=began)

    return _converted(run, found, chunk, _chunk_name, damage)


def item_note_rows(
    run: int, uid: str, found: Iterable[Any], damage: Damage | None = None
) -> tuple[ItemNoteRow, ...]:
    """Return the rows of notes of items; see `attempt_rows`."""

    def note(row: Any) -> ItemNoteRow:
        *values, crc = row
        if crc != of_item_note(uid, *values):
            raise differs(run, _item_note_name(row))
        read = ItemNoteRow(*values)
        return read._replace(step=from_stored(read.step), key=from_stored(read.key))

    return _converted(run, found, note, _item_note_name, damage)


def observation_rows(
    run: int, uid: str, found: Iterable[Any], damage: Damage | None = None
) -> tuple[ObservationRow, ...]:
    """Return the rows of observations; see `attempt_rows`. They may be without their values."""

    def observation(row: Any) -> ObservationRow:
        *values, crc = row
        read = ObservationRow(*values)
        step, n, kind, name, part, value, at = read
        if crc is not None and crc != of_observation(uid, step, n, kind, name, part, value):
            raise differs(run, _observation_name(row))
        _check_text(step, name, value)
        if kind not in OBSERVATION_KINDS or type(n) is not int or type(part) is not int:
            raise ValueError("a kind or a number is none")
        datetime.fromisoformat(at)
        return read._replace(step=from_stored(step), name=from_stored(name))

    return _converted(run, found, observation, _observation_name, damage)


Converted = TypeVar("Converted")


def _converted(
    run: int,
    found: Iterable[Any],
    convert: Callable[[Any], Converted],
    name: Callable[[Any], str],
    damage: Damage | None,
) -> tuple[Converted, ...]:
    rows: list[Converted] = []
    for row in found:
        try:
            try:
                rows.append(convert(row))
            except MISFIT as error:
                raise damaged(run, name(row), error) from error
        except JournalDamagedError as error:
            if damage is None:
                raise
            damage(error)
    return tuple(rows)


def _attempt_name(row: Any) -> str:
    return f"attempt {row[1]} of step '{row[0]}'"


def _note_name(row: Any) -> str:
    return f"note {row[2]} of step '{row[0]}'"


def _chunk_name(row: Any) -> str:
    return f"chunk {row[2]} of the items of step '{row[0]}'"


def _item_note_name(row: Any) -> str:
    return f"a note of item {row[4]} in chunk {row[2]} of step '{row[0]}'"


def _observation_name(row: Any) -> str:
    step, _, kind, name, *_ = row
    which = f"the {kind} '{name}'" if name else f"the {kind}"
    return f"{which} of step '{step}'"


def _field_name(row: Any) -> str:
    return f"the value of the context's '{row[1]}' after {row[0]} steps"


def reliance_of(relies_on: Cursor, relied_on_by: Cursor) -> dict[int, Reliance]:
    """Return the reliance of runs from the rows of both directions."""
    numbers: dict[int, list[int]] = {}
    uids: dict[int, list[str]] = {}
    for run, uid, number in relies_on:
        uids.setdefault(run, []).append(from_stored(uid))
        if number is not None:
            numbers.setdefault(run, []).append(run_number(number))
    by: dict[int, list[int]] = {}
    for run, number in relied_on_by:
        by.setdefault(run, []).append(run_number(number))
    return {
        run: Reliance(
            relies_on=tuple(numbers.get(run, ())),
            relied_on_by=tuple(by.get(run, ())),
            uids=tuple(uids.get(run, ())),
        )
        for run in uids.keys() | by.keys()
    }


def with_children(parents: Cursor, children: Cursor) -> list[int]:
    """Return the numbers of runs from their rows, each after those of its children, if it has any.

    Args:
        parents: The rows of the runs.
        children: The rows of all children.
    """
    below: dict[int, list[int]] = {}
    for (stored,) in children:
        child = ChildNumber(stored)
        below.setdefault(child.parent, []).append(child)
    return [number for (parent,) in parents for number in (*below.get(parent, ()), parent)]
