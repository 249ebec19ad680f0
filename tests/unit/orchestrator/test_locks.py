"""Ctrl-C in the middle of a lock: it is free afterwards, and nobody waits for it for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOCKS = Path(__file__).with_name("locks.py")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")


@pytest.mark.parametrize("mode", ["run", "preview"])
def test_no_lock_of_python_stays_taken_wherever_an_interrupt_comes(mode: str) -> None:
    """At each instruction of its modules for threads where it looks for signals."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(LOCKS), mode],
        capture_output=True,
        text=True,
        timeout=120,  # It hangs, or all is well.
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    said, fired, of, places = ran.stdout.split()
    assert (said, of) == ("ok", "of")
    # Some are only reached where a thread waits for another.
    assert int(fired) > 0.8 * int(places) > 20
