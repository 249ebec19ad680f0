"""Helpers for test kits and other tools that inspect and run single steps.

`run_of` returns what ties a context to its run, or None, and `link_run` ties another context to it:
for a step that has other steps do its work, with a context of theirs.
"""

from __future__ import annotations

from handrail.context import intercept_records, link_run, run_of
from handrail.orchestrator import run_awaitable
from handrail.steps import has_own, overrides
from handrail.wrapper import overridden

__all__ = [
    "has_own",
    "intercept_records",
    "link_run",
    "overridden",
    "overrides",
    "run_awaitable",
    "run_of",
]
