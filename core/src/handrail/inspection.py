"""Helpers for test kits and other tools that inspect and run single steps."""

from __future__ import annotations

from handrail.context import intercept_records
from handrail.orchestrator import run_awaitable
from handrail.steps import has_own, overrides

__all__ = ["has_own", "intercept_records", "overrides", "run_awaitable"]
