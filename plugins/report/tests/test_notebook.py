"""What notebooks show of plans, results and runs: complete in itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from recorded_runs import Journal, done, ended, planned, started

from handrail import StepResult, action, step
from handrail.records import record_of


@step
def send(context: Any) -> None: ...


def test_a_plan_is_its_picture() -> None:
    """With the styles that it needs, as no stylesheet is around it."""
    shown = action("ship", [send]).plan(packs=())._repr_html_()
    assert shown.startswith("<style>")
    assert "Plan of ship, 1 step" in shown
    assert ">send</span>" in shown


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (StepResult(data={"files": 3}), "✓ done"),
        (StepResult(skipped=True), "- skipped"),
        (StepResult(success=False, error="no <room>"), "no &lt;room&gt;"),
        (StepResult(data={"<b>": "<i>" * 200}), "&lt;b&gt;"),
        (StepResult(rollback_data={"keys": [1, 2, 3]}), "3 recorded for its undo"),
    ],
)
def test_a_result_is_a_table(result: StepResult, told: str) -> None:
    """With its state, its values, and how much it recorded; nothing in it is markup."""
    shown = result._repr_html_()
    assert shown.startswith("<table>")
    assert told in shown
    assert "<b>" not in shown
    assert len(shown) < 1500


def test_a_run_is_the_picture_of_how_far_it_came(tmp_path: Path) -> None:
    """Of the plan that it began with, with groups; what its undo has left is told."""
    journal = Journal(tmp_path)
    steps = [
        planned("fetch"),
        planned("resize", group="media", lane=0),
        planned("thumbs", group="media", lane=1, undo=False),
        planned("publish"),
    ]
    plan = {"action": "nightly", "fingerprint": "1234567890abcdef", "steps": steps}
    plan |= {"groups": [{"name": "media", "concurrency": 1}]}
    changes = [
        *(started("fetch"), done("fetch", took=2.5)),
        *(started("resize"), ended("resize", "failed", error="no room", took=0.1)),
    ]
    number = journal.add(steps, *changes, plan=json.dumps(plan))
    try:
        record = record_of(journal.opened[0], number)
        shown = record._repr_html_()
    finally:
        journal.opened[0].close()
    assert f"run {number} · " in shown
    assert "2 lanes, 1 at a time" in shown
    assert '>fetch</span><span class="told">done 2.5s</span>' in shown
    assert '>resize</span><span class="told">failed 0.1s</span>' in shown
    assert '>thumbs</span><span class="told">not started</span>' in shown


def test_nothing_of_it_is_imported_before_a_notebook_asks() -> None:
    """Plans, results and records cost nothing more at the start."""
    source = "import sys, handrail, handrail.records; handrail.StepResult(); handrail.Plan;"
    source += "print([name for name in sys.modules if name.startswith('handrail_report')])"
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
