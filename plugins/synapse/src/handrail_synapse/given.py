"""Reads what a client or a plugin has given, whose types nobody promises."""

from __future__ import annotations

from typing import Any, cast


def as_dict(given: object) -> dict[str, Any]:
    """Return a dict as it is, and an empty one in the place of anything else."""
    return cast("dict[str, Any]", given) if isinstance(given, dict) else {}
