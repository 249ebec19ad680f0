"""`handrail plan --mermaid`: where it goes, and what it does not go with."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from recorded_runs import Call

FLOW = """
from handrail import action, parallel, step

def named(name):
    @step(name=name, timeout=60)
    def made(context): ...
    return made

media = parallel("media", [[named("größer")], [named("thumbs")]])
nightly = action("nightly", [named("fetch"), media, named("publish")])
"""


@pytest.fixture
def flow(folder: Path) -> str:
    """Return the name of a workflow with a group."""
    (folder / "night.py").write_text(FLOW, encoding="utf-8")
    return "night.py:nightly"


def test_a_flowchart_goes_to_standard_output(call: Call, flow: str) -> None:
    """As Mermaid reads it."""
    done = call("plan", flow, "--mermaid", "-o", "-")
    assert done.out == call("plan", flow, "--mermaid").out
    assert done.lines[0] == "flowchart TB"
    assert '  n1["fetch<br/>night.py<br/>timeout 60s"]' in done.lines


def test_a_file_is_replaced_as_a_whole(call: Call, flow: str, folder: Path) -> None:
    """Its permissions stay, and standard output is empty."""
    file = folder / "plan.txt"
    file.write_text("before" * 10_000)
    file.chmod(0o640)
    done = call("plan", flow, "--mermaid", "-o", "plan.txt")
    assert (done.code, done.out, done.err) == (0, "", "wrote plan.txt\n")
    assert file.read_text() == call("plan", flow, "--mermaid").out
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [each.name for each in folder.iterdir() if "plan" in each.name] == ["plan.txt"]


def test_a_file_that_cannot_be_written_is_an_error(call: Call, flow: str) -> None:
    """It names the file, and the reason."""
    done = call("plan", flow, "--mermaid", "--output", "nowhere/plan.txt")
    assert done.code == 2
    assert f"nowhere/plan.txt cannot be written: {os.strerror(2)}" in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--mermaid", "--explain", "fetch"), "--explain and --mermaid are two questions; ask one"),
        (("--mermaid", "--json"), "--mermaid is no JSON"),
        (("-o", "plan.txt"), "-o goes with --mermaid"),
    ],
)
def test_one_answer_at_a_time(call: Call, flow: str, words: tuple[str, ...], told: str) -> None:
    """A flowchart is one of the answers that `plan` gives."""
    done = call("plan", flow, *words)
    assert done.code == 2
    assert told in done.out + done.err
