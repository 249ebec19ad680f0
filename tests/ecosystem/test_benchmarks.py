"""What the benchmarks import of this project is there."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).parents[2] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_names_that_a_benchmark_imports_are_there(path: Path) -> None:
    """Nothing else runs most of them, so that a name that was moved would be missed."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("handrail"):
            module = import_module(node.module or "")
            for each in node.names:
                name = f"{module.__name__}.{each.name}"
                assert hasattr(module, each.name) or find_spec(name), name
