"""The view of many runs, as a table."""

from __future__ import annotations

from handrail.amounts import plural, seconds
from handrail.html.elements import Content, Markup, element
from handrail.html.parts import Link, heads, moment, run_link, scrolling, section
from handrail.html.states import badge
from handrail.recovery.shown import Shown, part
from handrail.recovery.status import exception


def runs_view(shown: Shown, *, link: Link | None = None, choose: bool = False) -> Markup:
    """Return the view of runs, the latest first.

    Args:
        shown: The JSON object that `handrail runs --json` writes.
        link: Returns the address of the page of a run; None where there is none.
        choose: Whether runs can be chosen, as values of the input `run`.
    """
    return element("main", runs_sections(shown, link=link, choose=choose).values(), id="main")


def runs_sections(
    shown: Shown, *, link: Link | None = None, choose: bool = False
) -> dict[str, Markup]:
    """Return the part of the view of runs, by its id; see `runs_view`."""
    rows = [_row(run, link, choose=choose) for run in shown["runs"]]
    if not rows:
        none = element("p", "No runs.", class_="muted")
        return {"runs": section("runs", "Runs", none)}
    names = [*[".choose"] * choose, "run", "action", "state", "started", "took", "by", ".notes"]
    head = heads(*names, classes={"took": "number", "run": "number"})
    table = element("table", head, element("tbody", rows), class_="runs")
    return {"runs": section("runs", "Runs", scrolling(table, "The runs in a table"))}


def _row(run: Shown, link: Link | None, *, choose: bool) -> Markup:
    number = run["id"]
    box = element(
        "input", type="checkbox", name="run", value=str(number), aria_label=f"choose run {number}"
    )
    owner = run["owner"]
    by = " on ".join(str(owner[each]) for each in ("user", "host") if owner.get(each))
    took = seconds(run["took"]) + (f", undo {seconds(run['undo_took'])}" * bool(run["undo_took"]))
    return element(
        "tr",
        element("td", element("label", box)) if choose else None,
        element("th", run_link(number, link), scope="row", class_="number"),
        element("td", run["action"], class_="name"),
        element("td", badge(run["state"], more="sealed" if run["sealed"] else "")),
        element("td", moment(run["started"])),
        element("td", took, class_="number"),
        element("td", by, class_="muted"),
        element("td", _notes(run), class_="small"),
        id=f"run-{str(number).replace('.', '-')}",
    )


def _notes(run: Shown) -> Content:
    """Return what one may have to do about a run, or know of it."""
    runs = part(run, "sweep")
    listed = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in runs.items())
    notes = [
        f"{plural(sum(runs.values()), 'run')}: {listed}" if runs else "",
        f"left: {', '.join(run['left'][:3])}" if run["left"] else "",
        exception(run["not_undone"]).strip(),
        f"relied on by {len(run['relied_on_by'])}" if run["relied_on_by"] else "",
    ]
    return " · ".join(each for each in notes if each)
