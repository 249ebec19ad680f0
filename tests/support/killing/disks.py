"""Disks that fail at a call: a library for LD_PRELOAD, and what this process asks of it."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any

Failing = tuple[str, int, int, int]
"""The kind of call, the first that fails, how many do (0 for ever), and the number of the error."""

LIBRARY = "failing_disk.so"


def fail(failing: Failing) -> None:
    """Let calls of this process fail, and of processes that it starts from now on."""
    kind, *numbers = failing
    os.environ["HANDRAIL_TEST_DISK"] = ",".join(map(str, failing))
    _loaded().fail_calls(kind.encode(), *map(ctypes.c_long, numbers))


def calls() -> int:
    """Return how many calls of the kind that fails were made."""
    return int(_loaded().calls_made()) if LIBRARY in os.environ.get("LD_PRELOAD", "") else 0


@cache
def _loaded() -> Any:
    return ctypes.CDLL(None)
