"""Packs: installed distributions that contribute actions, steps, hooks and commands.

For tools that inspect packs: lists the installed packs and their offers from metadata alone. Public
names are imported on first use, so importing this package costs nothing.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.packs.catalog import InstalledExecutors as InstalledExecutors
    from handrail.packs.catalog import default_url as default_url
    from handrail.packs.catalog import is_local as is_local
    from handrail.packs.catalog import kind_of as kind_of
    from handrail.packs.configuration import Target as Target
    from handrail.packs.entry_points import import_target as import_target
    from handrail.packs.entry_points import problems_of as problems_of
    from handrail.packs.entry_points import settings_error as settings_error
    from handrail.packs.installed import InstalledPacks as InstalledPacks
    from handrail.packs.installed import View as View
    from handrail.packs.installed import installed_packs as installed_packs
    from handrail.packs.installed import shown_as as shown_as
    from handrail.packs.pack_provider import PackProvider as PackProvider
    from handrail.packs.provider import with_settings as with_settings
    from handrail.packs.record import GROUPS as GROUPS
    from handrail.packs.record import EntryPoint as EntryPoint
    from handrail.packs.record import PackRecord as PackRecord
    from handrail.packs.record import core_record as core_record
    from handrail.packs.record import normalised as normalised
    from handrail.plan.rules import CheckedRun as CheckedRun
    from handrail.plan.rules import PlanRules as PlanRules
    from handrail.plan.rules import RequiredStep as RequiredStep
