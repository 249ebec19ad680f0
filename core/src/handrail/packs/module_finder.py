"""Finds the source of a module without importing anything, not even its parent packages."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from typing import Any

from handrail.frozen import frozen

# Finders that cannot find a module which the finder of paths did not. Of others we cannot tell.
_NO_OTHER_PLACES = frozenset(
    {
        "_distutils_hack",
        "_frozen_importlib",
        "_frozen_importlib_external",
        "_pytest.assertion.rewrite",
        "importlib_metadata",
    }
)


@frozen
class Target:
    """Where a module is.

    Attributes:
        found: Whether there is such a module; None when only importing it could tell.
        file: Its source file, or None for what has none, such as a package without `__init__`.
        folders: Every folder that was looked into to find it, for noticing changes.
        missing: The part of its name that does not exist.
    """

    found: bool | None
    file: str | None = None
    folders: tuple[str, ...] = ()
    missing: str = ""


def locate(module: str, path: Sequence[str] | None = None) -> Target:
    """Return where the dotted `module` is, walking down package by package.

    Args:
        module: Dotted name.
        path: Folders to look in; `sys.path` by default.
    """
    search: Sequence[str] = sys.path if path is None else path
    folders: list[str] = []
    file: str | None = None
    parts = module.split(".")
    for depth, part in enumerate(parts):
        name = ".".join(parts[: depth + 1])
        if depth == 0 and part in sys.builtin_module_names:
            return Target(found=len(parts) == 1)
        # By its last part only: the import system wants the parents of a dotted name imported.
        spec = _find(part, search)
        if spec is None:
            found = None if depth == 0 and _other_finders() else False
            return Target(found=found, folders=tuple(folders), missing=name)
        file = spec.origin if spec.has_location else None
        if spec.submodule_search_locations is None:
            search = ()
        elif spec.loader is None or spec.origin is None:
            search = [each for entry in search if os.path.isdir(each := os.path.join(entry, part))]
        else:
            search = list(spec.submodule_search_locations)
        folders += [os.path.dirname(file)] if file else search
    return Target(found=True, file=file, folders=tuple(dict.fromkeys(folders)))


def _find(name: str, search: Sequence[str]) -> Any:
    try:
        return PathFinder.find_spec(name, list(search))
    except (ImportError, OSError, ValueError):
        # An archive or folder that cannot be read holds nothing that could be imported.
        return None


def _other_finders() -> bool:
    """Whether something else than the path may bring modules, as editable installs do."""
    for finder in sys.meta_path:
        home = finder.__module__ if isinstance(finder, type) else type(finder).__module__
        if home not in _NO_OTHER_PLACES:
            return True
    return False
