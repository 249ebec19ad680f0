"""What is kept of what steps say and show, within bounds, and how it is read.

The rows beside a run have it, each of which is written again when more is said:

- log lines, 50 to a row. The first 200 of an attempt have rows of their own; later ones take turns
  in 17 more, so that the last 800 are always there.
- the values of a metric, 100 to a row. At 1,000, every second one is dropped, and from then on only
  every second one, then every fourth, is kept; the last one always is.
- the last progress, and each attachment.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from handrail.builtin.attachments import Picture, attachment_from
from handrail.errors import describe
from handrail.events import Attached, Event, MessageLogged, MetricsMeasured, StepProgressed
from handrail.frozen import record, replace
from handrail.journal import mask_json
from handrail.journal.damage import MISFIT

if TYPE_CHECKING:
    from handrail.journal.records import KeptRow

FIRST_LINES, LAST_LINES = 200, 800
MOST_POINTS = 1_000
MOST_METRICS = 100
MOST_ATTACHMENTS = 32
LARGEST = 350_000  # Characters of JSON of an attachment.

_LINES, _POINTS = 50, 100  # In a row.
_FIRST, _TURNS = FIRST_LINES // _LINES, LAST_LINES // _LINES + 1
_LONGEST = 2_000  # Characters of what is logged with one line.
_LONGEST_TEXT = 500  # Of each text, if that is longer.

Masking = Callable[[str], str]


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
    """

    category: str
    count: int = 0
    stride: int = 1
    points: list[list[Any]] = field(default_factory=list[list[Any]])
    last: list[Any] | None = None

    @property
    def all(self) -> list[list[Any]]:
        """The values that are kept, and the last one."""
        return self.points if self.last is None else [*self.points, self.last]

    def add(self, measured: tuple[Any, bool], at: int) -> Iterable[int]:
        """Add a value, and whether it is a number; return the numbers of the rows that change."""
        value, is_number = measured
        self.count += 1
        point = [self.count, at, value]
        keeps = is_number and (self.count - 1) % self.stride == 0
        if keeps:
            self.points.append(point)
        self.last = None if keeps else point
        if len(self.points) == MOST_POINTS:
            self.stride *= 2
            self.points = [each for each in self.points if (each[0] - 1) % self.stride == 0]
            if self.points[-1] != point:
                self.last = point
            return range(_part_of_point(self.points) + 1)
        return (_part_of_point(self.points),)

    def row(self, part: int) -> dict[str, Any]:
        """Return what is in a row."""
        points = self.points[part * _POINTS : (part + 1) * _POINTS]
        about = {"category": self.category, "stride": self.stride, "count": self.count}
        return {**about, "last": self.last, "points": points}


def _part_of_point(points: Sequence[object]) -> int:
    return max(0, len(points) - 1) // _POINTS


class Said:
    """What an attempt of a step has said.

    Args:
        keep: Keeps a text in place of one of this kind, name and `seq`; called with these and the
            text, or with what returns it when it is written.
        mask: Hides secrets.
        rows: What was kept of the attempt before.
    """

    def __init__(
        self, keep: Callable[..., None], mask: Masking, rows: Sequence[KeptRow] = ()
    ) -> None:
        self._keep = keep
        self._mask = mask
        self._attached = {row.name: row.seq for row in rows if row.kind == "attachment"}
        self._metrics = metric_points(rows)
        self._lines = 0
        # Log lines of a row, as JSON, and the number of the first one.
        self._blocks: dict[int, tuple[int, list[str]]] = {}
        lines = log_lines(rows)
        if lines:
            self._lines, rest = lines[-1][0], lines[-1][0] % _LINES
            for number, line in lines[-rest:] if rest else ():
                self._lines = number - 1
                self._add_line(_ENCODE(line))

    def __call__(self, event: Event) -> str:
        """Take what the step says; return why it is not kept, or nothing."""
        if isinstance(event, MessageLogged):
            part = self._add_line(_line(self._mask, event))
            self._keep("log", "", part, partial(self._log_row, part))
        elif isinstance(event, MetricsMeasured):
            self._measured(event)
        elif isinstance(event, StepProgressed):
            values = event.current, event.total, event.category, event.detail, _milliseconds()
            self._keep("progress", "", 0, partial(self._masked, values))
        elif isinstance(event, Attached):
            return self._attach(event)
        return ""

    def _masked(self, value: object) -> str:
        return mask_json(_ENCODE(value), self._mask)

    def _add_line(self, line: str) -> int:
        """Add a log line, as JSON; return the number of its row."""
        number, self._lines = self._lines, self._lines + 1
        part = number // _LINES
        if part >= _FIRST:
            part = _FIRST + (part - _FIRST) % _TURNS
        if number % _LINES == 0 or part not in self._blocks:
            self._blocks[part] = self._lines, []
        self._blocks[part][1].append(line)
        return part

    def _log_row(self, part: int) -> str:
        first, lines = self._blocks[part]
        if len(lines) == _LINES:
            del self._blocks[part]
        return mask_json(f'{{"first":{first},"lines":[{",".join(lines)}]}}', self._mask)

    def _measured(self, event: MetricsMeasured) -> None:
        category = "" if event.category == event.step else event.category
        at = _milliseconds()
        for name, value in event.value.items():
            key = f"{category}/{name}" if category else str(name)
            metric = self._metrics.get(key)
            if metric is None:
                if len(self._metrics) >= MOST_METRICS:
                    continue
                metric = self._metrics[key] = Series(category)
            for part in metric.add(_measured(value), at):
                self._keep("metric", self._mask(key), part, partial(self._metric_row, metric, part))

    def _metric_row(self, metric: Series, part: int) -> str:
        return self._masked(metric.row(part))

    def _attach(self, event: Attached) -> str:
        name, full = self._mask(event.name), len(self._attached) >= MOST_ATTACHMENTS
        if full and name not in self._attached:
            return (
                f"'{name}' is not attached: {MOST_ATTACHMENTS} attachments of an attempt are kept"
            )
        try:
            text = self._form(event)
        except (TypeError, ValueError, RecursionError) as error:
            return f"'{name}' is not attached: it has no JSON form: {describe(error)}"
        if len(text) > LARGEST:
            size = f"it has {len(text) / 1000:,.0f} kB, and {LARGEST // 1000} kB are kept"
            return f"'{name}' is not attached: {size}: attach the part that matters"
        seq = self._attached.setdefault(name, len(self._attached))
        self._keep("attachment", name, seq, text)
        return ""

    def _form(self, event: Attached) -> str:
        if event.kind != "picture":
            return mask_json(_STRICT(event.value), self._mask)
        # Its content is no text, and to mask it would break it; that of an SVG is one.
        picture = cast("Picture", attachment_from(event.value))
        if picture.media_type == "image/svg+xml":
            text = self._mask(picture.data.decode(errors="surrogateescape"))
            picture = replace(picture, data=text.encode(errors="surrogateescape"))
        return _STRICT(picture.to_dict())


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


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - what a step says must not fail because it is kept
        return f"<{type(value).__name__}>"


_ENCODE = json.JSONEncoder(default=_text, separators=(",", ":")).encode
_STRICT = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def _line(mask: Masking, event: MessageLogged) -> str:
    at = _milliseconds()
    try:
        text = _ENCODE(dict(event.data))
    except Exception:  # noqa: BLE001 - the same
        text = _ENCODE({"data": _text(event.data)})
    if len(text) > _LONGEST:
        # Masked before it is cut: half a secret would not be found any more.
        text = _ENCODE(_shortened(json.loads(mask_json(text, mask))))
    said, about = (
        each if each is None or len(each) <= _LONGEST_TEXT else _cut(mask(each))
        for each in (str(event.name), None if event.file is None else str(event.file))
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
    return _cut(_text(value)), False
