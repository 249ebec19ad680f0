"""An owner that is stopped past its lease, loses its run by `--take-over`, and wakes up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from journals.places import until
from killing.trial import SUPPORT, Trial

WORKER = Path(__file__).with_name("worker.py")


@pytest.fixture
def stopped() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """A function that runs a trial in a process which stops before its write number `at`."""
    started: list[subprocess.Popen[bytes]] = []

    def run(trial: Trial, at: int) -> subprocess.Popen[bytes]:
        told = trial.told(*trial.words(), at=at, when="before", stop=True, lease=0.5)
        path = os.pathsep.join((str(SUPPORT), os.environ.get("PYTHONPATH", "")))
        process = subprocess.Popen(
            [sys.executable, str(WORKER), json.dumps(told), str(trial.folder / "said")],
            env={**os.environ, "PYTHONPATH": path},
        )
        started.append(process)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_an_owner_that_was_stopped_and_taken_over_touches_nothing(
    make_trial: Callable[..., Trial], reference: Any, stopped: Any, way: str
) -> None:
    """It is refused until its lease is over and it is asked for; the one that wakes ends with 3."""
    trial = make_trial()
    if trial.journal is not None:
        pytest.skip("a session of a server has a lock of its own")
    process = stopped(trial, 23)
    refused = trial.go_on(way)
    assert refused["code"] == 3
    assert f"pid {process.pid}" in refused["said"]
    # A lock alone does not tell whether its holder is stopped: the lease does.
    until(lambda: trial.go_on(way, "--take-over")["code"] != 3)
    row = trial.row()
    assert row is not None
    if way == "resume":
        assert row.outcome == "completed"
        trial.complete(reference.world)
    else:
        assert row.outcome == "rolled_back"
        assert trial.world() == trial.before
    closed, world = trial.closed(), trial.world()
    process.send_signal(signal.SIGCONT)
    assert process.wait(timeout=60) == 3
    assert (trial.row(), trial.closed(), trial.world()) == (row, closed, world)
    assert "was taken over" in (trial.folder / "said").read_text()
