"""What core itself offers: its entry points, under the groups that everybody uses."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

import handrail
from handrail.errors import PackError

CORE = "handrail"
"""The distribution name of core."""


@cache
def own_points() -> tuple[tuple[str, str, str], ...]:
    """Return group, name and value of each entry point of core; no other distribution is read.

    Raises:
        PackError: Core is not installed, but only somewhere on the path.
    """
    return tuple(points_in(_text()))


def own_point(group: str, name: str) -> Any:
    """Return what an entry point of core names, or None if core has none so called."""
    for of, called, value in own_points():
        if (of, called) == (group, name):
            module, _, attribute = value.partition(":")
            return getattr(import_module(module), attribute)
    return None


def html_of(value: object) -> str | None:
    """Return how a notebook shows a value; None if no pack does, so that its text is shown.

    It is the `_repr_html_` of a plan and of a result.
    """
    shown_as = own_point("handrail.notebooks", "shown_as")
    shown: str | None = None if shown_as is None else shown_as(value, "html")
    return shown


def _text() -> str:
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
            f"the metadata of {CORE} is missing, so what it offers cannot be found",
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
        elif equals and name and not name.startswith("#"):
            points.append((group, name, value))
    return points
