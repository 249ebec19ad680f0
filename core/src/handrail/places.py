"""Places: what runs parts of a run elsewhere, such as in a process of its own.

Public names are imported on first use, so importing this module costs nothing.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.actions import context_for as context_for
    from handrail.builtin.recipe import class_of as class_of
    from handrail.builtin.recipe import packs_from as packs_from
    from handrail.builtin.recipe import project_files as project_files
    from handrail.builtin.recipe import recipe_of as recipe_of
    from handrail.builtin.worker_imports import importing as importing
    from handrail.builtin.worker_imports import is_importing as is_importing
    from handrail.calls import Machine as Machine
    from handrail.calls import NotRun as NotRun
    from handrail.calls import Raised as Raised
    from handrail.calls import attempt as attempt
    from handrail.context import ConsoleLogger as ConsoleLogger
    from handrail.context import link_run as link_run
    from handrail.engine.line import Line as Line
    from handrail.engine.places import Performer as Performer
    from handrail.engine.places import RunToPerform as RunToPerform
    from handrail.engine.places import StaysHere as StaysHere
    from handrail.engine.restore import restore as restore
    from handrail.engine.state import RunState as RunState
    from handrail.entry import innermost as innermost
    from handrail.orchestrator.asynchronous import call_until_stopped as call_until_stopped
    from handrail.orchestrator.blocking import Blocking as Blocking
    from handrail.orchestrator.event_loop import running_loop as running_loop
    from handrail.orchestrator.interrupts import handed_over as handed_over
    from handrail.orchestrator.interrupts import interrupt_run as interrupt_run
    from handrail.orchestrator.time_limit import Alarm as Alarm
    from handrail.orchestrator.time_limit import too_long as too_long
    from handrail.orchestrator.time_limit import too_silent as too_silent
    from handrail.packs.places import places_within as places_within
    from handrail.params.stored import fields_not_stored as fields_not_stored
    from handrail.params.stored import params_of as params_of
    from handrail.plan.selection import under_names as under_names
    from handrail.rollback_data import NOT_BEGUN as NOT_BEGUN
    from handrail.user_code import calls_user_code as calls_user_code
    from handrail.user_code import is_user_code as is_user_code
