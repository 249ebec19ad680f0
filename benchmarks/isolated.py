"""What an isolated step costs, in one run: `python benchmarks/isolated.py`.

A fresh Python that does nothing, and a fork, are the floors. The first isolated step of a run waits
for the helper, which imports what the steps need; each further one is forked from it. The helper
starts with the run, so a first step that comes later waits less, or not at all.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from rounds import Took, nothings

from handrail import BaseStep, Limits, StepResult, action

FURTHER = 20


class Isolated(BaseStep[Any]):
    """Does nothing, in a process of its own."""

    progress_weight = 0.1
    limits = Limits(isolated=True)

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: Any) -> StepResult:
        """Return an empty result."""
        return StepResult()


one = action("one", [Isolated("first")])
many = action("many", [Isolated(f"step_{number}") for number in range(1 + FURTHER)])
plain = action("plain", nothings(1))


def took(work: Callable[[], object]) -> Took:
    """Return what some work takes, with that of the processes that it starts and waits for."""
    clock, cpu = time.perf_counter(), _cpu()
    work()
    return Took(time.perf_counter() - clock, _cpu() - cpu)


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def fork() -> None:
    """Fork a process that ends at once."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def main() -> None:
    """Time the cases in turn, and print the median of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    names = (
        "a fork",
        "a fresh Python",
        "a run of a plain step",
        "the first one",
        "each further one",
    )
    found: dict[str, list[Took]] = {name: [] for name in names}
    plain(packs=()).run()
    for _ in range(rounds):
        found["a fork"].append(took(fork))
        fresh = [sys.executable, "-c", "pass"]
        found["a fresh Python"].append(took(lambda: subprocess.run(fresh, check=True)))  # noqa: B023
        found["a run of a plain step"].append(took(lambda: plain(packs=()).run()))
        first, all_of_them = took(lambda: one(packs=()).run()), took(lambda: many(packs=()).run())
        found["the first one"].append(first)
        each = [(whole - part) / FURTHER for whole, part in zip(all_of_them, first, strict=True)]
        found["each further one"].append(Took(*each))
    print(f"{'an isolated step':30}{'ms':>10}{'ms of CPU':>12}")
    for name, times in found.items():
        clock, cpu = (statistics.median(which) * 1e3 for which in zip(*times, strict=True))
        print(f"{name:30}{clock:10.2f}{cpu:12.2f}")


if __name__ == "__main__":
    main()
