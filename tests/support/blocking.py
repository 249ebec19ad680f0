"""Runs a program that cannot import some modules, nor what is in them.

`python blocking.py BLOCKED EXCUSED PROGRAM ARGUMENT...`: the first two are JSON lists of modules;
those that are excused can be imported all the same.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


class Blocking:
    """Refuses to import modules, and what is in them."""

    def __init__(self, blocked: Sequence[str], excused: Sequence[str]) -> None:
        self.blocked = tuple(blocked)
        self.excused = tuple(excused)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self.excused and is_within(name, self.blocked):
            raise ModuleNotFoundError(f"{name} is blocked", name=name)
        return None


def is_within(name: str, modules: Sequence[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in modules)


if __name__ == "__main__":
    blocked, excused, *sys.argv = sys.argv[1:]
    sys.meta_path.insert(0, Blocking(json.loads(blocked), json.loads(excused)))
    runpy.run_path(sys.argv[0], run_name="__main__")
