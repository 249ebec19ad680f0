"""`handrail plan --svg` and `--mermaid`: where they go, and what they do not go with."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from xml.etree import ElementTree

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


def test_a_picture_goes_to_standard_output(call: Call, flow: str) -> None:
    """It is XML in any encoding, and nothing else is written."""
    done = call("plan", flow, "--svg")
    assert (done.code, done.err) == (0, "")
    assert done.out.isascii()
    shown = ElementTree.fromstring(done.out)
    assert "größer" in [text.text for text in shown.iter("{http://www.w3.org/2000/svg}text")]


def test_a_flowchart_goes_to_standard_output(call: Call, flow: str) -> None:
    """As Mermaid reads it."""
    done = call("plan", flow, "--mermaid", "-o", "-")
    assert done.code == 0
    assert done.lines[0] == "flowchart TB"
    assert '  n1["fetch<br/>night.py<br/>timeout 60s"]' in done.lines


@pytest.mark.parametrize("kind", ["--svg", "--mermaid"])
def test_a_file_is_replaced_as_a_whole(call: Call, flow: str, folder: Path, kind: str) -> None:
    """Its permissions stay, and standard output is empty."""
    file = folder / "plan.txt"
    file.write_text("before" * 10_000)
    file.chmod(0o640)
    done = call("plan", flow, kind, "-o", "plan.txt")
    assert (done.code, done.out, done.err) == (0, "", "wrote plan.txt\n")
    assert file.read_text() == call("plan", flow, kind).out
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [each.name for each in folder.iterdir() if "plan" in each.name] == ["plan.txt"]


def test_a_file_that_cannot_be_written_is_an_error(call: Call, flow: str) -> None:
    """It names the file, and the reason."""
    done = call("plan", flow, "--svg", "--output", "nowhere/plan.svg")
    assert done.code == 2
    assert f"nowhere/plan.svg cannot be written: {os.strerror(2)}" in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--svg", "--mermaid"), "--svg and --mermaid are two questions; ask one"),
        (("--svg", "--explain", "fetch"), "--explain and --svg are two questions; ask one"),
        (("--svg", "--json"), "--svg is no JSON"),
        (("-o", "plan.svg"), "-o goes with --svg and --mermaid"),
    ],
)
def test_one_answer_at_a_time(call: Call, flow: str, words: tuple[str, ...], told: str) -> None:
    """A picture is one of the answers that `plan` gives."""
    done = call("plan", flow, *words)
    assert done.code == 2
    assert told in done.out + done.err
