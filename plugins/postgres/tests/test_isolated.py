"""Isolated steps in a run whose journal is in PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from leftovers import has_ended

from handrail import resume
from handrail.errors import RunHeldError
from handrail_postgres import open_journal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes")

SUPPORT = Path(__file__).parents[3] / "tests/support"
RUN = """
import sys
from isolating import job
from handrail_postgres import open_journal
job({"do": "meets"}, packs=()).run(journal=open_journal(sys.argv[1]))
"""


def test_a_run_cannot_be_claimed_while_its_step_lives(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process has the connection with the lock, too."""
    from isolating import job

    monkeypatch.chdir(tmp_path)
    os.mkfifo("waiting")
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    process = subprocess.Popen([sys.executable, "-c", RUN, place], env=environment)
    with open("waiting", "rb"):
        pass
    Path("waiting").unlink()
    step, helper = (int(each) for each in Path("pids").read_text().split())
    os.kill(helper, signal.SIGSTOP)  # It would kill the step.
    process.kill()
    process.wait()
    journal = open_journal(place)
    try:
        with pytest.raises(RunHeldError):
            journal.claim(1)
    finally:
        os.kill(helper, signal.SIGCONT)
    assert has_ended(helper)
    assert has_ended(step)
    while journal.holder(1) is not None:  # The server takes a moment to end a session.
        pass
    assert resume(job, 1, journal=journal, packs=())["success"]
    journal.close()
