"""Runs parts of a run elsewhere: isolated steps, and the items of steps."""

from __future__ import annotations

__version__ = "0.1.0"

__all__: list[str] = []
