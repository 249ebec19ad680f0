"""Resolves the name of an action: installed, a workflow of the project, or one in a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from inspect import getattr_static
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, TypeGuard

from handrail import BaseAction, BaseStep, Origin, Workflow
from handrail.builtin.project.local import file_of, import_file, import_module
from handrail.builtin.project.lock_file import LockName
from handrail.builtin.project.settings import is_workflow, settings_of
from handrail.errors import NotFoundError, PackError
from handrail.frozen import replace
from handrail.packs import LOCAL, Target, settings_error
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from handrail import ActionInfo, StepRegistry
    from handrail.builtin.project.lock_file import LockedAction
    from handrail.builtin.project.settings import Changes
    from handrail.packs import EntryPoint, InstalledPacks, PackRecord


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


def attribute_of(action_class: type[Any]) -> str | None:
    """Return the name of an action in its module, or None."""
    module = sys.modules.get(action_class.__module__)
    for name, value in dict(vars(module) if module else {}).items():
        # A Workflow made by `action(...)` counts as its class. getattr_static runs no user code.
        if value is action_class or getattr_static(value, "action_class", None) is action_class:
            return name
    return None


class _OfSteps(BaseAction[Any]):
    """A workflow that the project makes of steps."""

    workflow: ClassVar[Changes]

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        """Register its steps and groups."""
        # Imported here, because other actions do without.
        from handrail.builtin.project.project_edits import register_parts  # noqa: PLC0415

        register_parts(self.info, self.workflow, registry, self._provider)

    @property
    def info(self) -> ActionInfo:
        """Its description; its steps come from elsewhere, so no module is that of the action."""
        return replace(super().info, origin=self.workflow.origin)


# No workflow descends from an action called `of_steps`.
_OfSteps.action_name = ""


def resolve_target(packs: InstalledPacks, folder: Path, name: str) -> Target | None:
    """Return the action called `name` if it is of the project, a file or a module.

    The arguments and errors are those of `find_target`. An installed action is None.
    """
    head, _, attribute = name.rpartition(":")
    in_a_file = looks_like_file(head) or looks_like_file(name)
    if not in_a_file and (not head or packs.catalog.pack(head)):
        return _named(packs, folder, name) if name.strip(":") else None
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
    path = path_from(file, settings_of(packs).project.folder)
    name = f"{path}:{attribute or _attribute(target)}"
    return LockName(name=name, pack=None, called="" if is_program else target.name)


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


def _named(packs: InstalledPacks, folder: Path, name: str) -> Target | None:
    """Return the action that the project has under a name; None for an installed one."""
    try:
        record, entry_point = packs.catalog.find("actions", name)
    except NotFoundError as error:
        if packs.settings_problems:
            raise settings_error(packs.settings_problems) from None  # They may have hidden it.
        if Path(f"{name}.py").is_file():
            ways_out = (f"or the file?  handrail run {name}.py:NAME", *error.ways_out)
            raise NotFoundError(error.message, ways_out=ways_out) from None
        raise
    if not record.is_local:
        return None
    if is_workflow(record, entry_point):
        return _workflow(packs, folder, name, settings_of(packs).workflows[entry_point.name])
    found = packs.catalog.loaded((record, entry_point))
    action_class = as_action(found)
    if action_class is None:
        file = entry_point.module
        message = f"{entry_point.value}, named in [local.actions], is not an action but {found!r}"
        raise NotFoundError(message, ways_out=(_how_to_make_one(file, entry_point.attribute),))
    return Target(
        name=name, action_class=renamed(action_class, entry_point.name), origin=record.origin
    )


def _workflow(packs: InstalledPacks, folder: Path, name: str, workflow: Changes) -> Target:
    """Return the action that the project makes of another one, of several, or of steps."""
    if packs.settings_problems:
        raise settings_error(packs.settings_problems)  # The workflows may form a cycle.
    own, place = workflow.name, workflow.origin
    if workflow.chain:
        # Imported here, because other actions do without.
        from handrail import chain  # noqa: PLC0415

        place = workflow.source_of("chain")
        members = {
            each: _named_by(packs, folder, f"the chain {own} has", action, place)
            for each, action in workflow.chain
        }
        made: type[BaseAction[Any]] = chain(own, members, inputs=workflow.inputs).action_class
        made.__module__ = place.file
    elif workflow.extends:
        place = workflow.source_of("extends")
        base = _named_by(packs, folder, f"the workflow {own} extends", workflow.extends, place)
        made = renamed(base, own)
    else:
        space = {"action_name": own, "workflow": workflow, "__module__": place.file}
        made = type(own, (_OfSteps,), space)
    return Target(name=name, action_class=made, origin=place)


def _named_by(
    packs: InstalledPacks, folder: Path, told: str, name: str, place: Origin
) -> type[BaseAction[Any]]:
    """Return the action that a workflow of the project names."""
    file, colon, attribute = name.rpartition(":")
    if looks_like_file(file):
        name = f"{settings_of(packs).project.folder / file}{colon}{attribute}"
    try:
        return find_target(packs, folder, name).action_class
    except NotFoundError as error:
        message = f"{place.place}: {told} {name}: {error.message}"
        raise NotFoundError(message, origin=place, ways_out=error.ways_out) from None


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
    attribute: str, found: object, actions: Mapping[str, Any], shown: str
) -> NotFoundError:
    if found is None:
        listed = ", ".join(actions) or "none"
        ways_out = (did_you_mean(attribute, actions), f"actions there: {listed}")
        return NotFoundError(f"{shown} has no action '{attribute}'", ways_out=ways_out)
    kind: type[object] = type(found)
    is_step = isinstance(found, BaseStep) or (
        isinstance(found, type) and issubclass(found, BaseStep)
    )
    way = _how_to_make_one(shown, attribute if is_step else "my_step")
    message = f"{shown}:{attribute} is not an action but {kind.__name__}"
    return NotFoundError(message, ways_out=(way,))


def _how_to_make_one(shown: str, step: str = "my_step") -> str:
    return f"make one in {shown}:  nightly = action('nightly', [{step}])"


def names_of(packs: InstalledPacks, action_class: type[Any]) -> list[LockName]:
    """Return all names under which the command line finds an action, declared names first.

    An installed action has the name that its pack declares. An action in one of the project's files
    has its name in `[local.actions]`, the path of the file, and the module. An action that is not
    an attribute of a module, such as one made inside a function, has none.
    """
    offers = packs.catalog.offers("actions")
    found = [_offered(*each) for each in offers if _leads_to(*each, packs, action_class)]
    return [*found, *_own_names(packs, action_class)]


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


def looks_like_file(name: str) -> bool:
    """Return whether `name` is the path of a file or folder rather than a module."""
    return name.endswith(".py") or os.sep in name or name in (".", "..") or "/" in name


def path_from(file: str, folder: Path) -> str:
    """Return the path of a file relative to a folder, with slashes."""
    try:
        return Path(os.path.relpath(os.path.abspath(file), folder)).as_posix()
    except ValueError:  # On another drive.
        return Path(file).name


def _offered(record: PackRecord, entry: EntryPoint) -> LockName:
    pack = record.origin.pack
    return LockName(name=entry.name, pack=pack, called=f"{pack}:{entry.name}" if pack else "")


def _leads_to(
    record: PackRecord, entry: EntryPoint, packs: InstalledPacks, action_class: type[Any]
) -> bool:
    """Return whether an entry point leads to the action, without importing anything."""
    if is_workflow(record, entry):
        return False  # A workflow of the project is not the action that it extends.
    file = file_of(record, entry)
    if file is not None:
        known = _file_of(action_class)
        same = known is not None and Path(known).resolve() == file.resolve()
        return same and entry.attribute == attribute_of(action_class)
    value: object = sys.modules.get(entry.module)
    for name in entry.attribute.split("."):
        value = getattr_static(value, name, None)
    if value is action_class or getattr_static(value, "action_class", None) is action_class:
        return True
    owner = packs.origin_of(action_class.__module__).pack
    return owner == record.id and entry.name == action_class.action_name


def _own_names(packs: InstalledPacks, action_class: type[Any]) -> Iterator[LockName]:
    """Yield the names by location: by the file in the project, and by the module."""
    attribute = attribute_of(action_class)
    if attribute is None:
        return
    module, file = action_class.__module__, _file_of(action_class)
    folder = settings_of(packs).project.folder.resolve()
    if file is not None and packs.origin_of(module).pack is None:
        path = Path(file).resolve()
        if path.is_relative_to(folder) or module == "__main__":
            name = f"{path_from(str(path), folder)}:{attribute}"
            called = f"{path_from(str(path), Path.cwd())}:{attribute}"
            yield LockName(name=name, pack=None, called=called)
    if module != "__main__":
        yield LockName(name=f"{module}:{attribute}", pack=None)


def _file_of(action_class: type[Any]) -> str | None:
    file = getattr(sys.modules.get(action_class.__module__), "__file__", None)
    return file if isinstance(file, str) else None
