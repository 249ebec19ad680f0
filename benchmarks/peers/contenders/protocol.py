"""What every contender shares: it is told a case, and prints what that took as one line of JSON.

    PYTHON NAME_steps.py CASE STEPS FOLDER

A contender gives a function for each case it knows. That function prepares the steps and returns
what runs them; only the latter is timed, and what was prepared is reported beside it. This runs in
the environment of each contender, so it needs nothing but the standard library.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

Run = Callable[[], object]
# Steps are counted without the one that fails or dies in the end.
Build = Callable[[int, Path, "Watch"], Run]

WARM_UP_STEPS = 10
# What is over in a moment is done again, until this many seconds have passed.
ENOUGH = 0.1
MOST_TIMES = 50


class Watch:
    """Takes the time of a run; a step may start it late, or stop it early."""

    def __init__(self) -> None:
        self._began = (0.0, 0.0)
        self._ended: tuple[float, float] | None = None

    def start(self) -> None:
        """Begin, or begin anew."""
        self._began = (time.perf_counter(), time.process_time())

    def stop(self) -> None:
        """End, unless that was said before."""
        if self._ended is None:
            self._ended = (time.perf_counter(), time.process_time())

    def took(self) -> tuple[float, float]:
        """Return the seconds by the clock, and those of the processor in this process."""
        assert self._ended is not None
        return self._ended[0] - self._began[0], self._ended[1] - self._began[1]


def serve(package: str, builds: Mapping[str, Build]) -> None:
    """Do what the command line asks for, and print it; `package` is where the version is from."""
    case, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    build = builds[case]
    if case == "leave":
        build(count, folder, Watch())()
        sys.exit("the last step was meant to end the process")
    # Whoever goes on with a run of another process has not warmed up for it.
    if case != "resume":
        build(WARM_UP_STEPS, made(folder / "warm-up"), Watch())()
    # Threads that end the process otherwise may still be at work.
    ready = time.time() - started()
    measured = [once(build, count, folder if case == "resume" else made(folder / "0"))]
    while case != "resume" and len(measured) < MOST_TIMES and total(measured) < ENOUGH:
        measured.append(once(build, count, made(folder / str(len(measured)))))
    clock, cpu, built = (statistics.median(each) for each in zip(*measured, strict=True))
    version = importlib.metadata.version(package) if package else platform.python_version()
    said = {
        "clock": clock,
        "cpu": cpu,
        "built": built,
        "ready": ready,
        "peak": peak(),
        "times": len(measured),
        "version": version,
        "python": platform.python_version(),
    }
    print(json.dumps(said), flush=True)
    # What a contender leaves running is ended by whoever called this.
    os._exit(0)


def once(build: Build, count: int, folder: Path) -> tuple[float, float, float]:
    """Prepare and run; return seconds by the clock, of the processor, and of preparing."""
    gc.collect()
    watch = Watch()
    began = time.perf_counter()
    run = build(count, folder, watch)
    built = time.perf_counter() - began
    watch.start()
    run()
    watch.stop()
    return *watch.took(), built


def total(measured: list[tuple[float, float, float]]) -> float:
    """Return the seconds that all runs took."""
    return sum(clock for clock, _, _ in measured)


def made(folder: Path) -> Path:
    """Return the folder, which is new."""
    folder.mkdir()
    return folder


def peak() -> int | None:
    """Return the most bytes that this process had in memory, where the kernel tells.

    `getrusage` would do, did it not count what the parent of a process had when that began.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def started() -> float:
    """Return when the runner started this process, in seconds since the epoch."""
    return float(os.environ["BENCH_STARTED"])
