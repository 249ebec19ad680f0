"""Compares what is installed on the machine of the run and on a node of the cluster."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from handrail_workers import distributions

_NAMED = 5  # How many differences a message names.


def versions() -> dict[str, str]:
    """Return the versions of Python and of all distributions, by name."""
    # Ray puts a folder of its own in front of `sys.path` when it is imported, early or late.
    path = [each for each in sys.path if Path(each).parts[-2:] != ("ray", "thirdparty_files")]
    return {"Python": platform.python_version(), **distributions(path)}


def differences(run: Mapping[str, str], node: Mapping[str, str]) -> str:
    """Return what differs, in one line, or nothing.

    Args:
        run: The versions on the machine of the run.
        node: Those on the node.
    """
    found = [
        f"{name} is {node.get(name, 'missing')} there and {run.get(name, 'missing')} here"
        for name in sorted(run.keys() | node.keys(), key=lambda each: (each != "Python", each))
        if run.get(name) != node.get(name)
    ]
    more = len(found) - _NAMED
    return ", ".join([*found[:_NAMED], *([f"and {more} more"] if more > 0 else [])])
