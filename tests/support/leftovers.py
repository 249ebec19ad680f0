"""What processes leave: processes that live on, and files that stay open."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from pathlib import Path


def has_ended(process: int) -> bool:
    """Return whether a process has ended, at the latest some time after it was killed."""
    if sys.platform != "linux":
        return _is_gone(process)
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 60)[0])
    finally:
        os.close(descriptor)


def _is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def children() -> set[str]:
    """Return the processes that this one has started, also those that nobody has waited for."""
    if sys.platform != "linux":
        return set()
    while True:
        # The processes of a thread that ends meanwhile become those of another one.
        with suppress(FileNotFoundError, ProcessLookupError):
            tasks = [*Path("/proc/self/task").iterdir()]
            return {child for task in tasks for child in (task / "children").read_text().split()}


def descriptors() -> int:
    """Return how many files are open."""
    return len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))


def pids(folder: Path) -> list[int]:
    """Return the processes that steps have told of: their own, the helper, those they started."""
    told = folder / "pids"
    return [int(each) for each in told.read_text().split()] if told.exists() else []
