"""A picture of a plan in HTML: steps below each other, lanes side by side, layers around steps."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from handrail.cli import StepBox, boxes_of
from handrail_report.templates import render

_ACCENTS = 6


def plan_picture(
    plan: Mapping[str, Any],
    states: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
) -> Markup:
    """Return the picture of a plan, for a page that has the stylesheet of reports.

    Args:
        plan: The plan as `Plan.to_dict` returns it, or as it was recorded.
        states: How far each step came, by its name, as `handrail.records` says it. Without them,
            the picture shows no states.
        notes: What stands behind the state of a step, such as `0.4s`.
    """
    steps = (StepBox(number=0, planned=each) for each in plan["steps"])
    others = dict.fromkeys(step.pack for step in steps if step.brought)
    return render(
        "plan.html",
        plan=plan,
        sequences=[each for each in boxes_of(plan, states, notes) if each],
        accents={pack: number % _ACCENTS + 1 for number, pack in enumerate(others)},
    )


def picture_styles() -> Markup:
    """Return the `style` element for a page that has plan pictures, and no stylesheet of reports.

    What it says holds for plan pictures only.
    """
    looks = files("handrail_report").joinpath("plan_picture.css").read_text(encoding="utf-8")
    return Markup(f"<style>{looks.replace(':root', '.plan-picture')}</style>")
