"""The table of the doors has each, and what shows how to come in by one is short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from handrail import hookspecs
from handrail.packs import GROUPS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "explanation/architecture.md"
OTHERS = {
    "keep",
    "Journal.kept",
    "context.attach",
    "handrail.project",
    "handrail.kept",
    "handrail.notebooks",
}  # No hooks, and no groups of packs.


def test_the_table_of_the_doors_names_each_hook_and_each_group() -> None:
    section = PAGE.read_text("utf-8").partition("## The doors")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    hooks = {name for name, each in vars(hookspecs).items() if hasattr(each, "handrail_spec")}
    assert len(hooks) > 5
    doors = hooks | set(GROUPS) - {"handrail.packs"} | OTHERS
    assert sorted(re.findall(r"`([\w.]+)`", " ".join(rows))) == sorted(doors)


@pytest.mark.parametrize(
    ("page", "file"),
    [
        ("reference/hooks.md", "acme_freeze.py"),
        ("reference/hooks.md", "acme_far.py"),
        ("reference/hooks.md", "acme_memory.py"),
        ("reference/hooks.md", "acme_sound.py"),
        ("reference/hooks.md", "slowest.py"),
        ("reference/tools.md", "command.py"),
        ("how-to/shape-other-workflows.md", "acme_guard.py"),
    ],
)
def test_an_example_of_a_door_has_at_most_40_lines(page: str, file: str) -> None:
    block = rf'^```python title="{file}"\n(.*?)^```'
    text = (DOCS / page).read_text("utf-8")
    (found,) = re.findall(block, text, re.MULTILINE | re.DOTALL)
    assert len([line for line in found.splitlines() if line.strip()]) <= 40
