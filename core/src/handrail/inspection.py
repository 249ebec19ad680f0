"""Helpers for test kits and other tools that inspect and run single steps."""

from __future__ import annotations

from handrail.context import intercept_records
from handrail.orchestrator import run_awaitable
from handrail.steps import overrides

__all__ = ["intercept_records", "overrides", "run_awaitable"]
