"""One process for each measurement, and rounds in which all contenders take turns."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

Measure = dict[str, Any]
"""What was measured; `{"failed": why}` when it was not."""

MOST_FAILURES = 2
# Neither settings nor secrets of whoever runs this reach a contender, and none of them phones home.
PASSED_ON = ("PATH", "LANG", "LD_LIBRARY_PATH")
QUIET = {"DO_NOT_TRACK": "1", "PYTHONWARNINGS": "ignore", "PYTHONHASHSEED": "0"}


class TakesTurns(Protocol):
    """What the rounds have to know of a contender."""

    @property
    def label(self) -> str:
        """Its name in the table."""
        ...

    @property
    def every(self) -> int:
        """It takes part in each round of that many."""
        ...


T = TypeVar("T", bound=TakesTurns)


def in_turns(
    contenders: Sequence[T], rounds: int, measure: Callable[[T], Measure]
) -> dict[str, list[Measure | None]]:
    """Let the contenders take turns; return what was measured by label, None where one sat out.

    Each round begins with another contender, so that none always follows the same one. Whoever
    has failed twice is not asked again.
    """
    found: dict[str, list[Measure | None]] = {each.label: [] for each in contenders}
    for number in range(rounds):
        first = number % len(contenders)
        for contender in [*contenders[first:], *contenders[:first]]:
            before = found[contender.label]
            failures = sum(1 for each in before if each is not None and "failed" in each)
            sits_out = number % contender.every or failures >= MOST_FAILURES
            before.append(None if sits_out else measure(contender))
    return found


def environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a contender whose home is that folder."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    home = str(folder)
    return {**passed_on, **QUIET, "HOME": home, "BENCH_STARTED": str(time.time()), **more}


def run(
    command: Sequence[str], folder: Path, limit: float, more: Mapping[str, str]
) -> tuple[Measure, str]:
    """Run the command in the folder; return what it took as a whole, and what it printed.

    It writes into files and not into pipes, as a server that it leaves behind would keep those
    open; what it leaves behind is in its process group, and ended with it.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=environment(folder, more),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        try:
            ended = waited(process, began + limit)
            clock = time.perf_counter() - began
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if ended is None:
            process.wait()
            return {"failed": f"not done after {limit:g} s"}, ""
        out.seek(0)
        err.seek(0)
        if ended.code:
            lines = [line.strip() for line in err.read().splitlines() if line.strip()]
            said = lines[-1][:200] if lines else ""
            return {"failed": said or f"exit code {ended.code}"}, ""
        return {"clock": clock, "cpu": ended.cpu, "peak": None}, out.read()


class Ended:
    """How a process ended, and the seconds of the processor that it took."""

    def __init__(self, status: int, cpu: float) -> None:
        self.code = os.waitstatus_to_exitcode(status)
        self.cpu = cpu


def waited(process: subprocess.Popen[bytes], until: float) -> Ended | None:
    """Return how the process ended, or None when it has not by then."""
    pause = 0.0005
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return Ended(status, usage.ru_utime + usage.ru_stime)
        if time.perf_counter() > until:
            return None
        time.sleep(pause)
        pause = min(pause * 1.2, 0.02)


def told(printed: str, figures: Sequence[str] = ("clock", "cpu", "built", "ready")) -> Measure:
    """Return what a contender has measured itself, from the last line that it printed."""
    lines = printed.strip().splitlines()
    try:
        measure: Measure = json.loads(lines[-1])
        for name in figures:
            measure[name] = float(measure[name])
    except (IndexError, KeyError, TypeError, ValueError):
        return {"failed": f"printed no figures, but {printed[-100:]!r}"}
    else:
        return measure
