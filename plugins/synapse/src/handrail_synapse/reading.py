"""Reads a plugin without running it: which names of the SDK it uses, and which are there."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from handrail_synapse.aliases import MODULES, ROOT, missing, submodules
from handrail_synapse.storages.kinds import is_provider_supported, unknown

_NOT_READ = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "venv"})
_ENTRY_POINT = re.compile(r"\s*entrypoint:\s*['\"]?([\w.:-]+)")
_CONFIGURATIONS = ("config.yaml", "config.yml")
_CLIENTS = frozenset({"client", "v2_client", "agent_client"})

Kind = Literal["runs", "missing", "client", "unread"]


@dataclass(frozen=True)
class Finding:
    """One use of the SDK in a plugin.

    Attributes:
        file: The file, below the folder that was read.
        line: The line, from 1.
        kind: `runs`; `missing` if the name is not there; `client` for a method that the client has
            to have; `unread` if the file cannot be read.
        name: The name, such as `synapse_sdk.plugins.steps.BaseStep`.
        note: What is said of it; empty if it runs.
    """

    file: str
    line: int
    kind: Kind
    name: str
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return its JSON form, with the same keys as the attributes."""
        return asdict(self)


def read_plugin(path: Path) -> Iterator[Finding]:
    """Yield the uses of the SDK in a file, or in the files below a folder, in their order."""
    root = path if path.is_dir() else path.parent
    for file in _files(path):
        name = file.relative_to(root).as_posix()
        try:
            text = file.read_text(encoding="utf-8-sig")
            if file.suffix != ".py":
                yield from _entry_points(text, name)
                continue
            tree = ast.parse(text, filename=str(file))
        except (OSError, SyntaxError, ValueError) as error:
            line: int = getattr(error, "lineno", None) or 1
            yield Finding(name, line, "unread", name, str(getattr(error, "msg", error)))
            continue
        found = set(_Uses(name).of(tree))
        yield from sorted(found, key=lambda each: (each.line, each.name))


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(
            each for each in folders if not each.startswith(".") and each not in _NOT_READ
        )
        for name in sorted(names):
            if name.endswith(".py") or (folder == str(path) and name in _CONFIGURATIONS):
                yield Path(folder, name)


def _entry_points(text: str, file: str) -> Iterator[Finding]:
    """Yield the actions of a configuration that are the SDK's own."""
    for line, content in enumerate(text.splitlines(), 1):
        match = _ENTRY_POINT.match(content)
        named = match[1].replace(":", ".") if match else ""
        # Some name it by the folder that it was installed in.
        at = re.search(rf"(?:^|\.){ROOT}\.", named)
        if at:
            module, _, name = named[at.start() :].lstrip(".").rpartition(".")
            yield _use(file, line, module, name)


class _Uses:
    """Collects the uses of the SDK in one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._modules: dict[str, str] = {}

    def of(self, tree: ast.AST) -> Iterator[Finding]:
        nodes = list(ast.walk(tree))
        for node in nodes:
            if isinstance(node, ast.Import):
                yield from self._import(node)
            elif isinstance(node, ast.ImportFrom):
                yield from self._import_from(node)
        for node in nodes:
            if isinstance(node, ast.Attribute):
                yield from self._attribute(node)
            elif isinstance(node, ast.Dict):
                yield from self._storage(node)

    def _import(self, node: ast.Import) -> Iterator[Finding]:
        for each in node.names:
            if each.name.partition(".")[0] != ROOT:
                continue
            self._modules[each.asname or ROOT] = each.name if each.asname else ROOT
            module, _, name = each.name.rpartition(".")
            yield _use(self._file, node.lineno, module, name)

    def _import_from(self, node: ast.ImportFrom) -> Iterator[Finding]:
        module = node.module or ""
        if node.level or module.partition(".")[0] != ROOT:
            return
        for each in node.names:
            if f"{module}.{each.name}" in MODULES:
                self._modules[each.asname or each.name] = f"{module}.{each.name}"
            yield _use(self._file, node.lineno, module, each.name)

    def _attribute(self, node: ast.Attribute) -> Iterator[Finding]:
        called = node.value
        if isinstance(called, ast.Attribute) and called.attr in _CLIENTS:
            known = called.attr == "client" and node.attr in _methods()
            note = "" if known else "the client of the service has it not, one that you pass has to"
            yield Finding(self._file, node.lineno, "client", f"{called.attr}.{node.attr}", note)
        if isinstance(called, ast.Name) and called.id in self._modules:
            yield _use(self._file, node.lineno, self._modules[called.id], node.attr)

    def _storage(self, node: ast.Dict) -> Iterator[Finding]:
        """Yield the kind of a storage that is written down, if it is not there."""
        given = {key.value: value for key, value in _pairs(node)}
        provider = given.get("provider")
        if "configuration" not in given or not isinstance(provider, ast.Constant):
            return
        if not is_provider_supported(str(provider.value)):
            name = f"storage {provider.value!r}"
            yield Finding(self._file, node.lineno, "missing", name, unknown(provider.value))


def _pairs(node: ast.Dict) -> Iterator[tuple[ast.Constant, ast.expr]]:
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant):
            yield key, value


@cache
def _methods() -> frozenset[str]:
    """Return the names of what the client of the service has."""
    try:
        from handrail_synapse.client import BackendClient  # noqa: PLC0415 - optional
    except ImportError:
        return frozenset()
    return frozenset(dir(BackendClient))


def _use(file: str, line: int, module: str, name: str) -> Finding:
    full = f"{module}.{name}".lstrip(".")
    known = name == "*" or full in MODULES or name in MODULES.get(module, {})
    if known and (module in MODULES or full in MODULES):
        return Finding(file, line, "runs", full)
    at, parts = ROOT, full.split(".")[1:]
    while parts[1:] and parts[0] in submodules(at):
        at = f"{at}.{parts.pop(0)}"
    return Finding(file, line, "missing", full, missing(at, parts[0], offers=False))
