"""Resolves the name of an action: installed, a workflow of the project, in a file or a module."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard

from handrail.actions import BaseAction
from handrail.errors import NotFoundError, PackError
from handrail.frozen import frozen
from handrail.lock.model import LockName
from handrail.origin import Origin
from handrail.packs.action_names import attribute_of, path_from
from handrail.packs.local import base_of, import_file, import_module, is_chain, is_workflow
from handrail.packs.record import LOCAL
from handrail.settings.load import settings_error
from handrail.steps import BaseStep
from handrail.suggest import did_you_mean
from handrail.workflow import Workflow, of_project

if TYPE_CHECKING:
    from handrail.lock.model import LockedAction, LockName
    from handrail.packs.installed import InstalledPacks
    from handrail.packs.record import EntryPoint, PackRecord


@frozen
class Target:
    """An action to plan or run.

    Attributes:
        name: The name that the user gave.
        action_class: The action's class.
        origin: Where the action came from.
    """

    name: str
    action_class: type[BaseAction[Any]]
    origin: Origin


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
    head, _, attribute = name.rpartition(":")
    in_a_file = looks_like_file(head) or looks_like_file(name)
    if not in_a_file and (not head or packs.catalog.pack(head)):
        return _installed(packs, folder, name)
    if looks_like_file(head):
        return _from_module(name, import_file(head, folder), attribute, head)
    if in_a_file:
        return _from_module(name, import_file(name, folder), "", name)
    return _from_module(name, import_module(head, folder), attribute, head)


def lock_name(target: Target, packs: InstalledPacks) -> LockName:
    """Return the name of `target` in a lock, which does not depend on the working folder.

    For an installed action it is the name that its pack declares; for one in a file, the path
    relative to the project's folder and the name.
    """
    if target.origin.pack is not None:
        name = target.action_class.action_name
        return LockName(name=name, pack=target.origin.pack, called=target.name)
    head, _, attribute = target.name.rpartition(":")
    is_program = target.origin.module == "__main__"
    file = head if head and looks_like_file(head) else ""
    if not file and looks_like_file(target.name):
        file, attribute = target.name, ""
    elif not file and is_program:
        file, attribute = target.origin.file, ""
    if not file:
        named = head == LOCAL and packs.catalog.pack(LOCAL)
        return LockName(name=attribute if named else target.name, pack=None)
    path = path_from(file, packs.settings.project.folder)
    name = f"{path}:{attribute or _attribute(target)}"
    return LockName(name=name, pack=None, called="" if is_program else target.name)


def name_from(locked: LockedAction | LockName, project: Path, folder: Path) -> str:
    """Return the name by which `find_target` finds a locked action from the folder `folder`."""
    if locked.pack is not None:
        return f"{locked.pack}:{locked.name}"
    head, _, attribute = locked.name.rpartition(":")
    if not looks_like_file(head):
        return locked.name
    file = project / head
    near = file.relative_to(folder) if file.is_relative_to(folder) else file
    return f"{near}:{attribute}"


def recorded_name(target: Target) -> str:
    """Return the name to record in a journal: `find_target` finds it from the same folder."""
    if target.origin.module != "__main__":
        return target.name
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:  # python -m company.flows
        return f"{spec.name}:{_attribute(target)}"
    file = os.path.abspath(target.origin.file)
    shown = Path(os.path.relpath(file)).as_posix()
    return f"{shown if looks_like_file(shown) else file}:{_attribute(target)}"


def _attribute(target: Target) -> str:
    return attribute_of(target.action_class) or target.action_class.action_name


def looks_like_file(name: str) -> bool:
    """Return whether `name` is the path of a file or folder rather than a module."""
    return name.endswith(".py") or os.sep in name or name in (".", "..") or "/" in name


def _installed(packs: InstalledPacks, folder: Path, name: str) -> Target:
    if not name.strip(":"):
        raise NotFoundError("name an action", ways_out=("handrail actions lists them",))
    try:
        record, entry_point = packs.catalog.find("actions", name)
    except NotFoundError as error:
        if packs.settings_problems:
            raise settings_error(packs.settings_problems) from None  # They may have hidden it.
        if Path(f"{name}.py").is_file():
            ways_out = (f"or the file?  handrail run {name}.py:NAME", *error.ways_out)
            raise NotFoundError(error.message, ways_out=ways_out) from None
        raise
    made = _made_by_project(packs, folder, name, record, entry_point) if record.is_local else None
    if made is not None:
        return made
    found = packs.catalog.load("actions", name)
    action_class = as_action(found)
    if action_class is None and record.is_local:
        file = entry_point.module
        message = f"{entry_point.value}, named in [local.actions], is not an action but {found!r}"
        raise NotFoundError(message, ways_out=(_how_to_make_one(file, entry_point.attribute),))
    if action_class is None:
        raise PackError(
            f"the action {entry_point.name} of {record.origin} is {found!r}; "
            "the entry point has to name a class derived from BaseAction, or an action(...)",
            origin=record.origin,
            ways_out=(f"leave the pack out:  --no-pack {record.id}",),
        )
    return Target(
        name=name, action_class=renamed(action_class, entry_point.name), origin=record.origin
    )


def _made_by_project(
    packs: InstalledPacks, folder: Path, name: str, record: PackRecord, entry_point: EntryPoint
) -> Target | None:
    """Return the action that the project makes of others or of steps; None for one in its code."""
    own, base = entry_point.name, base_of(record, entry_point)
    if base:
        return _workflow(packs, folder, name, own, base)
    if is_chain(record, entry_point):
        return _chain(packs, folder, name, own)
    return _workflow_of_steps(packs, name, own) if is_workflow(record, entry_point) else None


def _workflow(packs: InstalledPacks, folder: Path, name: str, own: str, base: str) -> Target:
    """Return the action that the project's workflow `own` extends, renamed to `own`."""
    place = packs.settings.workflows[own].source_of("extends")
    made = renamed(_named_by(packs, folder, f"the workflow {own} extends", base, place), own)
    return Target(name=name, action_class=made, origin=place)


def _chain(packs: InstalledPacks, folder: Path, name: str, own: str) -> Target:
    """Return the action that the project's workflow `own` makes of others."""
    from handrail.chains import chained  # noqa: PLC0415 - other actions do without

    workflow = packs.settings.workflows[own]
    place = workflow.source_of("chain")
    members = {
        each: _named_by(packs, folder, f"the chain {own} has", action, place)
        for each, action in workflow.chain
    }
    made = chained(own, members, workflow.inputs, place.file)
    return Target(name=name, action_class=made, origin=place)


def _named_by(
    packs: InstalledPacks, folder: Path, told: str, name: str, place: Origin
) -> type[BaseAction[Any]]:
    """Return the action that a workflow of the project names."""
    if packs.settings_problems:
        raise settings_error(packs.settings_problems)  # The workflows may form a cycle.
    file, colon, attribute = name.rpartition(":")
    if looks_like_file(file):
        name = f"{packs.settings.project.folder / file}{colon}{attribute}"
    try:
        return find_target(packs, folder, name).action_class
    except NotFoundError as error:
        message = f"{place.place}: {told} {name}: {error.message}"
        raise NotFoundError(message, origin=place, ways_out=error.ways_out) from None


def _workflow_of_steps(packs: InstalledPacks, name: str, own: str) -> Target:
    """Return the action that the project's workflow `own` makes of steps."""
    if packs.settings_problems:
        raise settings_error(packs.settings_problems)
    place = packs.settings.workflows[own].origin
    return Target(name=name, action_class=of_project(own, place), origin=place)


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


def _from_module(name: str, module: ModuleType, attribute: str, shown: str) -> Target:
    actions = _actions_of(module)
    if not attribute:
        if len(actions) != 1:
            listed = ", ".join(f"{shown}:{each}" for each in actions)
            raise NotFoundError(
                f"{shown} has {len(actions) or 'no'} actions{'; name one' if actions else ''}",
                ways_out=(f"actions there: {listed}" if listed else _how_to_make_one(shown),),
            )
        attribute = next(iter(actions))
    found = getattr(module, attribute, None)
    action_class = actions.get(attribute) or as_action(found)
    if action_class is None:
        raise _no_action(attribute, found, actions, shown)
    return Target(
        name=name, action_class=action_class, origin=Origin(file=shown, module=module.__name__)
    )


def _actions_of(module: ModuleType) -> Mapping[str, type[BaseAction[Any]]]:
    """Return the actions that a module defines, by their names in the module."""
    # A copy: inspecting a value may trigger imports that add names to the module.
    found = {name: as_action(value) for name, value in dict(vars(module)).items()}
    return {
        name: action_class
        for name, action_class in found.items()
        if action_class is not None and action_class.__module__ == module.__name__
    }


def _no_action(
    attribute: str,
    found: object,
    actions: Mapping[str, Any],
    shown: str,
) -> NotFoundError:
    if isinstance(found, BaseStep) or (isinstance(found, type) and issubclass(found, BaseStep)):
        return NotFoundError(
            f"{shown}:{attribute} is a step; run takes an action",
            ways_out=(_how_to_make_one(shown, attribute),),
        )
    kind = type(found).__name__  # pyright: ignore[reportUnknownArgumentType]
    if found is not None:
        return NotFoundError(
            f"{shown}:{attribute} is not an action but {kind}",
            ways_out=(_how_to_make_one(shown),),
        )
    listed = ", ".join(actions) or "none"
    return NotFoundError(
        f"{shown} has no action '{attribute}'",
        ways_out=(did_you_mean(attribute, actions), f"actions there: {listed}"),
    )


def _how_to_make_one(shown: str, step: str = "my_step") -> str:
    return f"make one in {shown}:  nightly = action('nightly', [{step}])"
