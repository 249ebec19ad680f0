"""Finds the action and the packs of a recipe, in the process of a step."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import IsolationError
from handrail.packs.configuration import Selection, configuration_at
from handrail.packs.local import import_file
from handrail.packs.provider import provider_of
from handrail.targets import as_action, find_target, renamed
from handrail.worker_imports import importing

if TYPE_CHECKING:
    from handrail.packs.installed import InstalledPacks
    from handrail.packs.pack_provider import PackProvider


def class_of(reference: Mapping[str, Any], packs: PackProvider) -> tuple[type[Any], str]:
    """Import and return the class of an action, and the name of its module.

    Args:
        reference: Where it is, see `recipe_of`.
        packs: The packs of the recipe.

    Raises:
        HandrailError: It is not there.
    """
    with importing():
        if "workflow" in reference:
            installed = cast("InstalledPacks", packs)
            return find_target(installed, Path.cwd(), reference["workflow"]).action_class, ""
        if "file" in reference:
            module = import_file(reference["file"], Path.cwd())
        else:
            module = importlib.import_module(reference["module"])
    found = as_action(getattr(module, reference["attribute"], None))
    if found is None:
        raise IsolationError(
            f"{module.__name__} has no action {reference['attribute']} in the process of its step",
            ways_out=("make it whenever the module is imported",),
        )
    if "renamed" in reference:
        found = renamed(found, reference["renamed"])
    return found, module.__name__


def packs_from(recipe: Mapping[str, Any]) -> PackProvider:
    """Return the packs of a recipe."""
    found = recipe["packs"]
    if "modules" in found:
        with importing():
            return provider_of(tuple(map(importlib.import_module, found["modules"])))
    from handrail.packs.installed import installed_packs  # noqa: PLC0415 - where they are used

    chosen = found["selection"]
    only = chosen["only_packs"]
    return installed_packs(
        start=found["start"],
        recorded=Selection(
            no_packs=tuple(chosen["no_packs"]), only_packs=None if only is None else tuple(only)
        ),
        pack_values=[(pack, key, value) for pack, key, value in found["values"]],
    )


def project_files(folder: str) -> tuple[str, ...]:
    """Return the files, no code, by which the actions of a folder are planned: settings and lock.

    Raises:
        SettingsError: They cannot be told, or not be trusted.
    """
    return tuple(configuration_at(folder).files)
