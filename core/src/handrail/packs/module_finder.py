"""Finds a module without importing it or the packages that it is in."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder


def find_module(name: str, path: Sequence[str] | None = None) -> ModuleSpec:
    """Return the specification of a module.

    Args:
        name: Its dotted name.
        path: Folders and archives to search; by default, `sys.path`.

    Raises:
        ModuleNotFoundError: There is no such module, or no package that it would be in.
    """
    parts = name.split(".")
    # Editable installs may have a finder of their own for what is not in a package.
    finders = [each for each in sys.meta_path if hasattr(each, "find_spec")]
    search = None if path is None else list(path)
    spec = ModuleSpec(name, None)
    for depth, part in enumerate(parts, 1):
        # By its last part: with a dotted name, the import system would import the packages.
        specs = (finder.find_spec(part, search) for finder in finders)
        try:
            spec = next(filter(None, specs))
        except (StopIteration, ImportError, OSError, ValueError):
            missing = ".".join(parts[:depth])
            raise ModuleNotFoundError(f"there is no {missing}", name=missing) from None
        finders, search = [PathFinder], list(spec.submodule_search_locations or ())
    return spec
