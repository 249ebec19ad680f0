"""What it takes to know 50 packs among 1000 distributions, beside reading all metadata once.

    python benchmarks/discovery.py [--rounds 21] [--python PYTHON3.13]

Each case is a fresh process, from its start to its end, in an environment with 1000 distributions
that lie in a temporary folder as an installer leaves them, with bytecode and files in memory: a
machine that has just started takes longer for all of them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import installation
from processes import Case, python_of, show
from startup import commands_of

DISTRIBUTIONS = 1000
PACKS = 50

SCAN = """
import {library} as metadata
points = metadata.entry_points()
found = [each for group in ("packs", "actions", "steps", "commands")
         for each in points.select(group="handrail." + group)]
assert len(found) == {points}, len(found)
"""

# The least that reads all of it.
FILES = """
import os
found = []
for info in os.scandir({site!r}):
    if info.name.endswith(".dist-info"):
        try:
            with open(info.path + "/entry_points.txt", "rb") as stream:
                text = stream.read()
        except OSError:
            continue
        if b"[handrail." in text:
            found.append(info.name)
assert len(found) == {packs}
"""

PACKS_BY_HAND = '''"""A list of packs as one would write it by hand."""

import click


@click.group()
def main():
    """Run workflows of steps that can be walked back."""


@main.command()
def packs():
    """List packs."""
    from importlib_metadata import distributions

    for each in distributions():
        points = [point for point in each.entry_points if point.group.startswith("handrail.")]
        if points:
            click.echo(f"{each.name:30}{each.version:10}{len(points)}")
'''

IMPORTS = """
import handrail
from acme_pack_000.action import Scan
import {modules}
"""

PLAN = """
plan = Scan().plan()
assert len(plan.steps) == 13, plan
"""


def measure_listing(folder: Path, rounds: int, interpreter: str) -> None:
    """Print what the command line takes in such an environment."""
    env = folder / "listing"
    python = installation.make(env, interpreter)
    own = commands_of(python)
    offered = {f"look-{number:03}": "from a pack" for number in range(0, PACKS, 5)}
    bare = installation.add_group(env, "bare", {**own, **offered})
    installation.plant(env, DISTRIBUTIONS, PACKS, hooked=PACKS)
    (installation.site_of(env) / "by_hand.py").write_text(PACKS_BY_HAND)
    by_hand = installation.add_script(env, "by-hand", "by_hand")
    installation.compiled(env)
    ours = python.with_name("handrail")
    points = PACKS * 4 + PACKS // 5
    floor, scan = "bare click group of as many, --help", "one scan, importlib_metadata"

    show(
        f"{PACKS} packs among {DISTRIBUTIONS} distributions, {python_of(env)}",
        {
            floor: Case([bare, "--help"]),
            "handrail --help": Case([ours, "--help"], floor=floor),
            "files read once, bare interpreter": Case(
                [python, "-c", FILES.format(site=str(installation.site_of(env)), packs=PACKS)],
                floor=scan,
            ),
            "one scan, importlib.metadata": Case(
                [python, "-c", SCAN.format(library="importlib.metadata", points=points)], floor=scan
            ),
            scan: Case([python, "-c", SCAN.format(library="importlib_metadata", points=points)]),
            "click and one scan, written by hand": Case([by_hand, "packs"], floor=scan),
            "handrail packs": Case([ours, "packs"], floor=scan),
            "handrail packs --json": Case([ours, "packs", "--json"], floor=scan),
        },
        installation.environ(),
        rounds,
    )


def measure_planning(folder: Path, rounds: int, interpreter: str, hooked: int) -> None:
    """Print what a plan takes beyond importing the action and the packs that have hooks."""
    env = folder / f"planning-{hooked}"
    python = installation.make(env, interpreter)
    installation.plant(env, DISTRIBUTIONS, PACKS, hooked=hooked)
    imports = IMPORTS.format(
        modules=", ".join(f"acme_pack_{number:03}.hooks" for number in range(hooked))
    )
    floor = "action and hooks imported"
    show(
        f"a plan, {PACKS} packs among {DISTRIBUTIONS} distributions, {hooked} with hooks, "
        f"3 with one for it, {python_of(env)}",
        {
            floor: Case([python, "-c", imports]),
            "planned": Case([python, "-c", imports + PLAN], floor=floor),
        },
        installation.environ(),
        rounds,
        differences=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--python", default=sys.executable, help="the interpreter to measure")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        measure_listing(Path(scratch), given.rounds, given.python)
        for count in (3, PACKS):
            measure_planning(Path(scratch), given.rounds, given.python, count)
