"""Ours, the peers and the floors at the same work in one run: `nox -s bench`.

Each measurement is a process of its own, and in each round all contenders take turns. Each peer is
in an environment of its own below `build/bench`, made at the first run. One that is missing, that
fails or that takes too long is a row that says so. `picture.py` makes the documentation from the
JSON of a run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from bench import Bench
from cases import CASES, FLOOR, Case, Contender
from environments import OURS, PEERS, ROOT, MissingError, make, python_for_peers
from measuring import Measure, in_turns
from tables import printed

# Those of our own that need nothing but core.
ALSO = ("engine", "journal", "planning", "durable", "startup", "discovery")


def names(known: tuple[str, ...]) -> Any:
    """Return a type of argument: names with commas between, or `none`."""

    def parse(text: str) -> tuple[str, ...]:
        found = () if text == "none" else tuple(text.split(","))
        if unknown := [each for each in found if not any(each in name for name in known)]:
            raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(known)}")
        return tuple(name for name in known if any(each in name for each in found))

    return parse


def arguments() -> argparse.ArgumentParser:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="bench", description="Ours, the peers and the floors.")
    cases = tuple(case.name for case in CASES)
    add = parser.add_argument
    add("--rounds", type=int, default=5, help="how often each is measured (5); slow ones less")
    add("--only", type=names(cases), default=cases, metavar="CASES", help=", ".join(cases))
    add("--peers", type=names(PEERS), default=PEERS, metavar="PEERS", help=", ".join(PEERS))
    add("--json", type=Path, metavar="FILE", help="write everything that was measured")
    add("--also", type=names(ALSO), default=(), metavar="SCRIPTS", help=", ".join(ALSO))
    add("--limit", type=float, default=120.0, help="seconds for one measurement (120)")
    add("--python", metavar="PYTHON", help="the interpreter of the peers, a 3.12")
    add("--folder", type=Path, default=ROOT / "build" / "bench", help="where environments are")
    add("--disk", type=Path, help="a folder on the disk to measure, if it is another one")
    return parser


def environments(given: argparse.Namespace) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the interpreters by name, and why there is none of the others."""
    python = python_for_peers(given.python)
    pythons: dict[str, Path] = {}
    missing: dict[str, str] = {}
    for name in (OURS, *given.peers):
        try:
            # Ours works with any; to be compared, it is the same as theirs.
            pythons[name] = make(
                name, python or (sys.executable if name == OURS else None), given.folder
            )
        except MissingError as error:
            missing[name] = str(error)
            print(f"{name} is left out: {error}", file=sys.stderr, flush=True)
    if OURS in missing:
        sys.exit(f"core {missing[OURS]}")
    return pythons, missing


class Measures(Protocol):
    """Who runs a contender once, and returns what it took."""

    def measure(self, case: Case, contender: Contender) -> Measure:
        """Return what was measured, or why it was not."""
        ...


def measured(case: Case, bench: Measures, missing: dict[str, str], rounds: int) -> dict[str, Any]:
    """Return the case with all that was measured."""
    here = [
        replace(each, remark=each.remark or missing.get(each.peer, "")) for each in case.contenders
    ]

    def measure(contender: Contender) -> Measure:
        if sys.stderr.isatty():
            print(f"{case.name}: {contender.label:50}", end="\r", file=sys.stderr, flush=True)
        return bench.measure(case, contender)

    found = in_turns([each for each in here if not each.remark], rounds, measure)
    if sys.stderr.isatty():
        print(" " * 79, end="\r", file=sys.stderr)
    return {
        "name": case.name,
        "title": case.title,
        "unit": case.unit,
        "rows": [
            {
                "label": each.label,
                "peer": each.peer,
                "steps": each.steps,
                "floor": each.floor,
                "ours": each.ours,
                "remark": each.remark,
                "measures": found.get(each.label, [None] * rounds),
            }
            for each in here
        ],
    }


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "system": platform.system(),
        "load": os.getloadavg()[0],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def main() -> None:
    """Measure, print, and write."""
    given = arguments().parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    pythons, missing = environments(given)
    chosen = {OURS, FLOOR, *given.peers}
    run: dict[str, Any] = {"schema": 1, "began": machine(), "rounds": given.rounds, "cases": []}
    with tempfile.TemporaryDirectory(
        dir=given.disk or given.folder, prefix="work-", ignore_cleanup_errors=True
    ) as work:
        bench = Bench(pythons, Path(work), given.limit)
        for case in CASES:
            if case.name not in given.only:
                continue
            taking_part = tuple(each for each in case.contenders if each.peer in chosen)
            run["cases"].append(
                measured(replace(case, contenders=taking_part), bench, missing, given.rounds)
            )
            print(printed(run["cases"][-1]), flush=True)
    run["ended"] = machine()
    if given.json:
        given.json.write_text(json.dumps(run, indent=1))
    for name in given.also:
        print(f"\n== benchmarks/{name}.py", flush=True)
        script = ROOT / "benchmarks" / f"{name}.py"
        subprocess.run([pythons[OURS], script], check=False)


if __name__ == "__main__":
    main()
