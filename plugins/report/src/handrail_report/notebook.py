"""What a notebook shows of plans, results and runs: complete in itself, without a stylesheet."""

from __future__ import annotations

from itertools import islice
from reprlib import Repr
from typing import cast

from handrail import Plan, StepResult
from handrail.records import RunRecord
from handrail_report.elements import Content, element, joined
from handrail_report.plan_drawing import picture_styles, plan_picture
from handrail_report.states import look_of

_MOST = 50  # Values of a result that are shown.
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 200
_SHORT.maxlist = _SHORT.maxdict = _SHORT.maxtuple = _SHORT.maxset = 10


def html(value: object) -> str | None:
    """Return a plan as its picture, a run as that of how far it came, and a result as a table."""
    if isinstance(value, Plan):
        return joined(picture_styles(), plan_picture(value.to_dict()))
    if isinstance(value, RunRecord):
        return _run(value)
    return _result(value) if isinstance(value, StepResult) else None


def _run(record: RunRecord) -> str:
    line = f"run {record.row.number} · {record.row.action} · {record.described}"
    steps = [step.planned for step in record.steps]
    plan = {"action": record.row.action, "steps": steps, **record.parallel}
    states = {step.name: step.state for step in record.steps}
    notes = {step.name: f"{step.took:.1f}s" for step in record.steps if step.took is not None}
    picture = plan_picture(plan, states, notes)
    return joined(element("p", element("strong", line)), picture_styles(), picture)


def _result(result: StepResult) -> str:
    """Return a table of what a step returned, and how much it recorded for its undo."""
    state = "skipped" if result.skipped else "done" if result.success else "failed"
    rows = [_row("state", f"{look_of(state).glyph} {state}")]
    if result.error is not None:
        rows.append(_row("error", result.error))
    rows += [_row(name, _SHORT.repr(each)) for name, each in islice(result.data.items(), _MOST)]
    if len(result.data) > _MOST:
        rows.append(_row("…", f"{len(result.data) - _MOST:,} more values"))
    rows += [
        _row(name, f"{_count(each):,} recorded for its undo")
        for name, each in islice(result.rollback_data.items(), _MOST)
    ]
    return element("table", element("tbody", rows))


def _count(recorded: object) -> int:
    return len(cast("list[object]", recorded)) if isinstance(recorded, list) else 1


def _row(name: object, value: str) -> Content:
    return element("tr", element("th", str(name), scope="row"), element("td", value))
