"""Describes actions and steps by the first lines of docstrings, without importing anything."""

from __future__ import annotations

import ast
from functools import lru_cache
from importlib.util import resolve_name
from pathlib import Path

from handrail.builtin.project.local import file_of
from handrail.builtin.project.settings import WORKFLOW, is_workflow
from handrail.packs import EntryPoint, PackRecord, find_module

MAX_HOPS = 5
MAX_SIZE = 1_000_000
QUOTES = b'"""'


def description_of(record: PackRecord, entry: EntryPoint) -> str | None:
    """Return a one-line description of an action or step without importing it, or None."""
    if is_workflow(record, entry):
        return entry.value.removeprefix(WORKFLOW)
    return describe_target(entry.value, file_of(record, entry))


def describe_target(value: str, file: Path | None = None) -> str | None:
    """Return the first line of the docstring of an entry point's object, or None.

    Names imported from another module are followed, up to `MAX_HOPS` times. The result is None if
    the source has no docstring, or cannot be found or read.

    Args:
        value: The value of the entry point, as `module:object`.
        file: The source file, if `value` has a path instead of a module.
    """
    entry_point = EntryPoint(group="", name="", value=value)
    names = entry_point.attribute.split(".") if entry_point.attribute else []
    try:
        if file is not None:
            return _described("", str(file), names, 0)
        return _in_module(entry_point.module, names, MAX_HOPS)
    except (ImportError, OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        # Valid source, too, can be nested too deeply to parse.
        return None


def _in_module(module: str, names: list[str], hops: int) -> str | None:
    return _described(module, find_module(module).origin or "", names, hops)


def _described(module: str, file: str, names: list[str], hops: int) -> str | None:
    source = _source(file)
    tree = (_alone(source, names[0]) if len(names) == 1 else None) or ast.parse(source)
    found: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef = tree
    for number, name in enumerate(names):
        follow = hops > 0 and number == 0
        match _definition(found.body, name):
            case (ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef()) as inner:
                found = inner
            case ast.ImportFrom() as statement if follow:
                package = module if file.endswith("__init__.py") else module.rpartition(".")[0]
                home = resolve_name("." * statement.level + (statement.module or ""), package)
                original = {each.asname or each.name: each.name for each in statement.names}[name]
                return _in_module(home, [original, *names[1:]], hops - 1)
            case _:
                return None
    return _first_line(ast.get_docstring(found))


def _definition(body: list[ast.stmt], name: str) -> ast.stmt | None:
    """Return the last class, function or import in `body` that binds `name`."""
    found: ast.stmt | None = None
    for statement in body:
        match statement:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                bound = [statement.name]
            case ast.ImportFrom():
                bound = [alias.asname or alias.name for alias in statement.names]
            case ast.If() | ast.Try() | ast.With():
                others: list[ast.stmt] = getattr(statement, "orelse", [])
                found = _definition([*statement.body, *others], name) or found
                continue
            case _:
                continue
        if name in bound:
            found = statement
    return found


def _alone(source: bytes, name: str) -> ast.Module | None:
    """Return the last definition of a name at the top level, up to the end of its docstring.

    Parsing all takes ten times as long. The result is None if it is not found by its look alone.
    """
    heads = (f"\n{kind} {name}{after}" for kind in ("async def", "def", "class") for after in "(:[")
    begin = max(source.rfind(head.encode()) for head in heads)
    end = source.find(QUOTES, source.find(QUOTES, begin) + len(QUOTES))
    try:
        return ast.parse(source[begin : end + len(QUOTES)]) if 0 <= begin < end else None
    except SyntaxError:
        return None


@lru_cache(maxsize=256)
def _source(file: str) -> bytes:
    """Return the source in a file; nothing if it is none, or too large."""
    if not file.endswith(".py"):
        return b""
    with open(file, "rb") as stream:
        source = stream.read(MAX_SIZE + 1)
    return source if len(source) <= MAX_SIZE else b""


def _first_line(text: str | None) -> str | None:
    lines = (text or "").strip().splitlines()
    return lines[0].strip().removesuffix(".") or None if lines else None
