"""The view of many runs, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from handrail.amounts import plural
from handrail_report.elements import Content, Markup, element
from handrail_report.parts import (
    Link,
    exception,
    hidden,
    moment,
    named,
    owner_text,
    run_link,
    section,
    table,
    took_text,
)
from handrail_report.shown import Shown, part
from handrail_report.states import badge


def runs_sections(
    shown: Shown, *, link: Link | None = None, choose: bool = False
) -> dict[str, Markup]:
    """Return the part of the view of runs, the latest first, by its id.

    Args:
        shown: The JSON object that `handrail runs --json` writes.
        link: Returns the address of the page of a run; None where there is none.
        choose: Whether runs can be chosen, as values of the input `run`.
    """
    runs = shown["runs"]
    if not runs:
        none = element("p", "No runs.", class_="muted")
        return {"runs": section("runs", "Runs", none)}
    listed = table(
        ("run", "action", "state", "started", "took", "by", hidden("notes")),
        [_row(run, link, choose=choose) for run in runs],
        says="The runs in a table",
        numbers=("run", "took"),
        ids=[f"run-{str(run['id']).replace('.', '-')}" for run in runs],
        class_="runs",
    )
    return {"runs": section("runs", "Runs", listed)}


def _row(run: Shown, link: Link | None, *, choose: bool) -> Sequence[Content]:
    number = run["id"]
    words = f"choose run {number}"
    box = element("input", type="checkbox", name="run", value=str(number), aria_label=words)
    return (
        (element("label", box) if choose else None, run_link(number, link)),
        named(run["action"]),
        badge(run["state"], more="sealed" if run["sealed"] else ""),
        moment(run["started"]),
        took_text(run),
        owner_text(run["owner"]),
        element("span", _notes(run), class_="small"),
    )


def _notes(run: Shown) -> Content:
    """Return what one may have to do about a run, or know of it."""
    runs = part(run, "parts")
    listed = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in runs.items())
    notes = [
        f"{plural(sum(runs.values()), 'run')}: {listed}" if runs else "",
        f"left: {', '.join(run['left'][:3])}" if run["left"] else "",
        exception(run["not_undone"]).strip(),
        f"relied on by {len(run['relied_on_by'])}" if run["relied_on_by"] else "",
    ]
    return " · ".join(each for each in notes if each)
