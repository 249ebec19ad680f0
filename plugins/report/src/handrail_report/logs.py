"""What steps logged, as text; `logs.js` shows only the lines that have what somebody types.

Without that script all is there, and the search of a browser finds it.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from markupsafe import Markup

from handrail.amounts import plural
from handrail_report.elements import Content, element
from handrail_report.parts import opened, section
from handrail_report.shown import Shown

_ROOM = 120_000
"""Letters of all lines together; a step that failed comes first."""

_LINE = 600  # Letters of one line.
_BAD = ("error", "fail", "fatal", "critical", "exception")


def logs_section(steps: Sequence[Shown], number: int) -> Markup | None:
    """Return the logs of the steps of a run; None if nothing was logged.

    Args:
        steps: The steps in their JSON form.
        number: The number of the run.
    """
    logging = [step for step in steps if step.get("log")]
    if not logging:
        return None
    urgent = sorted(logging, key=lambda step: not step.get("error"))
    rooms = _rooms([step["log"] for step in urgent])
    shown = {
        step["name"]: _log(step, number, room) for step, room in zip(urgent, rooms, strict=True)
    }
    logs = [shown[step["name"]] for step in logging]
    lines = sum(len(step["log"]) for step in logging)
    body = element("div", _filter(logging), logs, class_="logs")
    return section("logs", "Logs", body, more=plural(lines, "line"))


def _filter(steps: Sequence[Shown]) -> Markup:
    """Return what says which lines are shown; to type something needs the script."""
    box = element("input", type="search", autocomplete="off", spellcheck="false")
    bad = any(_is_bad(line) for step in steps for line in step["log"])
    return element(
        "div",
        element("label", element("span", "Search"), box, class_="find"),
        element("label", element("input", type="checkbox"), " errors only") if bad else None,
        element("output"),
        class_="filter",
    )


def _rooms(logs: Sequence[Sequence[Shown]]) -> list[int]:
    """Return how many lines of each log there is room for, the most urgent first."""
    room = _ROOM
    found: list[int] = []
    for place, log in enumerate(logs, 1):
        # Half of what is left for one, so that something is shown of each.
        share = room if place == len(logs) else room // 2
        ends = list(accumulate(len(_shown(line)) + 1 for line in log))
        found.append(bisect_right(ends, share))
        room -= max(ends[: found[-1]], default=0)
    return found


def _log(step: Shown, number: int, room: int) -> Markup:
    lines = step["log"]
    first = room // 5 if room < len(lines) else len(lines)
    last = room - first if room < len(lines) else 0
    parts: list[Content] = [_lines(lines[:first])]
    left = len(lines) - first - last
    if left:
        words = f"handrail show {number} --step {step['name']} --json"
        parts.append(element("em", f"… {left:,} more lines: {words}\n"))
        parts.append(_lines(lines[len(lines) - last :] if last else ()))
    summary = (element("span", step["name"], class_="name"), f" · {plural(len(lines), 'line')}")
    return opened(
        summary, element("pre", parts, class_="log", tabindex=0), at_once=bool(step.get("error"))
    )


def _lines(lines: Sequence[Shown]) -> Iterator[Content]:
    """Yield the lines; those about errors are marked, and gaps are told."""
    attempt, last = None, 0
    for line in lines:
        if line["attempt"] != attempt:
            if attempt is not None:
                yield element("em", f"attempt {line['attempt']}\n")
            attempt, last = line["attempt"], line["number"] - 1
        if line["number"] > last + 1:
            yield element("em", f"… {line['number'] - last - 1:,} lines were not kept\n")
        last = line["number"]
        shown = f"{_shown(line)}\n"
        yield element("strong", f"✗ {shown}", class_="bad") if _is_bad(line) else shown


def _shown(line: Shown) -> str:
    data = " ".join(f"{key}={_value(value)}" for key, value in line["data"].items())
    text = f"{line['at'][11:19]} {line['event']}  {data}".rstrip().replace("\n", " ⏎ ")
    return text if len(text) <= _LINE else f"{text[: _LINE - 1]}…"


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _is_bad(line: Shown) -> bool:
    level = str(line["data"].get("level") or line["data"].get("status") or "")
    return f"{line['event']} {level}".lower().startswith(_BAD) or level.lower().startswith(_BAD)
