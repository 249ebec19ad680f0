"""The view of many runs, as a table."""

from __future__ import annotations

from markupsafe import Markup

from handrail.amounts import plural
from handrail_report.shown import Link, Shown, part
from handrail_report.templates import report_templates
from handrail_report.texts import exception


def runs_sections(
    shown: Shown, *, link: Link | None = None, choose: bool = False
) -> dict[str, Markup]:
    """Return the part of the view of runs, the latest first, by its id.

    Args:
        shown: The JSON object that `handrail runs --json` writes.
        link: Returns the address of the page of a run; None where there is none.
        choose: Whether runs can be chosen, as values of the input `run`.
    """
    values = {"runs": shown["runs"], "link": link, "choose": choose, "notes": _notes}
    return report_templates().sections("runs.html", **values)


def _notes(run: Shown) -> str:
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
