"""Recorded runs: what was recorded of one, and what finishes or undoes it.

For commands that resume or undo runs. Public names are imported on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.plan.forms import unfolded as unfolded
    from handrail.plan.forms import within as within
    from handrail.recovery.checks import Aim as Aim
    from handrail.recovery.checks import check as check
    from handrail.recovery.checks import check_alone as check_alone
    from handrail.recovery.checks import only_undoes as only_undoes
    from handrail.recovery.checks import refusal as refusal
    from handrail.recovery.preparation import check_action as check_action
    from handrail.recovery.preparation import enter as enter
    from handrail.recovery.preparation import prepare as prepare
    from handrail.recovery.recorded import Invocation as Invocation
    from handrail.recovery.recorded import is_of as is_of
    from handrail.recovery.recorded import plan_of as plan_of
    from handrail.recovery.recorded import steps_of as steps_of
    from handrail.recovery.recorded import stored_params as stored_params
    from handrail.recovery.replay_state import notes_of as notes_of
    from handrail.recovery.resume_run import Recovery as Recovery
    from handrail.rollback_data import ended as ended
