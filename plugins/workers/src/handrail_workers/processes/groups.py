"""Groups of processes: to signal them, and to see that they are gone."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

_PAUSE = 0.005  # Seconds between looks.


def signal_group(group: int, number: int) -> None:
    """Send a signal to all processes of a group, if there are any."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def is_gone(group: int, until: float) -> bool:
    """Wait for the end of all processes of a group; return whether that came in time.

    Args:
        group: The group, which was killed.
        until: A point in time of `time.monotonic`.
    """
    while _lives(group):
        if time.monotonic() >= until:
            return False
        time.sleep(_PAUSE)
    return True


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # A process of another user, or on macOS one that nobody has reaped.
        return sys.platform == "linux"
    # What nobody has reaped counts as a process, but does nothing any more.
    return sys.platform != "linux" or any(
        _works_in(group, file) for file in Path("/proc").glob("[0-9]*/stat")
    )


def _works_in(group: int, file: Path) -> bool:
    try:
        state, _, of = file.read_bytes().rpartition(b")")[2].split()[:3]
    except (OSError, ValueError):
        return False
    return int(of) == group and state not in (b"Z", b"X")
