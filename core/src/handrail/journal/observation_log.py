"""ObservationLog: keeps what the steps of a run say and show, within bounds, until it is written.

A journal has it in rows, each of which is written again when more is said:

- log lines, 50 to a row. The first 200 of an attempt have rows of their own; later ones take turns
  in 17 more, so that the last 800 are always there.
- the values of a metric, 100 to a row. At 1,000, every second one is dropped, and from then on only
  every second one, then every fourth, is kept; the last one always is.
- the last progress, and each attachment.
- what observers keep, up to 1,000 rows an attempt, of kinds of their own.

They are written within a second by the thread that renews the lease, in commits of their own, so
that they neither delay nor endanger what the run needs; attachments are before their step is done.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any

from handrail.attachments import Picture, encoded
from handrail.errors import AttachmentError, LeaseLostError, describe
from handrail.frozen import record, replace
from handrail.journal.codec import as_text, mask_json, now
from handrail.journal.damage import MISFIT
from handrail.journal.records import KeptRow
from handrail.journal.this_process import process

if TYPE_CHECKING:
    from handrail.attachments import Attachable
    from handrail.journal.protocol import Journal, OwnedRun

KINDS = ("attachment", "log", "metric", "progress")
FIRST_LINES, LAST_LINES = 200, 800
MOST_POINTS = 1_000
MOST_METRICS = 100
MOST_ATTACHMENTS = 32
MOST_KEPT = 1_000
LONGEST_KEPT = 64_000
EVERY = 1.0  # Seconds from when something is said until it is written.

_LINES, _POINTS = 50, 100  # In a row.
_FIRST, _TURNS = FIRST_LINES // _LINES, LAST_LINES // _LINES + 1
_LONGEST = 2_000  # Characters of what is logged with one line.
_LONGEST_TEXT = 500  # Of each text, if that is longer.
_HELD = 16  # Attempts in memory.

Masking = Callable[[str], str]
Place = tuple[str, str, int]
"""The kind, the name and the `seq` of a row."""


class ObservationLog:
    """What the steps of one run say and show; any thread may call it.

    Each method that takes something returns, once, why from then on nothing is kept, or nothing.

    Args:
        journal: The journal.
        owned: The run in it.
        mask: Hides secrets.
        new: Whether this process has opened it, so that nothing was said before.
    """

    def __init__(self, journal: Journal, owned: OwnedRun, mask: Masking, *, new: bool) -> None:
        self._journal = journal
        self._owned = owned
        self._mask = mask
        self._new = new
        self._process = process()
        self._held: dict[tuple[str, int], _Attempt] = {}
        self._written: set[tuple[str, int]] = set()  # Those that are not held any more.
        # One that its thread may take again: what is garbage collected meanwhile may log, too.
        self._lock = threading.RLock()
        self._writing = threading.Lock()
        self._waits = False
        self._is_over = False
        self._problem = ""
        self.urgent = False
        """Whether an attachment waits, which is written before its step is done."""

    def log(self, step: str, n: int, event: str, data: Mapping[str, Any], file: str | None) -> str:
        """Keep a log line."""
        line = _line(self._mask, event, data, file)
        return self._take(step, n, lambda attempt: attempt.log(line))

    def progress(self, step: str, n: int, *values: object) -> str:
        """Keep progress in place of the one before: current, total, category and detail."""
        timed = (*values, _milliseconds())
        return self._take(step, n, lambda attempt: attempt.progressed(timed))

    def metrics(self, step: str, n: int, values: Mapping[str, Any], category: str) -> str:
        """Keep values of metrics.

        Args:
            step: Name of the step.
            n: Number of the attempt.
            values: The values by name.
            category: Their category; empty if that is the step.
        """
        at = _milliseconds()
        numbers = [(str(name), *_measured(value)) for name, value in values.items()]
        return self._take(step, n, lambda attempt: attempt.measured(numbers, category, at))

    def attach(self, step: str, n: int, name: str, value: Attachable) -> str:
        """Keep an attachment, in place of one of this name.

        Returns:
            Why it is not kept, or nothing.
        """
        name = self._mask(name)
        if isinstance(value, Picture) and value.media_type == "image/svg+xml":
            text = value.data.decode(errors="surrogateescape")
            value = replace(value, data=self._mask(text).encode(errors="surrogateescape"))
        try:
            text = encoded(value)
        except AttachmentError as error:
            return f"'{name}' is not attached: {error}"
        if not isinstance(value, Picture):  # Its content is no text.
            text = mask_json(text, self._mask)
        refused = self._take(step, n, lambda attempt: attempt.attach(name, text))
        self.urgent = self.urgent or not refused
        return refused

    def keep(self, step: str, n: int, kind: str, name: str, seq: int, text: str) -> str:
        """Keep a text of an observer, in place of one of this kind, name and `seq`.

        Returns:
            Why it is not kept, or nothing.
        """
        if kind in KINDS:
            return f"it is not kept: '{kind}' is a kind of steps"
        if len(text) > LONGEST_KEPT:
            return f"it is not kept: it has more than {LONGEST_KEPT:,} characters"
        place, masked = (kind, self._mask(name), seq), self._mask(text)
        return self._take(step, n, lambda attempt: attempt.keep(place, masked))

    def _take(self, step: str, n: int, say: Callable[[_Attempt], str | None]) -> str:
        # Before taking the lock: in a forked child it may be locked forever, by a parent's thread.
        if process() != self._process:
            return ""
        if self._is_over:
            problem, self._problem = self._problem, ""
            return problem
        with self._lock:
            attempt = self._held.get((step, n)) or self._attempt(step, n)
            refused = say(attempt)
            waited, self._waits = self._waits, True
        if not waited:
            self._owned.call_later(EVERY, self.flush)
        return refused or ""

    def _attempt(self, step: str, n: int) -> _Attempt:
        attempt = _Attempt(step, n, self._mask)
        if not self._new or (step, n) in self._written:
            # It goes on, or is undone: what is said now follows what was said then.
            number = self._owned.number
            with suppress(Exception):
                rows = self._journal.kept(number, damage=lambda _: None, step=step)
                attempt.go_on([row for row in rows if row.n == n])
        self._held[step, n] = attempt
        return attempt

    def flush(self) -> None:
        """Write what was said. It never raises: if that fails, nothing more is kept."""
        if process() != self._process:
            return
        with self._writing:
            try:
                self._write()
            except LeaseLostError:
                self._end("")  # The next write of the run says so.
            except Exception as error:  # noqa: BLE001 - the thread of the lease must go on
                self._end(f"what steps say is no longer kept: {describe(error)}")

    def _write(self) -> None:
        with self._lock:
            self._waits = self.urgent = False
            changes = [each for attempt in self._held.values() for each in attempt.changes()]
        if not changes or self._is_over:
            return
        self._owned.keep(changes)
        with self._lock:
            for place in list(self._held)[:-_HELD]:
                if not self._held[place].waits:
                    del self._held[place]
                    self._written.add(place)

    def _end(self, problem: str) -> None:
        with self._lock:
            self._is_over, self._problem = True, problem
            self._held.clear()


@record
class Series:
    """The values of a metric.

    Each is a list: its number, from 1; when, in milliseconds since 1970; and the value.

    Attributes:
        category: Its category; empty if that is the step.
        count: How many values it had.
        stride: Every how many are kept.
        points: Those that are.
        last: The last value, if it is none of them.
        dirty: The rows to be written.
    """

    category: str
    count: int = 0
    stride: int = 1
    points: list[list[Any]] = field(default_factory=list[list[Any]])
    last: list[Any] | None = None
    dirty: set[int] = field(default_factory=set[int])

    @property
    def all(self) -> list[list[Any]]:
        """The values that are kept, and the last one."""
        return self.points if self.last is None else [*self.points, self.last]

    def add(self, value: Any, at: int, *, is_number: bool) -> None:
        """Add a value."""
        self.count += 1
        point = [self.count, at, value]
        keeps = is_number and (self.count - 1) % self.stride == 0
        if keeps:
            self.points.append(point)
        self.last = None if keeps else point
        if len(self.points) == MOST_POINTS:
            self.stride *= 2
            self.points = [each for each in self.points if (each[0] - 1) % self.stride == 0]
            self.dirty.update(range(_part_of_point(self.points) + 1))
            if self.points[-1] != point:
                self.last = point
        self.dirty.add(_part_of_point(self.points))

    def row(self, part: int) -> str:
        """Return a row as JSON."""
        points = self.points[part * _POINTS : (part + 1) * _POINTS]
        about = {"category": self.category, "stride": self.stride, "count": self.count}
        return _ENCODE({**about, "last": self.last, "points": points})


def _part_of_point(points: Sequence[object]) -> int:
    return max(0, len(points) - 1) // _POINTS


class _Attempt:
    """What an attempt of a step has said, as far as it was not written, or goes on."""

    def __init__(self, step: str, n: int, mask: Masking) -> None:
        self._mask = mask
        self._step = step
        self._n = n
        self._lines = 0
        # Log lines of a row, as JSON, and the number of the first one.
        self._blocks: dict[int, tuple[int, list[str]]] = {}
        self._dirty: dict[int, None] = {}
        self._metrics: dict[str, Series] = {}
        self._progress: tuple[Any, ...] = ()
        self._attached: dict[str, int] = {}
        self._places: set[Place] = set()  # Of texts of observers.
        self._kept: dict[Place, tuple[str, str]] = {}  # Attachments, too, with their times.

    def log(self, line: str) -> None:
        """Add a log line, as JSON."""
        number, self._lines = self._lines, self._lines + 1
        part = number // _LINES
        if part >= _FIRST:
            part = _FIRST + (part - _FIRST) % _TURNS
        if number % _LINES == 0 or part not in self._blocks:
            self._blocks[part] = self._lines, []
        self._blocks[part][1].append(line)
        self._dirty[part] = None

    def progressed(self, values: tuple[Any, ...]) -> None:
        """Set the progress."""
        self._progress = values

    def measured(self, values: Iterable[tuple[str, Any, bool]], category: str, at: int) -> None:
        """Add values of metrics: the name of each, its value, and if that is a number."""
        for name, value, is_number in values:
            key = f"{category}/{name}" if category else name
            metric = self._metrics.get(key)
            if metric is None:
                if len(self._metrics) >= MOST_METRICS:
                    continue
                metric = self._metrics[key] = Series(category)
            metric.add(value, at, is_number=is_number)

    def attach(self, name: str, text: str) -> str:
        """Add an attachment; return why it is refused, or nothing."""
        if name not in self._attached and len(self._attached) >= MOST_ATTACHMENTS:
            return (
                f"'{name}' is not attached: {MOST_ATTACHMENTS} attachments of an attempt are kept"
            )
        seq = self._attached.setdefault(name, len(self._attached))
        self._kept["attachment", name, seq] = text, now()
        return ""

    def keep(self, place: Place, text: str) -> str:
        """Add a text of an observer; return why it is refused, or nothing."""
        if place not in self._places and len(self._places) >= MOST_KEPT:
            return f"it is not kept: {MOST_KEPT:,} texts of an attempt are"
        self._places.add(place)
        self._kept[place] = text, now()
        return ""

    @property
    def waits(self) -> bool:
        """Whether something is to be written."""
        metrics = any(metric.dirty for metric in self._metrics.values())
        return bool(self._dirty or self._progress or self._kept or metrics)

    def changes(self) -> Iterator[KeptRow]:
        """Yield and forget what is to be written."""
        at = now()
        for place, kept in self._kept.items():
            yield self._change(*place, *kept)
        self._kept.clear()
        for part in self._dirty:
            first, lines = self._blocks[part]
            text = f'{{"first":{first},"lines":[{",".join(lines)}]}}'
            yield self._change("log", "", part, mask_json(text, self._mask), at)
            if len(lines) == _LINES:
                del self._blocks[part]
        self._dirty.clear()
        for name, metric in self._metrics.items():
            for part in sorted(metric.dirty):
                value = mask_json(metric.row(part), self._mask)
                yield self._change("metric", self._mask(name), part, value, at)
            metric.dirty.clear()
        if self._progress:
            progress = mask_json(_ENCODE(self._progress), self._mask)
            yield self._change("progress", "", 0, progress, at)
            self._progress = ()

    def _change(self, *row: Any) -> KeptRow:
        return KeptRow(self._step, self._n, *row)

    def go_on(self, rows: Sequence[KeptRow]) -> None:
        """Go on with what was said before."""
        for row in rows:
            if row.kind == "attachment":
                self._attached[row.name] = row.seq
            elif row.kind not in KINDS:
                self._places.add((row.kind, row.name, row.seq))
        lines = log_lines(rows)
        if lines:
            self._lines, rest = lines[-1][0], lines[-1][0] % _LINES
            for number, line in lines[-rest:] if rest else ():
                self._lines = number - 1
                self.log(_ENCODE(line))
            self._dirty.clear()
        self._metrics.update(metric_points(rows))


# How rows are read


Misfit = Callable[["KeptRow", Exception], object]
"""Told of each row that cannot be decoded, which is left out, and of the error."""


def _ignore(_row: KeptRow, _error: Exception) -> None:
    return


def log_lines(rows: Iterable[KeptRow], misfit: Misfit = _ignore) -> list[tuple[int, list[Any]]]:
    """Return the log lines in rows of one attempt, in order, with their numbers.

    Each is a list: when, in milliseconds since 1970; the event; its data; and a path, or None.
    """
    found: list[tuple[int, list[Any]]] = []
    for row in rows:
        if row.kind == "log":
            try:
                block = json.loads(row.text)
                found += enumerate(block["lines"], start=block["first"])
            except MISFIT as error:
                misfit(row, error)
    found.sort(key=lambda each: each[0])
    last = found[-1][0] - LAST_LINES if found else 0
    return [each for each in found if each[0] <= FIRST_LINES or each[0] > last]


def metric_points(rows: Iterable[KeptRow], misfit: Misfit = _ignore) -> dict[str, Series]:
    """Return the metrics in rows of one attempt, by name."""
    found: dict[str, Series] = {}
    for row in sorted(rows, key=lambda row: row.seq):
        if row.kind != "metric":
            continue
        try:
            new = Series(**json.loads(row.text))
            known = found.get(row.name)
            if known is None or new.stride > known.stride:
                found[row.name] = new
            elif new.stride == known.stride:
                known.points += new.points
                if new.count > known.count:
                    known.count, known.last = new.count, new.last
        except MISFIT as error:
            misfit(row, error)
    return found


def _milliseconds() -> int:
    return int(time.time() * 1000)


_ENCODE = json.JSONEncoder(default=as_text, separators=(",", ":")).encode


def _line(mask: Masking, event: str, data: Mapping[str, Any], file: str | None) -> str:
    at = _milliseconds()
    try:
        text = _ENCODE(dict(data))
    except Exception:  # noqa: BLE001 - what a step says must not fail because it is kept
        text = _ENCODE({"data": as_text(data)})
    if len(text) > _LONGEST:
        # Masked before it is cut: half a secret would not be found any more.
        text = _ENCODE(_shortened(json.loads(mask_json(text, mask))))
    said, about = (
        each if each is None or len(each) <= _LONGEST_TEXT else _cut(mask(each))
        for each in (str(event), None if file is None else str(file))
    )
    return f"[{at},{_ENCODE(said)},{text},{_ENCODE(about)}]"


def _shortened(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return masked data of a log line with the begin and the end of each long value."""
    short = {
        key: _cut(value if isinstance(value, str) else _ENCODE(value))
        for key, value in data.items()
    }
    if len(_ENCODE(short)) <= 2 * _LONGEST:
        return short
    return {"data": _cut(_ENCODE(data))}


def _cut(text: str) -> str:
    half = _LONGEST_TEXT // 2
    return text if len(text) <= _LONGEST_TEXT else f"{text[:half]} … {text[-half:]}"


def _measured(value: Any) -> tuple[Any, bool]:
    """Return a value of a metric, and whether it is a number; NaN and infinity are None."""
    if value is None or isinstance(value, int):
        return (None if value is None else int(value)), True
    if not isinstance(value, str):
        with suppress(Exception):
            number = float(value)
            return (number if math.isfinite(number) else None), True
    return _cut(as_text(value)), False
