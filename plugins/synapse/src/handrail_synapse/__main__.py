"""Runs a program with the aliases: `python -m handrail_synapse [-m MODULE | FILE] ARGS...`."""

from __future__ import annotations

import builtins
import os
import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType, TracebackType

from handrail_synapse import __version__, install

USAGE = """\
usage: python -m handrail_synapse [-m MODULE | FILE] ARGS...

Run a Python file or module as `python` itself would, with synapse_sdk.plugins served by Handrail.
Where the real synapse_sdk is installed, that one is used.
"""


def main(arguments: Sequence[str]) -> int | None:
    """Run the module or file in `arguments`; return an exit code if it was not run."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"handrail-synapse {__version__}")
        return 0
    name, rest = arguments[0], list(arguments[1:])
    is_module = name == "-m"
    if is_module and rest:
        name = rest.pop(0)
    elif name.startswith("-"):
        problem = "-m needs the name of a module" if is_module else f"unknown option {name}"
        print(f"handrail_synapse: {problem}\n\n{USAGE}", end="", file=sys.stderr)
        return 2
    if not is_module and not Path(name).exists():
        print(f"handrail_synapse: can't open file {name!r}: no such file", file=sys.stderr)
        return 2
    if not install():
        print("handrail_synapse: using the synapse_sdk that is installed here", file=sys.stderr)
    sys.argv = [name, *rest]
    try:
        if is_module:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        elif name.endswith(".pyc"):
            runpy.run_path(name, run_name="__main__")
        else:
            # Unlike runpy, this leaves `__main__` in place for exit handlers.
            _run_path(os.path.abspath(name))
    except Exception as error:  # noqa: BLE001 - shown as the interpreter would show it
        traceback = _without_us(error.__traceback__)
        sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        return 1
    return None


def _run_path(path: str) -> None:
    found = PathFinder.find_spec("__main__", [path])
    if found is None or found.loader is None:
        _run_file(path)
        return
    # A folder or an archive.
    sys.path[0 : not sys.flags.safe_path] = [path]
    main = module_from_spec(found)
    sys.modules["__main__"] = main
    found.loader.exec_module(main)


def _run_file(path: str) -> None:
    if not sys.flags.safe_path:
        sys.path[0] = str(Path(path).resolve().parent)
    main = ModuleType("__main__")
    main.__file__ = path
    main.__loader__ = SourceFileLoader("__main__", path)
    vars(main).update(__builtins__=builtins, __cached__=None)
    sys.modules["__main__"] = main
    code = compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)
    exec(code, vars(main))


def _without_us(traceback: TracebackType | None) -> TracebackType | None:
    """Drop the frames of this module and of the import system from the top of a traceback."""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file != __file__ and not file.startswith("<frozen "):
            break
        traceback = traceback.tb_next
    return traceback


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
