"""What core itself offers, by entry points as packs do."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache
from typing import Any

import handrail
from handrail.errors import PackError
from handrail.packs.record import CORE, EntryPoint, PackRecord


@cache
def core_record() -> PackRecord:
    """Return what core itself offers; it cannot be off.

    Raises:
        PackError: Core is not installed, but only somewhere on the path.
    """
    return PackRecord(
        id=CORE,
        name=CORE,
        version=handrail.__version__,
        entry_points=tuple(
            EntryPoint(group=group, name=name, value=value)
            for group, name, value in points_in(_entry_points())
        ),
        location=os.path.dirname(handrail.__path__[0]),
        why="built in",
    )


def _entry_points() -> str:
    # Read by its name: to import what finds any metadata takes as long as a small run.
    file = os.path.join(f"{CORE}-{handrail.__version__}.dist-info", "entry_points.txt")
    for folder in sys.path:
        with suppress(OSError), open(os.path.join(folder, file), encoding="utf-8") as stream:
            return stream.read()
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415

    try:
        found: Any = distribution(CORE)
        return found.read_text("entry_points.txt") or ""
    except PackageNotFoundError:
        raise PackError(
            f"the metadata of {CORE} is missing, so its commands cannot be found",
            ways_out=(f"pip install --force-reinstall {CORE}",),
        ) from None


def points_in(text: str) -> list[tuple[str, str, str]]:
    """Return group, name and value of each entry point that can be read in a text."""
    points: list[tuple[str, str, str]] = []
    group = ""
    for line in text.splitlines():
        name, equals, value = (part.strip() for part in line.partition("="))
        if line.strip().startswith("["):
            group = line.strip().strip("[]")
        elif equals and name:
            points.append((group, name, value))
    return points
