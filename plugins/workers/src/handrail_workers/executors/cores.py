"""How many cores this process may use."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Return the number of cores that this process may use, as its affinity and cgroup say."""
    count = getattr(os, "process_cpu_count", os.cpu_count)() or 1
    if hasattr(os, "sched_getaffinity"):
        count = min(count, len(os.sched_getaffinity(0)))
    quota = _quota() if sys.platform == "linux" else None
    return count if quota is None else max(1, min(count, math.ceil(quota)))


def _quota() -> float | None:
    """Return how many cores the cgroups of this process allow, or None without a limit."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    quotas: list[float] = []
    for line in lines:
        _, kinds, place = line.split(":", 2)
        if kinds and "cpu" not in kinds.split(","):
            continue
        top = _GROUPS / kinds if kinds else _GROUPS
        # A limit of a group above counts too; in a container the path is that of the host.
        for folder in [top / place.lstrip("/"), *(top / place.lstrip("/")).parents]:
            quotas += _quota_of(folder)
            if folder == top:
                break
    return min(quotas, default=None)


def _quota_of(folder: Path) -> list[float]:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text()
        return [] if quota in ("max", "-1") else [int(quota) / int(period)]
    except (OSError, ValueError):
        return []
