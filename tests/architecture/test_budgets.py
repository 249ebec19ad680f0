"""How many code lines there may be, from budgets.toml next to this file: the numbers only fall.

A code line is not blank, no comment and no docstring; style sheets and scripts count, too. Whoever
wants more lines first finds what goes. `python tests/architecture/test_budgets.py` writes smaller
numbers; nothing writes larger ones.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).parent / "budgets.toml"
CORE = ROOT / "core/src/handrail"
BUILTIN = (
    "builtin",
    "attachments.py",
    "cli.py",
    "derived.py",
    "local.py",
    "records.py",
    "sqlite.py",
    "__main__.py",
)  # What is not the kernel.
SUFFIXES = {".py", ".css", ".js", ".html", ".jinja", ".j2"}
SLACK = 300  # By so much a number may be too high before it has to be written anew.
HEAD = """\
# Code lines, and files of core: today's numbers. See test_budgets.py.
# Where they shall be: kernel 14,500; core 27,000 in 200 files; all distributions together 70,000.
"""


def sources(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES]


def code_lines(path: Path) -> int:
    text = path.read_text("utf-8")
    numbered = enumerate(text.splitlines(), 1)
    if path.suffix != ".py":
        return sum(bool(line.strip()) for _, line in numbered)
    told = docstrings(ast.parse(text))
    return sum(
        number not in told and bool(line.strip()) and not line.lstrip().startswith("#")
        for number, line in numbered
    )


def docstrings(tree: ast.Module) -> set[int]:
    """Return the numbers of the lines of all docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        number
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None
        for number in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }


def is_of_kernel(path: Path) -> bool:
    return path.relative_to(CORE).parts[0] not in BUILTIN


def counted() -> Iterator[tuple[str, int]]:
    """Yield each number of today by its name in the file."""
    core = {path: code_lines(path) for path in sources(CORE)}
    yield "kernel", sum(lines for path, lines in core.items() if is_of_kernel(path))
    yield "core", sum(core.values())
    yield "core-files", len(core)
    plugins = {
        folder.name: sum(map(code_lines, sources(folder / "src")))
        for folder in sorted((ROOT / "plugins").iterdir())
    }
    yield from plugins.items()
    yield "together", sum(core.values()) + sum(plugins.values())


TODAY = dict(counted())
BUDGETS: dict[str, int] = tomllib.loads(FILE.read_text("utf-8")) if FILE.exists() else {}


def test_each_number_has_a_budget() -> None:
    """A new distribution says how large it may become."""
    assert set(BUDGETS) == set(TODAY)


@pytest.mark.parametrize("name", TODAY)
def test_no_number_grows(name: str) -> None:
    """Nobody adds lines before others went."""
    assert TODAY[name] <= BUDGETS[name]


@pytest.mark.parametrize("name", TODAY)
def test_what_was_taken_away_does_not_come_back(name: str) -> None:
    """A budget follows the code down: python tests/architecture/test_budgets.py."""
    assert BUDGETS[name] - TODAY[name] <= SLACK


if __name__ == "__main__":
    lines = [f"{name} = {min(number, BUDGETS.get(name, number))}" for name, number in TODAY.items()]
    FILE.write_text("\n".join([HEAD + lines[0], *lines[1:]]) + "\n", encoding="utf-8")
