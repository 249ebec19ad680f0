"""What the runs of a sweep have made and called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recorded_runs import Call


def models(folder: Path) -> list[str]:
    """Return what the runs of a sweep have made."""
    return sorted(path.stem for path in folder.glob("*.model"))


def calls(folder: Path) -> list[str]:
    """Return which steps were executed, in order."""
    return (folder / "calls.txt").read_text().splitlines()


def children(call: Call, sweep: int = 1) -> list[str]:
    """Return the states of the runs of a sweep, in the order of its grid."""
    found: list[dict[str, Any]] = call("runs", "--of", str(sweep), "--json").document["runs"]
    return [each["state"] for each in found]


def numbers(call: Call, sweep: int = 1) -> list[str]:
    """Return the numbers of the latest runs of a sweep, in the order of its grid."""
    found: list[dict[str, Any]] = call("show", str(sweep), "--json").document["sweep"]["runs"]
    return [str(each["run"]["id"]) for each in found if each["run"]]
