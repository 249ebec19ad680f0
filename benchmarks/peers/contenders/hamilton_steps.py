# pyright: basic, reportMissingImports=false
"""Hamilton: functions that each need the one before; without and with its cache of results."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

os.environ["HAMILTON_TELEMETRY_ENABLED"] = "false"

from hamilton import driver
from protocol import Run, Watch, serve


def steps(count: int, folder: Path, *more: str) -> ModuleType:
    """Return a module of `count` functions that do nothing, and those."""
    sys.setrecursionlimit(100 * count + 10_000)  # It goes down the chain by calls.
    functions = ["def step_0() -> int:\n    return 0"]
    functions += [
        f"def step_{number}(step_{number - 1}: int) -> int:\n    return {number}"
        for number in range(1, count)
    ]
    path = folder / f"hamilton_{folder.name.replace('-', '_')}.py"
    path.write_text("\n\n\n".join([*functions, *more]))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def in_memory(count: int, folder: Path, watch: Watch) -> Run:
    """Call the functions."""
    built = driver.Builder().with_modules(steps(count, folder)).build()
    return lambda: built.execute([f"step_{count - 1}"])


def with_cache(folder: Path, module: ModuleType) -> driver.Driver:
    """Return a driver that keeps results in files, and the keys of them in SQLite."""
    return driver.Builder().with_modules(module).with_cache(path=folder / "cache").build()


def durable(count: int, folder: Path, watch: Watch) -> Run:
    """Call the functions; each result is kept."""
    built = with_cache(folder, steps(count, folder))
    return lambda: built.execute([f"step_{count - 1}"])


LAST = "def last(step_{}: int) -> int:\n    return ENDS()"


def leave(count: int, folder: Path, watch: Watch) -> Run:
    """Leave results behind of a process that died in its last function."""
    module = steps(count, folder, LAST.format(count - 1))
    module.__dict__["ENDS"] = lambda: os._exit(0)
    built = with_cache(folder, module)
    return lambda: built.execute(["last"])


def resume(count: int, folder: Path, watch: Watch) -> Run:
    """Call them again, which finds the results, from before the cache is opened."""
    module = steps(count, folder, LAST.format(count - 1))

    def reached() -> int:
        watch.stop()
        return 0

    module.__dict__["ENDS"] = reached
    return lambda: with_cache(folder, module).execute(["last"])


if __name__ == "__main__":
    serve(
        "apache-hamilton",
        {"in-memory": in_memory, "durable": durable, "leave": leave, "resume": resume},
    )
