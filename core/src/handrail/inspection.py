# ruff: noqa: PLC0414 - so that type checkers take them for names of this module
"""Helpers for test kits and other tools that inspect and run single steps.

`run_of` returns what ties a context to its run, or None, and `link_run` ties another context to it:
for a step that has other steps do its work, with a context of theirs. Names are imported from here
on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.context import intercept_records as intercept_records
    from handrail.context import link_run as link_run
    from handrail.context import run_of as run_of
    from handrail.orchestrator import run_awaitable as run_awaitable
    from handrail.origin import raised_at as raised_at
    from handrail.origin import source_of as source_of
    from handrail.steps import FunctionStep as FunctionStep
    from handrail.steps import has_own as has_own
    from handrail.steps import overrides as overrides
    from handrail.wrapper import is_wrapper as is_wrapper
    from handrail.wrapper import overridden as overridden
