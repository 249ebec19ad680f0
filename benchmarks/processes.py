"""Fresh processes that take turns, and the table of what each took from its start to its end."""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

Before = Callable[[], object]


class Took(NamedTuple):
    """Milliseconds by the clock, and of work of the processor, for us and in the kernel."""

    clock: float
    cpu: float


class Case(NamedTuple):
    """One command that is measured.

    Attributes:
        words: What is run; the first is an absolute path.
        before: What is done before each time, which is not measured.
        floor: Name of the case that it is beside; itself by default.
        first_line: Whether it is killed, and measured, when it writes to standard error.
    """

    words: Sequence[str | Path]
    before: Before | None = None
    floor: str = ""
    first_line: bool = False


def took(case: Case, environ: Mapping[str, str]) -> Took:
    """Run a command with its output thrown away; return what it took.

    Raises:
        RuntimeError: It failed, or wrote no first line.
    """
    argv = [str(word) for word in case.words]
    return _to_first_line(argv, environ) if case.first_line else _to_end(argv, environ)


def _to_first_line(argv: Sequence[str], environ: Mapping[str, str]) -> Took:
    ours, its = os.pipe()
    try:
        began = time.perf_counter()
        child = os.posix_spawn(argv[0], argv, environ, file_actions=[(os.POSIX_SPAWN_DUP2, its, 2)])
        os.close(its)
        line = os.read(ours, 1024)
        clock = time.perf_counter() - began
        os.kill(child, signal.SIGKILL)
        _, _, used = os.wait4(child, 0)
    finally:
        os.close(ours)
    if b"run 1 " not in line:
        raise RuntimeError(f"{' '.join(argv)} wrote {line!r}")
    return Took(clock * 1e3, (used.ru_utime + used.ru_stime) * 1e3)


def _to_end(argv: Sequence[str], environ: Mapping[str, str]) -> Took:
    nowhere = os.open(os.devnull, os.O_RDWR)
    try:
        began = time.perf_counter()
        child = os.posix_spawn(
            argv[0],
            argv,
            environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, nowhere, stream) for stream in (0, 1, 2)],
        )
        _, status, used = os.wait4(child, 0)
        clock = time.perf_counter() - began
    finally:
        os.close(nowhere)
    if status:
        raise RuntimeError(f"{' '.join(argv)} ended with {os.waitstatus_to_exitcode(status)}")
    return Took(clock * 1e3, (used.ru_utime + used.ru_stime) * 1e3)


def show(
    title: str,
    cases: Mapping[str, Case],
    environ: Mapping[str, str],
    rounds: int,
    *,
    differences: bool = False,
) -> None:
    """Run the cases in turn, and print the median of each, and of its ratios to its floor.

    A ratio, or a difference in milliseconds, is of what was measured in the same round. A first
    round, which fills caches, is thrown away.
    """
    sign = "+" if differences else "x"
    times: dict[str, list[Took]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            if case.before is not None:
                case.before()
            found = took(case, environ)
            if number:
                times[name].append(found)
    load = os.getloadavg()[0]
    print(f"\n{title}, {rounds} rounds, load {load:.1f} on {os.cpu_count()} processors")
    print(f"{'case':48}{'ms':>9}{sign:>7}{'ms of CPU':>12}{sign:>7}")
    for name, case in cases.items():
        line = f"{name:48}"
        for which, width in ((0, 9), (1, 12)):
            mine = [each[which] for each in times[name]]
            least = [each[which] for each in times[case.floor or name]]
            pairs = zip(mine, least, strict=True)
            beside = [one - other if differences else one / other for one, other in pairs]
            line += f"{statistics.median(mine):{width}.1f}{statistics.median(beside):7.2f}"
        print(line, flush=True)


def python_of(folder: Path) -> str:
    """Return the version of the Python in an environment, as its folder tells."""
    (library,) = (folder / "lib").glob("python3.*")
    return f"Python {library.name.removeprefix('python')}, measured by {sys.version.split()[0]}"
