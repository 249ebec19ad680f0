"""Works on the items of steps on a Ray cluster, with a journal that all machines write to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.lazy import lazy_imports

if TYPE_CHECKING:
    from handrail_workers import Host

__version__ = "0.1.0"

with lazy_imports(__name__, "make_executor"):
    from handrail_ray.executor import RayExecutor as RayExecutor


def make_executor(url: str, host: Host) -> RayExecutor:
    """Make an executor that works on a Ray cluster; the entry point of this pack.

    Args:
        url: `ray`, or `ray:8` for 8 slots.
        host: What the run offers.

    Raises:
        ExecutorError: The URL is not valid, or the journal is not one that other machines reach.
    """
    from handrail_ray.executor import RayExecutor  # noqa: PLC0415 - not to list what is installed

    return RayExecutor(url, host)
