"""The view of one run, from the JSON that `handrail show --json` writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from handrail.amounts import seconds
from handrail.records import UNDONE, is_failure
from handrail_report.attachments import attachments_of
from handrail_report.logs import logs_of
from handrail_report.metrics import metrics_of
from handrail_report.plan_drawing import plan_picture
from handrail_report.shown import Link, Shown, part
from handrail_report.steps import progress_of, steps_table
from handrail_report.templates import report_templates


def run_sections(shown: Shown, *, link: Link | None = None) -> dict[str, Markup]:
    """Return the parts of the view of a run by their ids, in order.

    A part for which the run has nothing is left out.

    Args:
        shown: The JSON object of the run.
        link: Returns the address of the page of another run; None where there is none.
    """
    run, steps = shown["run"], shown["steps"]
    given = part(run, "given")
    values = part(part(run, "params"), "values")
    return report_templates().sections(
        "run.html",
        run=run,
        steps=steps,
        link=link,
        damaged=[each.get("message") for each in shown.get("damaged") or ()],
        undone=sum(step["state"] in UNDONE for step in steps),
        failures=list(_failures(shown)),
        table_of_steps=steps_table(shown),
        picture=_picture(shown) if steps else None,
        metrics=metrics_of(steps),
        attachments=attachments_of(steps),
        having_items=[step for step in steps if step.get("items")],
        given=given,
        others={name: each for name, each in values.items() if name not in given},
        logs=logs_of(steps),
        packs=part(run, "packs"),
    )


def _failures(shown: Shown) -> Iterator[dict[str, Any]]:
    """Yield why steps failed, the cause first, and then why undos did."""
    steps = sorted(shown["steps"], key=lambda step: step["name"] != shown["run"]["cause"])
    for kind in ("", "undo_"):
        for step in steps:
            if error := step.get(f"{kind}error"):
                word = "failed" if is_failure(error) else "was stopped"
                yield {
                    "step": step,
                    "word": "could not be undone" if kind else word,
                    "error": error,
                    "traceback": step.get(f"{kind}traceback"),
                }


def _picture(shown: Shown) -> Markup:
    """Return the picture of the plan, with how far each step came."""
    run, steps = shown["run"], shown["steps"]
    parallel = {name: run[name] for name in ("groups", "actions") if name in run}
    plan = {"action": run["action"], "steps": steps, **parallel}
    states = {step["name"]: step["state"] for step in steps}
    notes = {step["name"]: seconds(step["took"]) for step in steps if step["took"] is not None}
    notes |= {step["name"]: told for step in steps if (told := progress_of(step)) is not None}
    return plan_picture(plan, states, notes)
