"""Makes executors from their URLs: those of this machine, and those of packs."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from handrail.errors import ExecutorUrlError
from handrail.packs import default_url, is_local, kind_of
from handrail_workers.executors.processes import ProcessExecutor
from handrail_workers.executors.threads import ThreadExecutor

if TYPE_CHECKING:
    from handrail.packs import InstalledExecutors
    from handrail_workers.executors.protocol import Executor, Host

_MOST = 1024  # Slots of one machine.
_GROUPS = Path("/sys/fs/cgroup")
_EXAMPLES = "processes:4, threads:8"


def open_executor(url: str | None, host: Host, packs: InstalledExecutors) -> Executor:
    """Return the executor at a URL, which is not open yet; nothing is started.

    Args:
        url: `processes` or `threads`, each with a number of slots if it is not to have one for each
            core, such as `processes:4`; or the name of an executor of a pack, with what that pack
            expects behind a colon. None for processes.
        host: What the run offers.
        packs: The executors of packs.

    Raises:
        ExecutorUrlError: The URL is not valid, or there is no such executor.
        ExecutorError: The executor needs something that the run does not have.
    """
    if url is None:
        url = default_url()
    if is_local(url):
        return make_local(url, host)  # Without a look at what is installed.
    return cast("Executor", packs.factory(url)(url, host))


def make_local(url: str, host: Host) -> Executor:
    """Make an executor of this machine; the entry points `processes` and `threads`.

    Raises:
        ExecutorUrlError: The URL is not valid.
    """
    slots = _slots(url) or usable_cores()
    if kind_of(url) == "threads":
        return ThreadExecutor(slots, host)
    return ProcessExecutor(slots, host)


def _slots(url: str) -> int | None:
    """Return the number of slots in a URL, or None without one."""
    _, colon, text = url.partition(":")
    if not colon:
        return None
    slots = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    if not 1 <= slots <= _MOST:
        raise ExecutorUrlError(
            f"'{url}' is no executor: the number of its slots is from 1 to {_MOST}",
            ways_out=(f"for example: {_EXAMPLES}",),
        )
    return slots


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
