# ruff: noqa: PLC0414 - so that type checkers take them for names of this module
"""Actions that options of packs derive from others, and the runs that are parts of their runs.

For packs that run an action in another way, such as many times: the run has the name and the params
of that action, and its parts may be begun, finished and undone in any process that reaches the
journal. Names are imported from here on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.actions import require_inputs as require_inputs
    from handrail.builtin.derived import PartRuns as PartRuns
    from handrail.builtin.derived import check_secrets as check_secrets
    from handrail.builtin.derived import derivation_of as derivation_of
    from handrail.builtin.derived import derived_run as derived_run
    from handrail.builtin.derived import opened_parts as opened_parts
    from handrail.builtin.derived import shared_by as shared_by
    from handrail.params.dotted import NOTHING as NOTHING
    from handrail.params.dotted import DottedParams as DottedParams
    from handrail.params.dotted import path_of as path_of
    from handrail.params.dotted import stored_value as stored_value
    from handrail.params.dotted import with_values as with_values
