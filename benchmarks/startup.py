"""What it takes to start, beside a bare interpreter, a bare click group, and click with pydantic.

    python benchmarks/startup.py [--rounds 31] [--python PYTHON3.13]

Each case is a fresh process, from its start to its end, with the console script as it is installed,
bytecode compiled and files in the page cache. `discovery.py` has the same with many distributions.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import installation
from processes import Case, python_of, show


def commands_of(python: Path) -> dict[str, str]:
    """Return the names and texts of Handrail's own commands."""
    code = (
        "from handrail.builtin.cli.app import own_commands\n"
        "from handrail.builtin.project.docstrings import describe_target\n"
        "for n, each in own_commands().items(): print(n, describe_target(each.value))"
    )
    lines = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return dict(line.split(" ", 1) for line in lines.stdout.splitlines())


# The least that a command with a model of its params can take: pydantic imported, with one model
# that can validate, or with one that cannot yet.
PYDANTIC = "import click; from pydantic import BaseModel"
MODEL = f"{PYDANTIC}\nclass Params(BaseModel):\n    name: str"

ACTIONS = {
    "upload": ("source", "target"),
    "export": ("table.csv", "target.parquet"),
    "train": ("table.csv", "--target", "kind"),
}


def measure_actions(folder: Path, rounds: int, interpreter: str) -> None:
    """Make an environment with the packs in `folder`, and print the table of their actions."""
    python = installation.make(folder / "packs", interpreter, ("storage", "arrow", *ACTIONS))
    installation.compiled(folder / "packs")
    work = folder / "work"
    (work / "source").mkdir(parents=True)
    (work / "source" / "a.txt").write_text("a")
    (work / "table.csv").write_text("size,kind\n" + "1,a\n2,b\n" * 20)
    os.chdir(work)
    ours, floor = python.with_name("handrail"), "import click, BaseModel"
    cases = {
        floor: Case([python, "-c", PYDANTIC]),
        "the same with one model": Case([python, "-c", MODEL], floor=floor),
    }
    for action, words in ACTIONS.items():
        cases |= {
            f"handrail run {action} --help": Case([ours, "run", action, "--help"], floor=floor),
            f"handrail plan {action}": Case([ours, "plan", action], floor=floor),
            f"handrail plan {action} ...": Case([ours, "plan", action, *words], floor=floor),
            f"handrail run {action} ..., first line": Case(
                [ours, "run", action, *words], _fresh, floor, first_line=True
            ),
        }
    show(
        f"actions of packs, {python_of(folder / 'packs')}",
        cases,
        installation.environ(),
        rounds,
    )


def _fresh() -> None:
    """Remove what the run before has left in the working folder."""
    for name in (".handrail", "target", "models", "source.db"):
        path = Path(name)
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)


def measure(folder: Path, rounds: int, interpreter: str) -> None:
    """Make the environment in `folder` and print the tables."""
    python = installation.make(folder / "env", interpreter)
    bare = installation.add_group(folder / "env", "bare", commands_of(python))
    ours = python.with_name("handrail")
    os.chdir(folder)
    environ = installation.environ()
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
        measure_actions(Path(scratch), given.rounds, given.python)
