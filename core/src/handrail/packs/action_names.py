"""Finds all names of an action: those that packs declare, and paths of files and modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from inspect import getattr_static
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handrail.lock.model import LockName
from handrail.packs.local import file_of, is_workflow

if TYPE_CHECKING:
    from handrail.packs.installed import InstalledPacks
    from handrail.packs.record import EntryPoint, PackRecord


def names_of(packs: InstalledPacks, action_class: type[Any]) -> list[LockName]:
    """Return all names under which the command line finds an action, declared names first.

    An installed action has the name that its pack declares. An action in one of the project's files
    has its name in `[local.actions]`, the path of the file, and the module. An action that is not
    an attribute of a module, such as one made inside a function, has none.
    """
    offers = packs.catalog.offers("actions")
    found = [_offered(*each) for each in offers if _leads_to(*each, packs, action_class)]
    return [*found, *_own_names(packs, action_class)]


def path_from(file: str, folder: Path) -> str:
    """Return the path of a file relative to a folder, with slashes."""
    try:
        return Path(os.path.relpath(os.path.abspath(file), folder)).as_posix()
    except ValueError:  # On another drive.
        return Path(file).name


def attribute_of(action_class: type[Any]) -> str | None:
    """Return the name of an action in its module, or None."""
    module = sys.modules.get(action_class.__module__)
    for name, value in dict(vars(module) if module else {}).items():
        # A Workflow made by `action(...)` counts as its class. getattr_static runs no user code.
        if value is action_class or getattr_static(value, "action_class", None) is action_class:
            return name
    return None


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
    folder = packs.settings.project.folder.resolve()
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
