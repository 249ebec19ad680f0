"""Plans as flowcharts in the language of Mermaid."""

from __future__ import annotations

import re
from typing import Any

import pytest

from handrail.builtin.cli.view.mermaid import flowchart, mermaid


def step(name: str, pack: str = "acme-own", **more: Any) -> dict[str, Any]:
    origin = {"pack": pack, "version": "1.0", "file": "", "module": ""}
    return {"name": name, "origin": origin, "reason": "base", "layers": [], **more}


def chart(*steps: dict[str, Any], **more: Any) -> list[str]:
    return flowchart({"action": "ship", "steps": list(steps), **more}).splitlines()


def test_steps_follow_each_other_and_lanes_stand_beside_each_other() -> None:
    """Arrows go from frame to frame: between all lanes of two groups they could be too many."""
    layers = [{"name": "timing"}, {"name": "retry"}]
    lines = chart(
        step("fetch", undo=True, layers=layers),
        step("resize", group="media", lane=0),
        step("thumbs", "acme-x", group="media", lane=1, reason="after resize"),
        step("close", always_run=True),
        groups=[{"name": "media", "concurrency": None}],
    )
    assert lines == [
        "flowchart TB",
        '  n1["fetch<br/>acme-own 1.0<br/>in retry, in timing<br/>undo"]',
        '  subgraph n2["media: 2 lanes"]',
        "    direction LR",
        '    subgraph n2l1["lane 1"]',
        "      direction TB",
        '      n3["resize<br/>acme-own 1.0"]',
        "    end",
        '    subgraph n2l2["lane 2"]',
        "      direction TB",
        '      n4["thumbs<br/>acme-x 1.0, after resize"]',
        "    end",
        "    n2l1 ~~~ n2l2",
        "  end",
        '  n5(["close<br/>acme-own 1.0"])',
        "  n1 --> n2",
        "  n2 --> n5",
    ]


@pytest.mark.parametrize(
    "name", ['"];click', "<b>", "`code`", "%%{init}%%", "#quot;", "1. first", "- a", "_a_", "\\n"]
)
def test_nothing_in_a_name_is_markup(name: str) -> None:
    """Each sign that Mermaid reads is written as the number of its character."""
    label = chart(step(name))[1].strip().removeprefix('n1["').removesuffix('<br/>acme-own 1.0"]')
    plain = re.sub(r"#\d+;", "", label)
    assert not re.search(r"[\"<>`%#;\[\]{}\\]|^\d|^-|(?<!\w)_|_(?!\w)", plain)
    shown = re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label)
    assert shown == name.replace("\\", "\u2216")


def test_a_chart_stays_within_what_mermaid_draws() -> None:
    """At most 50,000 letters and 500 arrows, however long the plan and its names are."""
    evil = [step('"' * 300 + str(n), f"<{n % 7}>" * 90, undo=True) for n in range(5000)]
    text = flowchart({"steps": evil, "action": "x"})
    assert len(text) < 50_000
    assert text.count("-->") < 500


def test_other_values_have_no_flowchart() -> None:
    assert mermaid({"steps": []}) is None
