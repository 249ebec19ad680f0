"""Packs: installed distributions that contribute actions, steps, hooks and commands.

For tools that inspect packs: lists the installed packs and their offers from metadata alone. Public
names are imported on first use, so importing this package costs nothing.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.entry import Entry as Entry
    from handrail.entry import entries_for as entries_for
    from handrail.limits import changed_by as changed_by
    from handrail.packs.catalog import InstalledExecutors as InstalledExecutors
    from handrail.packs.catalog import Offer as Offer
    from handrail.packs.catalog import default_url as default_url
    from handrail.packs.catalog import is_local as is_local
    from handrail.packs.catalog import kind_of as kind_of
    from handrail.packs.catalog import match_packs as match_packs
    from handrail.packs.configuration import Configuration as Configuration
    from handrail.packs.configuration import Findings as Findings
    from handrail.packs.configuration import Flags as Flags
    from handrail.packs.configuration import Selection as Selection
    from handrail.packs.configuration import Table as Table
    from handrail.packs.configuration import Target as Target
    from handrail.packs.configuration import Value as Value
    from handrail.packs.configuration import configuration_at as configuration_at
    from handrail.packs.configuration import place_of as place_of
    from handrail.packs.discovery import find_module as find_module
    from handrail.packs.installed import InstalledPacks as InstalledPacks
    from handrail.packs.installed import View as View
    from handrail.packs.installed import installed_packs as installed_packs
    from handrail.packs.installed import shown_as as shown_as
    from handrail.packs.loader import LoadedPack as LoadedPack
    from handrail.packs.ours import OURS as OURS
    from handrail.packs.pack_provider import PackProvider as PackProvider
    from handrail.packs.provider import with_settings as with_settings
    from handrail.packs.record import GROUPS as GROUPS
    from handrail.packs.record import LOCAL as LOCAL
    from handrail.packs.record import EntryPoint as EntryPoint
    from handrail.packs.record import PackRecord as PackRecord
    from handrail.packs.record import compatible as compatible
    from handrail.packs.record import core_record as core_record
    from handrail.packs.record import fits as fits
    from handrail.packs.record import import_target as import_target
    from handrail.packs.record import in_order as in_order
    from handrail.packs.record import normalised as normalised
    from handrail.packs.record import problems_of as problems_of
    from handrail.packs.record import settings_error as settings_error
    from handrail.packs.record import variable_prefix as variable_prefix
    from handrail.plan.checks import unfit as unfit
    from handrail.plan.edits import PROJECT as PROJECT
    from handrail.plan.edits import EditSet as EditSet
    from handrail.plan.edits import History as History
    from handrail.plan.edits import Insertion as Insertion
    from handrail.plan.edits import Limiting as Limiting
    from handrail.plan.edits import Removal as Removal
    from handrail.plan.edits import Wrapping as Wrapping
    from handrail.plan.plan import Group as Group
    from handrail.plan.rules import CheckedRun as CheckedRun
    from handrail.plan.rules import PlanRules as PlanRules
    from handrail.plan.rules import RequiredStep as RequiredStep
