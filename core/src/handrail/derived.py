# ruff: noqa: PLC0414 - so that type checkers take them for names of this module
"""Actions that options of packs derive from others, and the runs that are parts of their runs.

For packs that run an action in another way, such as many times: the run has the name and the params
of that action, and its parts may be begun, finished and undone in any process that reaches the
journal. Names are imported from here on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.actions import about_action as about_action
    from handrail.actions import checked as checked
    from handrail.actions import lineage_of as lineage_of
    from handrail.actions import orchestrator_of as orchestrator_of
    from handrail.actions import require_inputs as require_inputs
    from handrail.actions import result_of as result_of
    from handrail.builtin.derived import PartRuns as PartRuns
    from handrail.builtin.derived import check_secrets as check_secrets
    from handrail.builtin.derived import derivation_of as derivation_of
    from handrail.builtin.derived import derived_run as derived_run
    from handrail.builtin.derived import opened_parts as opened_parts
    from handrail.builtin.derived import shared_by as shared_by
    from handrail.builtin.dotted import NOTHING as NOTHING
    from handrail.builtin.dotted import DottedParams as DottedParams
    from handrail.builtin.dotted import path_of as path_of
    from handrail.builtin.dotted import stored_value as stored_value
    from handrail.builtin.dotted import with_values as with_values
    from handrail.context import silent_runtime as silent_runtime
    from handrail.engine.finalize import EXECUTED as EXECUTED
    from handrail.orchestrator import Observer as Observer
    from handrail.orchestrator import OnFailure as OnFailure
    from handrail.orchestrator.journaled import RunAbout as RunAbout
    from handrail.packs.planner import secret_variables as secret_variables
    from handrail.plan.selection import select as select
