"""The steps of a run: their states, their timeline, who put them there, and their undo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from handrail.amounts import percent, plural, seconds, share_of
from handrail.records import UNDONE
from handrail_report.shown import Shown, part, parts
from handrail_report.texts import counted, origin_text
from handrail_report.timeline import axis_of, marks_of, track_of, waits_of

_MOST, _FIRST, _LAST = 150, 20, 5  # Steps that are shown even if nothing is to be said of them.
_KEYS = 3


def steps_table(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rows of the table of steps, with their timeline; of many, those that need a look.

    Args:
        shown: The JSON object of the run.
    """
    run, steps = shown["run"], shown["steps"]
    axis, waits = axis_of(steps, run["now"]), waits_of(steps)
    rows = list(_rows(steps, _picked(steps)))
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
        "marks": None if axis is None else marks_of(axis),
        "legend": [(kind, words) for kind, (words, there) in keys.items() if there and axis],
    }


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


def _rows(steps: Sequence[Shown], picked: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield the rows, with headings for actions and groups, and one for each gap."""
    lanes = {step["group"]: step["lane"] + 1 for step in steps if step.get("group") is not None}
    action = group = None
    last = -1
    for place in picked:
        if place > last + 1:
            yield _gap(steps[last + 1 : place])
        last, step = place, steps[place]
        if step.get("action") and step["action"] != action:
            action = step["action"]
            yield {"heading": f"action {action}"}
        if step.get("group") not in (None, group):
            yield {"heading": f"group {step['group']}, {plural(lanes[step['group']], 'lane')}"}
        group = step.get("group")
        yield {"step": step}
    if last < len(steps) - 1:
        yield _gap(steps[last + 1 :])


def _gap(steps: Sequence[Shown]) -> dict[str, Any]:
    return {"gap": f"… {len(steps):,} more: {counted(step['state'] for step in steps)}"}


def progress_of(step: Shown) -> str | None:
    """Return how far a step is in words, such as `58 %, 115/200`; None unless it runs and says."""
    progress = part(step, "progress")
    if step["state"] != "running" or not progress or not progress["total"]:
        return None
    current, total, unit = progress["current"], progress["total"], progress.get("category")
    return f"{percent(current / total)}, {share_of(current, total, unit)}"


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
