"""What a notebook shows of plans, results and runs: complete in itself, without a stylesheet."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from reprlib import Repr
from typing import Any, cast

from handrail.html.elements import Content, element, joined
from handrail.html.plan_drawing import picture_styles, plan_picture
from handrail.html.states import look_of

_MOST = 50  # Values of a result that are shown.
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 200
_SHORT.maxlist = _SHORT.maxdict = _SHORT.maxtuple = _SHORT.maxset = 10


def plan_html(plan: Mapping[str, Any]) -> str:
    """Return the picture of a plan, as `Plan.to_dict` returns it."""
    return joined(picture_styles(), plan_picture(plan))


def run_html(
    head: str, plan: Mapping[str, Any], states: Mapping[str, str], notes: Mapping[str, str]
) -> str:
    """Return a line about a run, and the picture of its plan with how far each step came."""
    line = element("p", element("strong", head))
    return joined(line, picture_styles(), plan_picture(plan, states, notes))


def result_html(
    state: str, error: str | None, data: Mapping[str, Any], recorded: Mapping[str, Any]
) -> str:
    """Return the result of a step as a table.

    Args:
        state: Its state, such as `done`.
        error: Why it failed, if it did.
        data: What it returned.
        recorded: What it recorded for its undo, of which only the amount is shown.
    """
    rows = [_row("state", f"{look_of(state).glyph} {state}")]
    if error is not None:
        rows.append(_row("error", error))
    rows += [_row(name, _SHORT.repr(value)) for name, value in islice(data.items(), _MOST)]
    if len(data) > _MOST:
        rows.append(_row("…", f"{len(data) - _MOST:,} more values"))
    rows += [
        _row(name, f"{_count(value):,} recorded for its undo")
        for name, value in islice(recorded.items(), _MOST)
    ]
    return element("table", element("tbody", rows))


def _count(recorded: object) -> int:
    return len(cast("list[object]", recorded)) if isinstance(recorded, list) else 1


def _row(name: object, value: str) -> Content:
    return element("tr", element("th", str(name), scope="row"), element("td", value))
