"""Runs of a workflow that waits to be killed: by real processes, and commands beside them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from durable_runs import DURABLE, Run, Start, caller
from garden import Garden


@pytest.fixture(autouse=True)
def durable(folder: Path) -> None:
    (folder / "durable.py").write_text(DURABLE)


@pytest.fixture
def start(folder: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Start `handrail` in the background; what is left of it ends with the test."""
    processes: list[subprocess.Popen[str]] = []

    def begin(*words: str, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env={**environment, **variables},
            stdin=subprocess.PIPE,
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


@pytest.fixture
def killed(start: Start) -> Callable[..., None]:
    """Run the job and kill it with SIGKILL in the middle of its second step."""

    def run_and_kill(*words: str, **variables: str) -> None:
        given = words or ("-m", "handrail", "run", "durable.py:job", "über")
        process = start(*given, **variables)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
        process.wait()

    return run_and_kill


@pytest.fixture
def handrail(
    folder: Path,
    tmp_path: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    """Call `handrail` in this process, which is quick; code in temporary folders is read anew."""
    return caller(folder, tmp_path, environment, monkeypatch, capfd)


@pytest.fixture
def site(tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Garden:
    """Where packs are planted, on the path of this process and of those that it starts."""
    garden = Garden(tmp_path)
    environment["PYTHONPATH"] = str(garden.site)
    monkeypatch.syspath_prepend(str(garden.site))
    return garden
