"""Stores Arrow tables, data frames and arrays in the results of steps."""

from __future__ import annotations

__version__ = "0.1.0"

__all__: list[str] = []
