"""Recipe: all that another process needs to make the action of a run again, and how it does so."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from handrail.builtin.project.local import import_file
from handrail.builtin.project.targets import as_action, attribute_of, find_target, renamed
from handrail.builtin.worker_imports import importing, is_importing
from handrail.errors import ActionError, HandrailError, IsolationError, describe
from handrail.frozen import values_of
from handrail.packs import Selection, configuration_at
from handrail.packs.installed import installed_packs
from handrail.packs.loader import load_inline
from handrail.packs.provider import provider_of
from handrail.params.stored import params_text, secret_values

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.packs.installed import InstalledPacks
    from handrail.packs.pack_provider import PackProvider


def recipe_of(action: BaseAction[Any], provider: PackProvider) -> dict[str, Any]:
    """Return the recipe of an action as JSON values; it has its secrets.

    Args:
        action: The action.
        provider: The provider of its packs.

    Raises:
        IsolationError: Another process could not make the action again.
    """
    if is_importing():
        raise IsolationError(
            f"{action.action_name} is run while its module is imported for one of its steps",
            ways_out=('put the call that runs it below  if __name__ == "__main__":',),
        )
    cls, name, model = type(action), action.action_name, action.params_model
    try:
        params = params_text(model, action.params, name)
        secrets = secret_values(model, action.params, json.loads(params))
    except ActionError as error:
        raise IsolationError(
            f"the params of {name} have no JSON form, so the process of an isolated step cannot "
            f"be given them: {describe(error.__cause__ or error)}",
            ways_out=("use types that have a JSON form", "or do not isolate its steps"),
        ) from error
    return {
        "action": _reference(cls, provider),
        "packs": _packs_of(provider, name),
        "arguments": list(sys.argv),
        "params": params,
        "secrets": secrets,
        "env": dict(getattr(action.ctx, "env", {})),
    }


def _reference(cls: type[Any], provider: PackProvider) -> dict[str, Any]:
    """Return where a class of an action is found in another process."""
    attribute = attribute_of(cls)
    own = provider.configuration.own
    actions = own.offered("actions") if own else ()
    if attribute is None and any(each.name == cls.action_name for each in actions):
        return {"workflow": cls.action_name}
    if attribute is None:
        added = vars(cls).keys() - {"__module__", "__doc__", "__parameters__", "action_name"}
        if not added and len(cls.__bases__) == 1 and hasattr(cls.__bases__[0], "action_name"):
            # The same action under the name that a pack gives it.
            return {**_reference(cls.__bases__[0], provider), "renamed": cls.action_name}
        raise IsolationError(
            f"{cls.action_name} has isolated steps, and no other process could import it: it is "
            f"no attribute of the module {cls.__module__}",
            ways_out=("make the action at the top level of a module or a file",),
        )
    module = sys.modules[cls.__module__]
    spec = getattr(module, "__spec__", None)
    file = getattr(module, "__file__", None)
    if cls.__module__ != "__main__":
        own_loader = type(getattr(spec, "loader", None)).__module__.startswith("handrail.")
        if own_loader and "." not in cls.__module__:
            return {"file": file, "module": cls.__module__, "attribute": attribute}
        return {"module": cls.__module__, "attribute": attribute}
    if spec is not None:  # python -m company.flows
        return {"module": spec.name, "attribute": attribute, "main": True}
    if file is None or not os.path.isfile(file):
        raise IsolationError(
            f"{cls.action_name} has isolated steps, and no other process could import it: this "
            "program was not read from a file",
            ways_out=("put the action into a file or a module, and import it from there",),
        )
    return {"file": os.path.abspath(file), "attribute": attribute, "main": True}


def _packs_of(provider: PackProvider, action: str) -> dict[str, Any] | None:
    """Return how the packs of an action are found; None for those that are installed."""
    configuration = provider.configuration
    if configuration.where:
        return {
            "start": configuration.where,
            "selection": values_of(configuration.selection),
            "values": [list(each) for each in configuration.flags.pack_values],
        }
    modules = [_module_of(each) for each in provider.contributors()]
    if None not in modules:
        return {"modules": modules}
    raise IsolationError(
        f"{action} has isolated steps, and packs that no other process could find",
        ways_out=("give it hook modules that can be imported, or the installed packs",),
    )


def _module_of(pack: Any) -> str | None:
    """Return the name of the module that a pack is, if importing it gives the same pack."""
    module = sys.modules.get(pack.origin.module)
    if module is None:
        return None
    try:
        again = load_inline(module)
    except HandrailError:
        return None
    functions = {name: hook.function for name, hook in pack.hooks.items()}
    same = functions == {name: hook.function for name, hook in again.hooks.items()}
    return module.__name__ if same and again.settings == pack.settings else None


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
