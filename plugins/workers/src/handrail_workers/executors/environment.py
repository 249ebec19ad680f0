"""The digest of what a worker works with; two machines with the same one give the same results."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from handrail.packs import normalised
from handrail_workers.executors.protocol import CodeRef


def distributions(path: Iterable[str] | None = None) -> dict[str, str]:
    """Return the version of each distribution by its name, from the names of folders alone.

    Compare it with that of another machine to say what differs. A few milliseconds for a thousand.

    Args:
        path: The folders in which they are; by default, `sys.path`.
    """
    found: dict[str, str] = {}
    for folder in sys.path if path is None else path:
        for info in Path(folder).glob("*.*-info"):
            name, version, *_ = *info.stem.split("-"), ""
            if version and not name.startswith("~") and info.suffix in (".dist-info", ".egg-info"):
                found.setdefault(normalised(name), version)
    return dict(sorted(found.items()))


def environment_digest(code: CodeRef) -> str:
    """Return a digest of Python's version, of all distributions and of the files of `code`.

    These are the files that are imported by path, and those of modules of the functions that are
    not installed. The folders are not part of it, so it is the same on every machine.
    """
    digest = sha256(platform.python_version().encode())
    for name, version in distributions().items():
        digest.update(f"\n{name}=={version}".encode())
    for name, file in sorted(_files(code).items()):
        with open(file, "rb") as opened:
            digest.update(f"\n{name} {sha256(opened.read()).hexdigest()}".encode())
    return f"sha256:{digest.hexdigest()}"


def _files(code: CodeRef) -> dict[str, str]:
    files = dict(code.files)
    for name in (code.function, code.rollback):
        module = (name or "").partition(":")[0]
        if module and module not in files:
            file = _file_of(module)
            if file and any(os.path.abspath(file).startswith(each + os.sep) for each in code.path):
                files[module] = file
    return files


def _file_of(module: str) -> str | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return spec.origin if spec is not None and spec.has_location else None
