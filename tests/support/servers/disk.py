"""Mounts small disks, for tests with full disks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from servers.process import after_the_end

# A lazy unmount detaches a folder even if a process still has a file open in it.
UNMOUNT = """trap '' HUP INT TERM; read _; umount "$1" || umount --lazy "$1" """


def mount_disk(folder: Path, mebibytes: int) -> subprocess.Popen[bytes]:
    """Mount an empty disk of that size on the folder; return the process that unmounts it."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    return after_the_end(UNMOUNT, folder)
