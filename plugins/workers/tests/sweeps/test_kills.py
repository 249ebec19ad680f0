"""Sweeps in real processes, of which some are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sweeping import calls, models

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

_LONGEST = 60.0
SWEEP = ("run", "flows.py:TrainAction", "--over", "epochs=1,2,3,4", "--concurrency", "2")


@pytest.fixture
def environment(folder: Path) -> dict[str, str]:
    """Return the variables of processes: of Handrail's none but the cache."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HANDRAIL_")}
    return {**kept, "NO_COLOR": "1"}


@pytest.fixture
def start(
    folder: Path, environment: dict[str, str]
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `handrail`; what is left of it ends with the test."""
    processes: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "handrail", *words],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def over(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end of a process; return its exit code and what it has written."""
    out, err = process.communicate(timeout=_LONGEST)
    return process.returncode, out + err


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something holds, while a process lives."""
    end = time.monotonic() + _LONGEST
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_run_whose_worker_is_killed_goes_on_from_its_own_record(
    folder: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    (folder / "kill 2-0.1.model").touch()
    code, told = over(start(*SWEEP))
    assert code == 0, told
    assert models(folder) == ["1-0.1", "2-0.1", "3-0.1", "4-0.1"]
    assert calls(folder).count("load 2 0.1") == 1
    assert calls(folder).count("fit 2 0.1") == 2
    assert calls(folder).count("fit 1 0.1") == 1


def test_a_sweep_whose_process_is_killed_goes_on_with_each_run(
    folder: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """Nothing that is completed is run again, and nothing is left when all is undone."""
    text = (folder / "flows.py").read_text()
    waits = (
        'if context.epochs > 2 and not Path("go").exists():\n        import time; time.sleep(120)'
    )
    (folder / "flows.py").write_text(
        text.replace('if Path(f"kill {name}")', f'{waits}\n    if Path(f"kill {{name}}")')
    )
    process = start(*SWEEP)
    until(lambda: {"3-0.1", "4-0.1"} <= set(models(folder)), process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=_LONGEST)
    (folder / "go").touch()
    code, told = over(start("resume", "1"))
    assert code == 0, told
    assert models(folder) == ["1-0.1", "2-0.1", "3-0.1", "4-0.1"]
    for epochs, times in ((1, 1), (2, 1), (3, 2), (4, 2)):
        assert calls(folder).count(f"load {epochs} 0.1") == 1
        assert calls(folder).count(f"fit {epochs} 0.1") == times
    code, told = over(start("rollback", "1", "--yes"))
    assert code == 0, told
    assert models(folder) == []


def test_runs_whose_steps_have_changed_go_on_if_that_is_accepted(
    folder: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    kept = ("--over", "hyper.rate=0.1,2", "--on-failure", "keep")
    assert over(start("run", "flows.py:TrainAction", *kept))[0] == 6
    text = (folder / "flows.py").read_text()
    (folder / "flows.py").write_text(text.replace("@step\n", "load.data_version = 2\n\n@step\n"))
    (folder / "mended").touch()
    assert over(start("resume", "1"))[0] == 6
    code, told = over(start("resume", "1", "--accept-drift"))
    assert code == 0, told
    assert models(folder) == ["10-0.1", "10-2.0"]
    text = (folder / "flows.py").read_text()
    (folder / "flows.py").write_text(text.replace("data_version = 2", "data_version = 3"))
    assert over(start("rollback", "1", "--yes"))[0] == 3
    assert models(folder) == ["10-0.1", "10-2.0"]
    code, told = over(start("rollback", "1", "--yes", "--accept-drift"))
    assert code == 0, told
    assert models(folder) == []
