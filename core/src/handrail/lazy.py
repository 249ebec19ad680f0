"""Imports the public names of a package when they are first used: importing it costs little."""

from __future__ import annotations

import sys
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["lazy_names"]


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` for a package.

    Type checkers take the names from imports under `if TYPE_CHECKING`.

    Args:
        package: Its name.
        homes: The names in each module, separated by spaces; `.steps` is a module in the package.
    """
    home_of = {name: home for home, names in homes.items() for name in names.split()}
    own = sys.modules[package]

    def get(name: str) -> object:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(home_of[name], package), name)
        setattr(own, name, value)
        return value

    return get, lambda: sorted({*vars(own), *home_of}), sorted(home_of)
