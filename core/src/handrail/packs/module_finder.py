"""Finds the source file of a module without importing it or its parent packages."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from typing import Any

from handrail.frozen import frozen

# Finders that find no module beyond those on the path. Any other finder might.
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
    """The location of a module.

    Attributes:
        found: Whether the module exists; None if only an import could show it.
        file: Its source file, or None, for example for a package without `__init__`.
        folders: The folders that were searched; a change in them may change the result.
        missing: The part of its name that does not exist.
    """

    found: bool | None
    file: str | None = None
    folders: tuple[str, ...] = ()
    missing: str = ""


def locate(module: str, path: Sequence[str] | None = None) -> Target:
    """Return the location of a module, found package by package.

    Args:
        module: Dotted name.
        path: Folders to search; by default, `sys.path`.
    """
    search: Sequence[str] = sys.path if path is None else path
    folders: list[str] = []
    file: str | None = None
    parts = module.split(".")
    for depth, part in enumerate(parts):
        name = ".".join(parts[: depth + 1])
        if depth == 0 and part in sys.builtin_module_names:
            return Target(found=len(parts) == 1)
        # By its last part: with a dotted name, the import system would import the parents.
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
        # Nothing can be imported from an unreadable archive or folder.
        return None


def _other_finders() -> bool:
    """Return whether finders other than the path may provide modules, as in editable installs."""
    for finder in sys.meta_path:
        home = finder.__module__ if isinstance(finder, type) else type(finder).__module__
        if home not in _NO_OTHER_PLACES:
            return True
    return False
