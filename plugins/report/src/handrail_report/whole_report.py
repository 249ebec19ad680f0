"""A report in one file, of a run, a sweep or several runs: no request, and no need of a script."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from handrail_report.comparison import compare_sections
from handrail_report.document import page
from handrail_report.run import run_sections
from handrail_report.sweep import sweep_sections
from handrail_report.templates import render

_TITLES = {"sweep": "Runs", "differences": "What differs"}


def report(shown: Mapping[str, Any], *, command: str, made: str = "") -> Markup:
    """Return a whole document about what `handrail show` shows.

    Args:
        shown: The JSON object that `handrail show --json` writes, with all that it knows.
        command: The command that shows the same as text.
        made: By what it was made, for the foot, which also says when.
    """
    if "differs" in shown:
        numbers = [str(each["run"]["id"]) for each in shown["runs"]]
        title, sections = f"runs {', '.join(numbers[:8])}", compare_sections(shown)
    else:
        run = shown["run"]
        title = f"run {run['id']} · {run['action']} · {run['state']}"
        sections = sweep_sections(shown) if "sweep" in shown else run_sections(shown)
    outcome, *others = sections.values()
    contents = {name: _TITLES.get(name, name.capitalize()) for name in list(sections)[1:]}
    said = f"{made}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC".removeprefix(", ")
    values = {"outcome": outcome, "others": others, "contents": contents}
    return page(title, render("report.html", **values, said=said, words=command))
