"""What it takes to start, beside a bare interpreter and a bare click group.

    python benchmarks/startup.py [--rounds 31] [--python PYTHON3.13]

Each case is a fresh process, from its start to its end, with the console script as it is installed,
bytecode compiled and files in the page cache. `discovery.py` has the same with many distributions.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import installation
from processes import Case, python_of, show


def commands_of(python: Path) -> dict[str, str]:
    """Return the names and texts of Handrail's own commands."""
    code = "from handrail.cli.app import COMMANDS\nfor n, t in COMMANDS.items(): print(n, t)"
    lines = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return dict(line.split(" ", 1) for line in lines.stdout.splitlines())


def measure(folder: Path, rounds: int, interpreter: str) -> None:
    """Make the environment in `folder` and print the tables."""
    python = installation.make(folder / "env", interpreter)
    bare = installation.add_group(folder / "env", "bare", commands_of(python))
    ours = python.with_name("handrail")
    os.chdir(folder)
    environ = installation.environ_of(folder)
    show(
        f"import, {python_of(folder / 'env')}",
        {
            "bare interpreter": Case([python, "-c", "pass"]),
            "import handrail": Case([python, "-c", "import handrail"], floor="bare interpreter"),
            "from handrail import BaseStep, StepResult, step": Case(
                [python, "-c", "from handrail import BaseStep, StepResult, step"],
                floor="bare interpreter",
            ),
        },
        environ,
        rounds,
    )
    floor = "bare click group, --help"
    show(
        f"command line, {len(commands_of(python))} commands, {python_of(folder / 'env')}",
        {
            floor: Case([bare, "--help"]),
            "import click": Case([python, "-c", "import click"], floor=floor),
            "handrail --help": Case([ours, "--help"], floor=floor),
            "handrail --version": Case([ours, "--version"], floor=floor),
            "handrail packs": Case([ours, "packs"], floor=floor),
            "handrail run --help": Case([ours, "run", "--help"], floor=floor),
        },
        environ,
        rounds,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--python", default=sys.executable, help="the interpreter to measure")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        measure(Path(scratch), given.rounds, given.python)
