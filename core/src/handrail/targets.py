"""Resolves the name of an action: installed, or of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from handrail.actions import BaseAction
from handrail.errors import NotFoundError, PackError
from handrail.packs.configuration import Target
from handrail.workflow import Workflow

if TYPE_CHECKING:
    from pathlib import Path

    from handrail.packs.installed import InstalledPacks


def find_target(packs: InstalledPacks, folder: Path, name: str) -> Target:
    """Return the action called `name`: `upload`, `pack:upload`, `flows.py:nightly`, `module:name`.

    Args:
        packs: The installed packs, with the project's settings and workflows.
        folder: The working folder, in which files and modules are searched.
        name: The name that the user gave.

    Raises:
        NotFoundError: There is no such action; the ways out suggest similar names or a pack.
        LocalCodeError: The file or module could not be imported.
        PackError: The pack that provides the action is broken.
    """
    found = packs.configuration.resolve_target(packs, folder, name)
    if found is not None:
        return found
    if not name.strip(":"):
        raise NotFoundError("name an action", ways_out=("handrail actions lists them",))
    record, entry_point = packs.catalog.find("actions", name)
    made: object = packs.catalog.loaded((record, entry_point))
    action_class = as_action(made)
    if action_class is None:
        raise PackError(
            f"the action {entry_point.name} of {record.origin} is {made!r}; "
            "the entry point has to name a class derived from BaseAction, or an action(...)",
            origin=record.origin,
            ways_out=(f"leave the pack out:  --no-pack {record.id}",),
        )
    return Target(
        name=name, action_class=renamed(action_class, entry_point.name), origin=record.origin
    )


def as_action(found: object) -> type[BaseAction[Any]] | None:
    """Return the action class if `found` is one or is a Workflow, or None."""
    if _is_action_class(found):
        return found

    return found.action_class if isinstance(found, Workflow) else None


def _is_action_class(found: object) -> TypeGuard[type[BaseAction[Any]]]:

    return isinstance(found, type) and issubclass(found, BaseAction) and found is not BaseAction


def renamed(action_class: type[BaseAction[Any]], name: str) -> type[BaseAction[Any]]:
    """Return the class with `action_name` set to `name`, the name of its entry point."""
    if action_class.action_name == name:
        return action_class
    members = {"action_name": name, "__module__": action_class.__module__}
    return type(action_class.__name__, (action_class,), members)
