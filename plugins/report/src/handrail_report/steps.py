"""The steps of a run: their states, who put them there, their undo, and what they logged."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate, chain
from typing import Any

from handrail.amounts import percent, seconds, share_of, size
from handrail.records import UNDONE
from handrail_report.shown import Shown, json_text, origin_text, part, parts
from handrail_report.timeline import axis_of, marks_of, track_of, waits_of

_MOST, _FIRST = 150, 20  # Steps that are shown; those even if nothing is to be said of them.
_KEYS = 3
_EVIDENCE = 1.0  # Seconds of work before a rate and a time left are told.

_ROOM = 200_000
"""Letters of all lines together, and of their addresses; a step that failed comes first."""

_MARKUP = 45  # Letters around a line, besides the name of its step.

_LINE = 600  # Letters of one line.
_BAD = ("error", "fail", "fatal", "critical", "exception")


def steps_table(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rows of the table of steps, with their timeline; of many, those that need a look.

    Args:
        shown: The JSON object of the run.
    """
    run, steps = shown["run"], shown["steps"]
    axis, waits = axis_of(steps, run["now"]), waits_of(steps)
    some = _shown(steps)
    rows = list(_rows(some))
    for row in rows:
        if step := row.get("step"):
            row["undo"] = [each for each in _undo(step, run) if each]
            row["progress"] = progress_of(step)
            row["about"] = " · ".join(_about(step))
            waiting = waits.get(step["name"], ())
            row["track"] = None if axis is None else track_of(axis, step, waiting, run["now"])
    spans = list(chain.from_iterable(parts(step, "spans") for step in steps))
    undone = any(map(_is_undo, spans))
    waited = any(waits.values()) or any(span["attempt"] > 1 for span in spans)
    keys = {
        "shape good": ("worked", True),
        "ghost": ("worked, and was undone since", undone),
        "undone": ("was undone", undone),
        "wait": ("waited", waited),
        "pause": ("nobody worked on it (cut short)", axis is not None and bool(axis.gaps)),
    }
    return {
        "rows": rows,
        "left": len(steps) - len(some),
        "marks": None if axis is None else list(marks_of(axis)),
        "legend": [(kind, words) for kind, (words, there) in keys.items() if there and axis],
    }


def _shown(steps: Sequence[Shown]) -> list[Shown]:
    """Return the steps that are shown: of many the first ones, and those that need a look."""
    notable = [place for place in range(_FIRST, len(steps)) if not _is_plain(steps[place])]
    # Of too many, the last one is where the run failed, or is.
    some = (*range(_FIRST), *notable[: _MOST - _FIRST - 1], *notable[-1:])
    return [steps[place] for place in sorted({*some})] if len(steps) > _MOST else list(steps)


def _is_plain(step: Shown) -> bool:
    items = part(step, "items")
    went_well = step["state"] in ("done", "skipped", "undone", "not started", "waiting")
    return (
        went_well
        and step["attempts"] <= 1
        and not (step.get("error") or items.get("failed") or items.get("left"))
    )


def _rows(steps: Sequence[Shown]) -> Iterator[dict[str, Any]]:
    """Yield the rows, with headings for actions and groups."""
    action = group = None
    for step in steps:
        if step.get("action") and step["action"] != action:
            action = step["action"]
            yield {"heading": f"action {action}"}
        if step.get("group") not in (None, group):
            yield {"heading": f"group {step['group']}"}
        group = step.get("group")
        yield {"step": step}


def progress_of(step: Shown) -> str | None:
    """Return how far a step is: `58 %, 115/200, 12/s, 7.1s left`; None unless it runs and says."""
    progress = part(step, "progress")
    if step["state"] != "running" or not progress or not progress["total"]:
        return None
    current, total, unit = progress["current"], progress["total"], progress.get("category")
    told = [percent(current / total), share_of(current, total, unit)]
    for span in parts(step, "spans")[-1:]:
        began, at = (datetime.fromisoformat(each) for each in (span["began"], progress["at"]))
        took = (at - began).total_seconds()
        if current > 0 and took > _EVIDENCE:
            rate = current / took
            told.append(f"{size(rate) if unit == 'bytes' else f'{rate:,.1f}'}/s")
            told.append(f"{seconds(max(total - current, 0.0) / rate)} left")
    return ", ".join(told)


def _about(step: Shown) -> Iterator[str]:
    """Yield who put a step there, and why."""
    reason, required = step.get("reason"), step.get("required")
    yield origin_text(step.get("origin"))
    if reason not in (None, "base"):
        yield str(reason)
    if required:
        yield f"required by {required}"
    elif step.get("final"):
        yield "final"
    if step.get("always_run"):
        yield "always runs"
    for each in parts(step, "layers"):
        yield f"in {each['name']} of {origin_text(each['origin'])}"


def _undo(step: Shown, run: Mapping[str, Any]) -> Sequence[str]:
    """Return what was undone of a step, what is left, or what would be undone; and of what."""
    recorded = _counted(step["recorded"])
    by_hand, state = step.get("by_hand"), step["state"]
    if by_hand is not None:
        return (f"↶ undone by hand by {by_hand['by']}: {by_hand['reason']}",)
    if step["name"] in run["stays"]:
        return ("not undone: it has no way back",)
    if state in UNDONE:
        return ("↶ undone", ", ".join(each for each in (recorded, _undo_took(step)) if each))
    if state == "may have left something":
        return ("look: it has no way back",)
    if state == "undo failed" or step["name"] in run["left"]:
        return ("✗ left", recorded)
    if step.get("would_be_undone") and run["sealed"]:
        return ("stays: the run is sealed",)
    if step.get("would_be_undone"):
        items = part(step, "items").get("done")
        return ("would be undone", recorded or (f"{items:,} items" if items else ""))
    return ()


def _undo_took(step: Shown) -> str:
    axis = axis_of([{"spans": list(filter(_is_undo, parts(step, "spans")))}], "")
    return "" if axis is None else f"in {seconds(axis.worked)}"


def _is_undo(span: Shown) -> bool:
    return bool(span["direction"] == "undo")


def _counted(recorded: Mapping[str, int]) -> str:
    largest_first = sorted(recorded.items(), key=lambda item: -item[1])
    shown = [f"{key}: {count:,}" for key, count in largest_first[:_KEYS]]
    more = [f"{len(recorded) - _KEYS} more"] if len(recorded) > _KEYS else []
    return ", ".join([*shown, *more])


def logs_of(steps: Sequence[Shown]) -> list[dict[str, Any]]:
    """Return the logs of those steps that logged something, as far as there is room.

    Args:
        steps: The steps in their JSON form.
    """
    logging = [step for step in steps if step.get("log")]
    urgent = sorted(logging, key=lambda step: not step.get("error"))
    rooms = _rooms(urgent)
    shown = {step["name"]: _log(step, room) for step, room in zip(urgent, rooms, strict=True)}
    return [shown[step["name"]] for step in logging]


def _rooms(steps: Sequence[Shown]) -> list[int]:
    """Return how many lines of the log of each step there is room for, the most urgent first."""
    room = _ROOM
    rooms: list[int] = []
    for place, step in enumerate(steps, 1):
        # Half of what is left for one, so that something is shown of each.
        share = room if place == len(steps) else room // 2
        around = len(step["name"]) + _MARKUP
        ends = list(accumulate(len(_written(line)) + around for line in step["log"]))
        rooms.append(bisect_right(ends, share))
        room -= max(ends[: rooms[-1]], default=0)
    return rooms


def _log(step: Shown, room: int) -> dict[str, Any]:
    lines = step["log"]
    first = room // 5 if room < len(lines) else len(lines)
    last = room - first if room < len(lines) else 0
    return {
        "step": step["name"],
        "open": bool(step.get("error")) or step["state"] == "running",
        "count": len(lines),
        "first": list(_lines(lines[:first])),
        "left": len(lines) - first - last,
        "last": list(_lines(lines[len(lines) - last :])) if last else [],
    }


def _lines(lines: Sequence[Shown]) -> Iterator[dict[str, Any]]:
    """Yield the lines, those about errors marked, with what is said between them."""
    attempt, last = None, 0
    for line in lines:
        if line["attempt"] != attempt:
            if attempt is not None:
                yield {"said": f"attempt {line['attempt']}"}
            attempt, last = line["attempt"], line["number"] - 1
        if line["number"] > last + 1:
            yield {"said": f"… {line['number'] - last - 1:,} lines were not kept"}
        last = line["number"]
        again = f"{line['attempt']}." if line["attempt"] > 1 else ""
        yield {"id": f"{again}{last}", "text": _written(line), "bad": _is_bad(line)}


def _written(line: Shown) -> str:
    data = " ".join(f"{key}={json_text(value)}" for key, value in line["data"].items())
    text = f"{line['at'][11:19]} {line['event']}  {data}".rstrip().replace("\n", " ⏎ ")
    return text if len(text) <= _LINE else f"{text[: _LINE - 1]}…"


def _is_bad(line: Shown) -> bool:
    level = str(line["data"].get("level") or line["data"].get("status") or "")
    return f"{line['event']} {level}".lower().startswith(_BAD) or level.lower().startswith(_BAD)
