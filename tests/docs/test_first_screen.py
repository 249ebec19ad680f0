"""The README begins with a run that is killed and undone: that is what the commands really show."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from first_screen import played

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r'```console title="A kill, and the way back"\n(.*?)```', re.DOTALL)


def without_figures(text: str) -> str:
    """Return a text without the amounts that differ from run to run."""
    text = re.sub(r"▸ upload_files.*", "▸ upload_files", text)  # How far it was.
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "RUN", text)
    text = re.sub(r"interrupted +\S+", "interrupted", text)  # Whether it had given a sign of life.
    text = re.sub(r" *\b(?:\d+m )?\d+(?:\.\d+)?s\b|\d[\d,.]* [kMG]?B(?:/s)?", " #", text)
    return re.sub(r"\b\d[\d,.]*\d\b", "#", text)


@pytest.mark.slow
def test_the_first_screen_is_what_the_commands_show(
    same_output: Callable[[str, str], bool],
) -> None:
    """The run, the kill, what `show` tells, and the undo with its preview and question."""
    with tempfile.TemporaryDirectory() as folder:
        played_here = played(Path(folder))
        sessions = ["\n".join((f"$ {command}", *lines)) for command, lines in played_here]
    real = "\n\n".join(sessions) + "\n"
    text = README.read_text(encoding="utf-8")
    found = BLOCK.search(text)
    assert found is not None
    if same_output(without_figures(found[1]), without_figures(real)):
        return
    if os.environ.get("HANDRAIL_DOCS") == "write":
        README.write_text(text[: found.start(1)] + real + text[found.end(1) :], encoding="utf-8")
        return
    raise AssertionError(f"the output is now:\n\n{real}")
