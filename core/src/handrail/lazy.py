"""Imports the public names of a package when they are first used: importing it costs little."""

from __future__ import annotations

import builtins
import sys
from _thread import allocate_lock
from importlib import import_module

__all__ = ["lazy_imports"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_LOCK = allocate_lock()  # For the one function that imports in all modules.


class lazy_imports:  # noqa: N801 - used like a statement
    """Lets the imports in a block of a package take place when their names are first used.

        with lazy_imports(__name__):
            from acme_tidy.steps import MoveStep as MoveStep

    Type checkers, and tools that follow imports, see them as what they are. The package gets
    `__getattr__`, `__dir__` and `__all__`.

    Args:
        package: The name of the package.
        *own: Public names that it defines itself.
    """

    def __init__(self, package: str, *own: str) -> None:
        self._space = vars(sys.modules[package])
        self._own = own

    def __enter__(self) -> None:
        _LOCK.acquire()
        self._import = builtins.__import__
        builtins.__import__ = self._note

    def _note(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - as that of Python
        locals: Mapping[str, object] | None = None,  # noqa: A002 - as that of Python
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        if globals is not self._space:  # Another thread imports something.
            return self._import(name, globals, locals, fromlist, level)
        noted = _Module()
        vars(noted).update({each: _Home(name, each) for each in fromlist or ()})
        return noted

    def __exit__(self, *_: object) -> None:
        builtins.__import__ = self._import
        _LOCK.release()
        space = self._space
        homes = {name: home for name, home in space.items() if isinstance(home, _Home)}
        for name in homes:
            del space[name]

        def get(name: str) -> object:
            if name not in homes:
                raise AttributeError(f"module {space['__name__']!r} has no attribute {name!r}")
            value = space[name] = homes[name].load()
            return value

        space["__getattr__"] = get
        space["__dir__"] = lambda: sorted({*space, *homes})
        space["__all__"] = sorted({*self._own, *homes})


class _Module:
    """Stands for a module that is not imported yet; it has the names that are asked of it."""


class _Home:
    """The module of a name, and its name there."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def load(self) -> object:
        """Import the module, and return what has the name there."""
        return getattr(import_module(self._module), self._name)
