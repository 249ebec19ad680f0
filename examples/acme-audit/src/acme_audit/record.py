"""The audit file: one JSON object a line, only ever appended to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def append(file: Path, entry: Mapping[str, Any]) -> None:
    """Append `entry`, with the time, in one write that is on the disk when this returns.

    Raises:
        OSError: The file cannot be written.
    """
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"at": at, **entry}, default=str) + "\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    # Runs of other processes append to it too: one write of a line is never mixed with theirs.
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
