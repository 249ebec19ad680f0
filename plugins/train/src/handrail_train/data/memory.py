"""How much memory a training takes: chunks of a size that follows from the table alone."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handrail_storage import size_text
from handrail_train.errors import DataError

if TYPE_CHECKING:
    from handrail_train.models.kind import ModelKind

# Bytes of the numbers of a chunk. It is not chosen by the memory of the machine, as a model depends
# on the rows in its chunks.
CHUNK = 32 << 20
_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def rows_of_chunk(width: int) -> int:
    """Return how many rows are trained on at once, by default.

    Args:
        width: The number of numbers in a row.
    """
    return max(CHUNK // (8 * max(width, 1)), 1_000)


def check_memory(name: str, kind: ModelKind[Any], rows: int, width: int, besides: int = 0) -> None:
    """Check that a kind of model can take all rows.

    Args:
        name: The name of the kind.
        kind: The kind.
        rows: The number of rows of the training.
        width: The number of numbers in each.
        besides: The number of rows that it does not learn from, which are held with them.

    Raises:
        DataError: It takes more memory than is free.
    """
    needed, free = kind.memory(rows, width), free_memory()
    if not kind.in_chunks:
        needed += 8 * width * besides
    if free is None or needed <= free:
        return
    others = [other for other in _in_chunks() if other != name]
    raise DataError(
        f"{name} takes all {rows:,} rows at once, of {width:,} numbers each: about "
        f"{size_text(needed)} of memory, and {size_text(free)} are free",
        ways_out=(
            f"take a kind that learns chunk by chunk: --kind {' or '.join(others)}",
            "leave columns out: --drop NAME",
        ),
    )


def _in_chunks() -> list[str]:
    """Return the kinds of this pack that learn chunk by chunk."""
    from handrail_train.models import installed_kinds, kind_named  # noqa: PLC0415 - they import it

    kinds = (name for name, offer in installed_kinds().items() if "handrail_train." in str(offer))
    return [name for name in kinds if kind_named(name).in_chunks]


def free_memory() -> int | None:
    """Return how many bytes the machine and the control group have left; None if unknown."""
    found: list[int] = []
    with suppress(OSError, ValueError, StopIteration):
        lines = _MEMINFO.read_text().splitlines()
        line = next(each for each in lines if each.startswith("MemAvailable:"))
        found.append(int(line.split()[1]) * 1024)
    with suppress(OSError, ValueError):
        found.append(int((_CGROUP / "memory.max").read_text()) - _used())
    if not found:
        with suppress(OSError, ValueError, AttributeError):
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return max(min(found), 0) if found else None


def _used() -> int:
    """Return the bytes of a control group that cannot be dropped, as cached files can."""
    stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
    current = int((_CGROUP / "memory.current").read_text())
    return current - int(stat.get("inactive_file", 0)) - int(stat.get("active_file", 0))
