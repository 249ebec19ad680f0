"""The timeline of a run: when each step waited, worked and was undone, on one axis.

Times in which nobody worked on the run are cut short, so that a run which was interrupted for a
night can still be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from handrail.amounts import seconds
from handrail.frozen import frozen
from handrail.records import UNDONE, is_failure
from handrail_report.charts import percent, time_marks
from handrail_report.shown import Shown, look_of, parts

_GAP = 0.15  # A pause that is longer than this part of the time in which somebody worked is cut.
_SHOWN = 0.04  # The part of the picture that a pause takes then.
_MOST_GAPS = 6
_LEAST = 0.004  # The part of the picture that a wait takes at least, to be shown.

Bar = tuple[str, str, str, str, str]
"""A time on an axis: its kind, its begin, its end and its length in percent, and words for it."""


@frozen
class Axis:
    """The axis of a timeline.

    Attributes:
        pieces: The times between which somebody worked, in seconds since the epoch.
    """

    pieces: Sequence[tuple[float, float]]

    @property
    def worked(self) -> float:
        """The seconds in which somebody worked."""
        return sum(end - begin for begin, end in self.pieces)

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """The pauses that are cut, by their begin and end."""
        return [(before[1], after[0]) for before, after in pairwise(self.pieces)]

    def place(self, time: float) -> float:
        """Return where a time is, from 0.0 to 1.0."""
        passed, number = 0.0, 0
        for number, (begin, end) in enumerate(self.pieces):
            if time <= end or number == len(self.pieces) - 1:
                passed += min(max(time - begin, 0.0), end - begin)
                break
            passed += end - begin
        room = 1 - _SHOWN * (len(self.pieces) - 1)
        return (passed / self.worked if self.worked else 0.0) * room + number * _SHOWN


def axis_of(steps: Sequence[Shown], now: str) -> Axis | None:
    """Return the axis for the spans of some steps; None if no time is known.

    Args:
        steps: The steps in their JSON form.
        now: Until when spans go that have not ended.
    """
    spans = sorted(
        (_time(span["began"]), _time(span["ended"] or now))
        for step in steps
        for span in parts(step, "spans")
    )
    if not spans:
        return None
    pieces = _merged(spans, 0.0)
    worked = sum(end - begin for begin, end in pieces)
    pauses = sorted((after[0] - before[1] for before, after in pairwise(pieces)), reverse=True)
    least = max([_GAP * worked, 1.0, *pauses[_MOST_GAPS : _MOST_GAPS + 1]])
    return Axis(pieces=_merged(pieces, least))


def _merged(spans: Sequence[tuple[float, float]], gap: float) -> list[tuple[float, float]]:
    """Return spans in order, with those as one between which there is no more than a gap."""
    merged = [spans[0]]
    for begin, end in spans[1:]:
        first, last = merged[-1]
        if begin - last <= gap:
            merged[-1] = first, max(last, end)
        else:
            merged.append((begin, end))
    return merged


def marks_of(axis: Axis) -> Iterator[tuple[str, str, str]]:
    """Yield the marks of an axis, seconds in which somebody worked: place, anchor and text."""
    for seconds_worked in time_marks(axis.worked):
        place = axis.place(_at(axis, seconds_worked))
        anchor = "end" if place > 0.92 else "middle" if place > 0.02 else "start"
        yield percent(place), anchor, _written(seconds_worked)


def track_of(
    axis: Axis, step: Shown, waits: Sequence[tuple[float, float]], now: str
) -> tuple[list[Bar], str]:
    """Return what one step did, on the axis, and the same in words.

    Args:
        axis: The axis.
        step: The step in its JSON form.
        waits: When it was ready and waited, by begin and end.
        now: Until when spans go that have not ended.
    """
    bars = [
        _bar(axis, begin, end, "pause", f"nobody worked on it for {seconds(end - begin)}")
        for begin, end in axis.gaps
    ]
    bars += [
        _bar(axis, begin, end, "wait", f"waited {seconds(end - begin)}")
        for begin, end in waits
        if axis.place(end) - axis.place(begin) >= _LEAST
    ]
    spans = parts(step, "spans")
    last = max((span["attempt"] for span in spans), default=0)
    waited = sum(end - begin for begin, end in waits)
    said = [f"waited {seconds(waited)}"] if waited >= 0.05 else []
    for span in spans:
        begin, end = _time(span["began"]), _time(span["ended"] or now)
        kind, says = _kind(step, span, is_last=span["attempt"] == last)
        said.append(f"{says}, {seconds(end - begin)}")
        bars.append(_bar(axis, begin, end, kind, said[-1]))
    return bars, "; ".join(said) or "no time is recorded"


def waits_of(steps: Sequence[Shown]) -> dict[str, list[tuple[float, float]]]:
    """Return when steps waited though they could have begun: between attempts, and for a lane.

    A step of a group can begin when the one before it in its lane has ended, or the group begins.

    Args:
        steps: The steps in their JSON form, in the order of the plan.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    ready: dict[tuple[str, int], float] = {}
    began: dict[str, float] = {}
    for step in steps:
        if step.get("group") is not None:
            for span in parts(step, "spans"):
                time = _time(span["began"])
                began[step["group"]] = min(began.get(step["group"], time), time)
    for step in steps:
        spans = [span for span in parts(step, "spans") if span["direction"] == "forward"]
        if not spans:
            continue
        waits = [
            (_time(before["ended"]), _time(after["began"]))
            for before, after in pairwise(spans)
            if before["ended"] is not None
        ]
        if step.get("group") is not None:
            place = step["group"], step["lane"]
            since = ready.get(place, began[step["group"]])
            waits.insert(0, (since, _time(spans[0]["began"])))
            if spans[-1]["ended"] is not None:
                ready[place] = _time(spans[-1]["ended"])
        found[step["name"]] = [each for each in waits if each[1] > each[0]]
    return found


def _kind(step: Shown, span: Mapping[str, Any], *, is_last: bool) -> tuple[str, str]:
    """Return the class of a bar, and what it says."""
    if span["direction"] == "undo":
        return "undone", "undo"
    number = f"attempt {span['attempt']}"
    if not is_last:
        return "again shape bad", f"{number}, which did not finish"
    if span["ended"] is None:
        return "shape busy", f"{number}, running"
    state = step["state"]
    if state in (*UNDONE, "undo failed"):
        how = "failed" if step.get("error") and is_failure(step["error"]) else "undone since"
        return ("ghost failed" if how == "failed" else "ghost"), f"{number}, {how}"
    return f"shape {look_of(state).tone}", f"{number}, {state}"


def _bar(axis: Axis, begin: float, end: float, kind: str, says: str) -> Bar:
    left, right = axis.place(begin), axis.place(end)
    return kind, percent(left), percent(right), percent(max(right - left, 0.0)), says


def _at(axis: Axis, passed: float) -> float:
    """Return the time when somebody had worked for so many seconds."""
    for begin, end in axis.pieces:
        if passed <= end - begin:
            return begin + passed
        passed -= end - begin
    return axis.pieces[-1][1]


def _written(mark: float) -> str:
    return "0" if not mark else f"{mark:g}s" if mark < 60 else seconds(mark).replace(" 00s", "")


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
