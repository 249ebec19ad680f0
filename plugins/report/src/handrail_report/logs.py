"""What steps logged, line by line, each with an id by which others can link to it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from handrail_report.shown import Shown
from handrail_report.texts import json_text

_ROOM = 120_000
"""Letters of all lines together; a step that failed comes first."""

_LINE = 600  # Letters of one line.
_BAD = ("error", "fail", "fatal", "critical", "exception")


def logs_of(steps: Sequence[Shown]) -> list[dict[str, Any]]:
    """Return the logs of those steps that logged something, as far as there is room.

    Args:
        steps: The steps in their JSON form.
    """
    logging = [step for step in steps if step.get("log")]
    urgent = sorted(logging, key=lambda step: not step.get("error"))
    rooms = _rooms([step["log"] for step in urgent])
    shown = {step["name"]: _log(step, room) for step, room in zip(urgent, rooms, strict=True)}
    return [shown[step["name"]] for step in logging]


def _rooms(logs: Sequence[Sequence[Shown]]) -> list[int]:
    """Return how many lines of each log there is room for, the most urgent first."""
    room = _ROOM
    rooms: list[int] = []
    for place, log in enumerate(logs, 1):
        # Half of what is left for one, so that something is shown of each.
        share = room if place == len(logs) else room // 2
        ends = list(accumulate(len(_written(line)) + 1 for line in log))
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
