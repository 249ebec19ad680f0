"""A page to watch runs: the command `handrail web`."""

from __future__ import annotations

__version__ = "0.1.0"
