"""Isolated steps in a dry run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FLOWS = '''
from handrail import action, step

@step(isolated=True, effects=False)
def apart(context):
    """Reads in a process of its own."""
    return {"summary": "seen from there"}

@step(isolated=True)
def away(context):
    open("sent", "w").close()

alone = action("alone", [apart, away])
'''


def test_isolated_steps_that_only_read_run_in_their_process(tmp_path: Path) -> None:
    """What has effects is not even started there."""
    (tmp_path / "sending.py").write_text(FLOWS)
    words = [sys.executable, "-m", "handrail", "run", "sending.py:alone", "--dry-run"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "alone would run 2 steps; nothing was done"
    assert not (tmp_path / "sent").exists()
