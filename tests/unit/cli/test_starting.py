"""What a command is spared while it starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CALLED = """
import atexit, gc, sys
from handrail.cli import main

atexit.register(lambda: print("passed over" if gc.get_freeze_count() > 10_000 else "collected"))
sys.exit(main())
"""
# A class is garbage that only a collection finds, and the file with it.
HOLDS = """
from handrail import action, step

class Held:
    file = open("kept.txt", "w")

@step
def look(context):
    pass

Held.file.write("the last line")
look_at_it = action("look_at_it", [look])
"""


def at_end(here: Path, *words: str) -> str:
    """Call `handrail`; return what becomes of the garbage at the end of the process."""
    called = [sys.executable, "-c", CALLED, *words]
    done = subprocess.run(called, cwd=here, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_no_garbage_is_collected_at_the_end(tmp_path: Path) -> None:
    assert at_end(tmp_path, "packs") == "passed over"


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_file_that_was_left_open_is_written_at_the_end(tmp_path: Path, command: str) -> None:
    (tmp_path / "flows.py").write_text(HOLDS)
    assert at_end(tmp_path, command, "flows.py:look_at_it") == "collected"
    assert (tmp_path / "kept.txt").read_text() == "the last line"


def test_garbage_is_collected_while_steps_run(tmp_path: Path) -> None:
    """Only the start of a command goes without."""
    source = "import gc\nfrom handrail import action, step\n\n@step\ndef look(context):\n"
    (tmp_path / "flows.py").write_text(
        f'{source}    assert gc.isenabled()\n\nlooks = action("looks", [look])\n'
    )
    assert at_end(tmp_path, "run", "flows.py:looks") == "passed over"
