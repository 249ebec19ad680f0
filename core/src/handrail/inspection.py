"""For test kits and other tools: what a step brings, what it records, and how to wait for it."""

from __future__ import annotations

from handrail.context import intercept_records
from handrail.orchestrator import run_awaitable
from handrail.steps import overrides

__all__ = ["intercept_records", "overrides", "run_awaitable"]
