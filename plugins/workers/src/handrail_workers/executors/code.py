"""Finds functions by name: in the driver their names, and in a worker the functions.

A worker imports what the driver has imported: modules by their names; the file of a workflow, and
that of a program, by its path.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from handrail.errors import ExecutorError
from handrail.local import import_file, is_searched, search
from handrail.places import importing, is_importing
from handrail_workers.executors.protocol import CodeRef

_MAIN = "__main__"
_prepared: list[CodeRef] = []  # The code of this process, if it is a worker.


def code_of(function: Callable[..., Any], rollback: Callable[..., Any] | None = None) -> CodeRef:
    """Return where workers find the functions of a step with items.

    Raises:
        ExecutorError: A worker could not find one of them.
    """
    if is_importing():
        raise ExecutorError(
            "items are worked on while the program is imported for a worker",
            ways_out=('put the call that runs it below  if __name__ == "__main__":',),
        )
    files: dict[str, str] = {}
    name = _name_of(function, files)
    undo = None if rollback is None else _name_of(rollback, files)
    path = tuple(dict.fromkeys(os.path.abspath(each) for each in sys.path if _is_own(each)))
    spec = getattr(sys.modules[_MAIN], "__spec__", None)
    uses_main = any(each and each.__module__ == _MAIN for each in (function, rollback))
    return CodeRef(
        function=name,
        rollback=undo,
        files=files,
        path=path,
        checked=tuple(each for each in path if is_searched(each)),
        folder=os.getcwd(),
        main=(spec.name if spec else _stem(_file_of_main())) if uses_main else None,
    )


def prepare(code: CodeRef) -> None:
    """Let this process, which is a worker's, import what the driver can; call it once."""
    _prepared[:] = [code]
    os.chdir(code.folder)
    sys.path[:0] = [each for each in code.path if each not in sys.path]
    for folder in code.checked:
        search(folder)


def source_folder() -> str:
    """Return the folder in which this process finds the code of the working folder."""
    return next((each.source for each in _prepared if each.source), os.getcwd())


def find(code: CodeRef, name: str) -> Callable[..., Any]:
    """Return a function by its name, `module:name`.

    Raises:
        ExecutorError: The module has no such function.
        Exception: Its module could not be imported.
    """
    module_name, _, attribute = name.partition(":")
    found: Any = _module(code, module_name)
    for each in attribute.split("."):
        found = getattr(found, each, None)
    if not callable(found):
        raise ExecutorError(
            f"the module {module_name} has no function {attribute} in the process of a worker",
            ways_out=("define it whenever the module is imported",),
        )
    return cast("Callable[..., Any]", found)


def _module(code: CodeRef, name: str) -> ModuleType:
    if name == code.main and _is_main(code):
        return sys.modules[_MAIN]
    file = code.files.get(name)
    with importing():
        if file is not None:
            return import_file(file, Path(code.folder))
        return importlib.import_module(name)


def _is_main(code: CodeRef) -> bool:
    """Return whether the program of the driver is that of this process."""
    main = sys.modules[_MAIN]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return bool(spec.name == code.main)
    file = getattr(main, "__file__", None)
    return file is not None and os.path.abspath(file) == code.files.get(code.main or "")


def _name_of(function: Callable[..., Any], files: dict[str, str]) -> str:
    """Return the name of a function as `module:name`; add its file to `files` if it needs it."""
    module_name = getattr(function, "__module__", None)
    attribute = getattr(function, "__qualname__", "")
    module = sys.modules.get(module_name or "")
    found: Any = module
    for each in attribute.split("."):
        found = getattr(found, each, None)
    if module is None or found != function:
        shown = attribute or type(function).__name__
        raise ExecutorError(
            f"workers could not find the function for the items by its name, {shown}",
            ways_out=("define it at the top level of a module, and use `shared` for values",),
        )
    spec = getattr(module, "__spec__", None)
    if module_name == _MAIN:
        if spec is not None:  # python -m company.flows
            return f"{spec.name}:{attribute}"
        file = _file_of_main()
        if not os.path.isfile(file):
            raise ExecutorError(
                f"workers could not import {attribute}: this program was not read from a file",
                ways_out=("put the function into a file or a module, and import it from there",),
            )
        files[_stem(file)] = file
        return f"{_stem(file)}:{attribute}"
    own_loader = type(getattr(spec, "loader", None)).__module__.startswith("handrail.")
    own_file: str | None = getattr(module, "__file__", None)
    if own_file and own_loader and "." not in module.__name__:
        files[module.__name__] = os.path.abspath(own_file)
    return f"{module.__name__}:{attribute}"


def _file_of_main() -> str:
    file = getattr(sys.modules[_MAIN], "__file__", None)
    return os.path.abspath(file) if file else ""


def _stem(file: str) -> str:
    return Path(file).stem


def _is_own(folder: str) -> bool:
    """Return whether a folder of `sys.path` is not of Python or of what is installed."""
    parts = Path(os.path.abspath(folder)).parts
    library = Path(os.__file__).parent.parts
    installed = "site-packages" in parts or "dist-packages" in parts
    return os.path.isdir(folder) and not installed and parts[: len(library)] != library
