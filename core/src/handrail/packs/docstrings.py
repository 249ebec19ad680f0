"""Reads the first lines of docstrings from source files, without importing anything."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

from handrail.packs.module_finder import find_module
from handrail.packs.record import EntryPoint

MAX_HOPS = 5
MAX_SIZE = 1_000_000

Body = list[ast.stmt]


def describe_target(value: str, file: Path | None = None) -> str | None:
    """Return the first line of the docstring of an entry point's object, or None.

    Names imported from another module are followed, up to `MAX_HOPS` times. The result is None if
    the source has no docstring, or cannot be found or read.

    Args:
        value: The value of the entry point, as `module:object`.
        file: The source file, if `value` has a path instead of a module.
    """
    entry_point = EntryPoint(group="", name="", value=value)
    try:
        if file is not None:
            return _in_file(str(file), entry_point.attribute)
        return _describe(entry_point.module, entry_point.attribute, MAX_HOPS)
    except RecursionError:
        # Valid source can be nested too deeply to parse.
        return None


def _in_file(file: str, attribute: str) -> str | None:
    source = _parse_file(file)
    found = None if source is None else _definition(source[0].body, attribute)
    if isinstance(found, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return _first_line(ast.get_docstring(found))
    return None


def _describe(module: str, attribute: str, hops: int) -> str | None:
    source = _parse(module)
    if source is None:
        return None
    tree, is_package = source
    if not attribute:
        return _first_line(ast.get_docstring(tree))
    body: Body = tree.body
    names = attribute.split(".")
    for number, name in enumerate(names):
        found = _definition(body, name)
        if isinstance(found, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if number == len(names) - 1:
                return _first_line(ast.get_docstring(found))
            body = found.body
            continue
        if number == 0 and isinstance(found, ast.ImportFrom) and hops:
            return _follow(module, is_package, found, names, hops)
        if number == 0 and isinstance(found, ast.Assign | ast.AnnAssign) and hops:
            # `upload = UploadAction`, or a docstring after the variable, as Sphinx reads them.
            return _variable(body, found) or _alias(module, found, names, hops)
        return None
    return None


def _definition(body: Body, name: str) -> ast.stmt | None:
    """Return the last statement of `body` that binds `name`."""
    found: ast.stmt | None = None
    for statement in body:
        match statement:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                bound = [statement.name]
            case ast.ImportFrom():
                bound = [alias.asname or alias.name for alias in statement.names]
            case ast.Assign():
                bound = [target.id for target in statement.targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=target)):
                bound = [target]
            case ast.If() | ast.Try():
                inner = _definition([*statement.body, *statement.orelse], name)
                found = inner or found
                continue
            case _:
                continue
        if name in bound:
            found = statement
    return found


def _follow(
    module: str, is_package: bool, statement: ast.ImportFrom, names: list[str], hops: int
) -> str | None:
    parts = module.split(".")
    if statement.level:
        up = statement.level - (1 if is_package else 0)
        parts = parts[: len(parts) - up] if up else parts
        home = ".".join([*parts, *([statement.module] if statement.module else [])])
    else:
        home = statement.module or ""
    for alias in statement.names:
        if (alias.asname or alias.name) == names[0]:
            rest = ".".join([alias.name, *names[1:]])
            return _describe(home, rest, hops - 1)
    return None


def _alias(
    module: str, statement: ast.Assign | ast.AnnAssign, names: list[str], hops: int
) -> str | None:
    if isinstance(statement.value, ast.Name):
        rest = ".".join([statement.value.id, *names[1:]])
        return _describe(module, rest, hops - 1)
    return None


def _variable(body: Body, statement: ast.stmt) -> str | None:
    after = body[body.index(statement) + 1 :][:1] if statement in body else []
    match after:
        case [ast.Expr(value=ast.Constant(value=str(text)))]:
            return _first_line(text)
        case _:
            return None


@lru_cache(maxsize=256)
def _parse(module: str) -> tuple[ast.Module, bool] | None:
    """Return the syntax tree of a module, and whether it is a package."""
    try:
        return _parse_file(find_module(module).origin or "")
    except ModuleNotFoundError:
        return None


def _parse_file(file: str) -> tuple[ast.Module, bool] | None:
    if not file.endswith(".py"):
        return None
    try:
        with open(file, "rb") as stream:
            source = stream.read(MAX_SIZE + 1)
        if len(source) > MAX_SIZE:
            return None
        return ast.parse(source), file.endswith("__init__.py")
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _first_line(text: str | None) -> str | None:
    lines = (text or "").strip().splitlines()
    return lines[0].strip().removesuffix(".") or None if lines else None
