"""The steps of a run: their states, their timeline, who put them there, and their undo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from handrail.amounts import percent, plural, seconds, share_of
from handrail.frozen import frozen
from handrail.records import UNDONE
from handrail_report.elements import Content, element, joined
from handrail_report.parts import command, counted, hidden, named, origin_text, section
from handrail_report.shown import Shown, part, parts
from handrail_report.templates import badge
from handrail_report.timeline import Axis, axis_of, heading, track, waits_of

_MOST, _FIRST, _LAST = 150, 20, 5  # Steps that are shown even if nothing is to be said of them.
_KEYS = 3
_NAMES = ("step", "state", "timeline", "took", "undo")


def steps_section(shown: Mapping[str, Any]) -> Markup | None:
    """Return the table of the steps, with their timeline; of many, those that need a look.

    Args:
        shown: The JSON object of the run.
    """
    run, steps = shown["run"], shown["steps"]
    if not steps:
        return None
    picked = _picked(steps)
    table = _Table(
        run=run,
        axis=axis_of(steps, run["now"]),
        waits=waits_of(steps),
        lanes={step["group"]: step["lane"] + 1 for step in steps if step.get("group") is not None},
    )
    rows = list(_rows(steps, picked, table))
    told = counted(step["state"] for step in steps)
    cells = [_column(name, table.axis) for name in _NAMES]
    head = element("thead", element("tr", cells, role="row"), role="rowgroup")
    caption = element("caption", f"The steps of run {run['id']}, in their order", class_="unseen")
    body = element("tbody", rows, role="rowgroup")
    whole = element("table", caption, head, body, class_="steps", role="table")
    return section("steps", "Steps", whole, _legend(shown, table.axis), more=told)


@frozen
class _Table:
    """What the rows have in common."""

    run: Mapping[str, Any]
    axis: Axis | None
    waits: Mapping[str, Sequence[tuple[float, float]]]
    lanes: Mapping[str, int]


def _column(name: str, axis: Axis | None) -> Markup:
    drawn = name == "timeline" and axis is not None
    content = (hidden(name), heading(axis)) if drawn and axis else name
    kind = name if drawn else "number" if name == "took" else None
    return element("th", content, scope="col", role="columnheader", class_=kind)


def _picked(steps: Sequence[Shown]) -> list[int]:
    """Return the places of the steps that are shown."""
    if len(steps) <= _MOST:
        return list(range(len(steps)))
    told = [place for place, step in enumerate(steps) if not _is_plain(step)]
    ends = (*range(_FIRST), *range(len(steps) - _LAST, len(steps)))
    return sorted({*ends, *told[: _MOST - len(ends) - 1], *told[-1:]})


def _is_plain(step: Shown) -> bool:
    items = part(step, "items")
    went_well = step["state"] in ("done", "skipped", "undone", "not started", "waiting")
    return (
        went_well
        and step["attempts"] <= 1
        and not (step.get("error") or items.get("failed") or items.get("left"))
    )


def _rows(steps: Sequence[Shown], picked: Sequence[int], table: _Table) -> Iterator[Markup]:
    """Yield the rows, with headings for actions and groups, and one for each gap."""
    action = group = None
    last = -1
    for place in picked:
        if place > last + 1:
            yield _gap(steps[last + 1 : place], table.run["id"])
        last, step = place, steps[place]
        if step.get("action") and step["action"] != action:
            action = step["action"]
            yield _heading(f"action {action}")
        if step.get("group") not in (None, group):
            yield _heading(f"group {step['group']}, {plural(table.lanes[step['group']], 'lane')}")
        group = step.get("group")
        yield _row(step, table)
    if last < len(steps) - 1:
        yield _gap(steps[last + 1 :], table.run["id"])


def _heading(text: str) -> Markup:
    cell = element("th", text, scope="colgroup", colspan=len(_NAMES), role="rowheader")
    return element("tr", cell, class_="heading", role="row")


def _gap(steps: Sequence[Shown], number: int) -> Markup:
    states = counted(step["state"] for step in steps)
    words = (f"… {len(steps):,} more: {states} · ", command(f"handrail show {number} --all"))
    cell = element("td", words, colspan=len(_NAMES), class_="muted", role="cell")
    return element("tr", cell, role="row", class_="heading")


def _row(step: Shown, table: _Table) -> Markup:
    run = table.run
    lane = None if step.get("lane") is None else f"lane {step['lane'] + 1} · "
    number = lane and element("span", lane, class_="muted small")
    words = (number, named(step["name"]), _origin(step))
    name = element("th", words, scope="row", role="rowheader")
    tries = f"attempt {step['attempts']}" if step["attempts"] > 1 else ""
    axis = table.axis
    bars = axis and track(axis, step, table.waits.get(step["name"], ()), run["now"])
    cells = (
        element("td", badge(step["state"], more=tries), _progress(step), role="cell"),
        element("td", bars or None, role="cell", class_="timeline"),
        element("td", _took(step), role="cell", class_="number"),
        element("td", _undo(step, run), role="cell", class_="undo-cell"),
    )
    quiet = "waiting" if step["state"] in ("not started", "waiting") else None
    return element("tr", name, cells, role="row", class_=quiet)


def _progress(step: Shown) -> Markup | None:
    """Return how far a running step is, as a bar and in words."""
    told = progress_of(step)
    if told is None:
        return None
    progress, says = part(step, "progress"), f"progress of {step['name']}"
    bar = element("progress", value=progress["current"], max=progress["total"], aria_label=says)
    return element("div", bar, element("div", told, class_="muted small"))


def progress_of(step: Shown) -> str | None:
    """Return how far a step is in words, such as `58 %, 115/200`; None unless it runs and says."""
    progress = part(step, "progress")
    if step["state"] != "running" or not progress or not progress["total"]:
        return None
    current, total, unit = progress["current"], progress["total"], progress.get("category")
    return f"{percent(current / total)}, {share_of(current, total, unit)}"


def _took(step: Shown) -> Content:
    if step["took"] is None:
        return element("span", "-", class_="muted")
    return f"{seconds(step['took'])}{'+' * bool(step.get('at_least'))}"


def _origin(step: Shown) -> Markup:
    """Return who put a step there, and why."""
    reason = step.get("reason")
    required = step.get("required")
    told = [
        origin_text(step.get("origin")),
        reason if reason != "base" else None,
        f"required by {required}" if required else None,
        "final" if step.get("final") and not required else None,
        "always runs" if step.get("always_run") else None,
        *(f"in {each['name']} of {origin_text(each['origin'])}" for each in parts(step, "layers")),
    ]
    text = " · ".join(each for each in told if each)
    return element("div", text, class_="muted small")


def _undo(step: Shown, run: Mapping[str, Any]) -> Content:
    """Return what was undone of a step, what is left, or what would be undone."""
    recorded = _counted(step["recorded"])
    by_hand, state = step.get("by_hand"), step["state"]
    if by_hand is not None:
        return f"↶ undone by hand by {by_hand['by']}: {by_hand['reason']}"
    if step["name"] in run["stays"]:
        return "not undone: it has no way back"
    if state in UNDONE:
        return _lines("↶ undone", recorded, _undo_took(step))
    if state == "may have left something":
        return "look: it has no way back"
    if state == "undo failed" or step["name"] in run["left"]:
        return _lines("✗ left", recorded)
    if step.get("would_be_undone") and run["sealed"]:
        return "stays: the run is sealed"
    if step.get("would_be_undone"):
        items = part(step, "items").get("done")
        return _lines("would be undone", recorded or (f"{items:,} items" if items else ""))
    return element("span", "-", class_="muted none")


def _lines(first: str, *others: str | None) -> Content:
    rest = ", ".join(each for each in others if each)
    return (first, element("div", rest, class_="muted small") if rest else None)


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


def _legend(shown: Mapping[str, Any], axis: Axis | None) -> Content:
    """Return what the shapes of the timeline mean, of those that are in it."""
    if axis is None:
        return None
    spans = [span for step in shown["steps"] for span in parts(step, "spans")]
    undone = any(map(_is_undo, spans))
    retried = any(span["attempt"] > 1 for span in spans)
    waited = any(waits_of(shown["steps"]).values())
    keys = [
        ("shape good", "worked", True),
        ("ghost", "worked, and was undone since", undone),
        ("undone", "was undone", undone),
        ("wait", "waited", waited or retried),
        ("pause", "nobody worked on it (cut short)", bool(axis.gaps)),
    ]
    items = [element("li", _sample(kind), name) for kind, name, there in keys if there]
    return joined(_hatch(), element("ul", items, class_="legend"))


def _sample(kind: str) -> Markup:
    if kind == "wait":
        shape = element("line", x1=0, x2="100%", y1="50%", y2="50%", class_=kind)
    else:
        shape = element("rect", x=1, width=26, class_=kind)
    return element("svg", shape, width=28, height=14, class_="sample", aria_hidden="true")


def _hatch() -> Markup:
    """Return the hatch of what is undone."""
    lines = element("path", d="M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4", class_="hatch")
    ground = element("rect", width=8, height=8, class_="hatched")
    units = {"patternUnits": "userSpaceOnUse"}
    pattern = element("pattern", ground, lines, id="hatch", width=8, height=8, **units)
    return element("svg", pattern, width=0, height=0, aria_hidden="true", class_="unseen")
