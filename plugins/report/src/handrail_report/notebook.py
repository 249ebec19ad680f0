"""What a notebook shows of plans, results and runs: complete in itself, without a stylesheet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from reprlib import Repr
from typing import cast

from handrail import Plan, StepResult
from handrail.records import RunRecord
from handrail_report.charts import plan_picture
from handrail_report.document import picture_styles
from handrail_report.shown import look_of
from handrail_report.templates import render

_MOST = 50  # Values of a result that are shown.
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 200
_SHORT.maxlist = _SHORT.maxdict = _SHORT.maxtuple = _SHORT.maxset = 10


def html(value: object) -> str | None:
    """Return a plan as its picture, a run as that of how far it came, and a result as a table."""
    if isinstance(value, Plan):
        return picture_styles() + plan_picture(value.to_dict())
    if isinstance(value, RunRecord):
        return _run(value)
    if isinstance(value, StepResult):
        return render("result.html", rows=list(_result(value)))
    return None


def _run(record: RunRecord) -> str:
    line = f"run {record.row.number} · {record.row.action} · {record.described}"
    steps = [step.planned for step in record.steps]
    plan = {"action": record.row.action, "steps": steps, **record.parallel}
    states = {step.name: step.state for step in record.steps}
    notes = {step.name: f"{step.took:.1f}s" for step in record.steps if step.took is not None}
    return render("result.html", line=line) + picture_styles() + plan_picture(plan, states, notes)


def _result(result: StepResult) -> Iterator[tuple[str, str]]:
    """Yield what a step returned, and how much it recorded for its undo."""
    state = "skipped" if result.skipped else "done" if result.success else "failed"
    yield "state", f"{look_of(state).glyph} {state}"
    if result.error is not None:
        yield "error", result.error
    for name, each in islice(result.data.items(), _MOST):
        yield str(name), _SHORT.repr(each)
    if len(result.data) > _MOST:
        yield "…", f"{len(result.data) - _MOST:,} more values"
    for name, each in islice(result.rollback_data.items(), _MOST):
        yield str(name), f"{_count(each):,} recorded for its undo"


def _count(recorded: object) -> int:
    return len(cast("list[object]", recorded)) if isinstance(recorded, list) else 1
