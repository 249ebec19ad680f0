"""Pages whose reference is generated list the names in the file too, for those who read that.

`HANDRAIL_DOCS=write pytest tests/docs/test_names.py` writes the lists.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- names -->\n", "<!-- /names -->\n"
DIRECTIVE = re.compile(r"^::: (?P<path>[\w.]+)$", re.MULTILINE)
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if DIRECTIVE.search(page.read_text())]


def found(path: str) -> Any:
    """Return the object with a dotted path."""
    module, names = path, list[str]()
    while True:
        try:
            thing: Any = import_module(module)
        except ModuleNotFoundError:
            module, _, name = module.rpartition(".")
            names.insert(0, name)
        else:
            break
    for name in names:
        thing = getattr(thing, name)
    return thing


def listed(text: str) -> Iterator[tuple[str, Any]]:
    """Yield the name of each object of a page; for a module those that it defines."""
    for path in (match["path"] for match in DIRECTIVE.finditer(text)):
        thing = found(path)
        if not isinstance(thing, ModuleType):
            yield path.rpartition(".")[2], thing
            continue
        for name, each in vars(thing).items():
            of_it = getattr(each, "__module__", None) == thing.__name__
            if of_it and not name.startswith("_") and inspect.getdoc(each):
                yield name, each


def sentence(thing: Any) -> str:
    """Return the first sentence of a docstring."""
    doc = inspect.getdoc(thing) if callable(thing) or isinstance(thing, property) else None
    first = " ".join((doc or "").partition("\n\n")[0].split())
    return re.split(r"(?<=[.!])\s+(?=[A-Z`])", first)[0].replace("|", "\\|")


def members(thing: Any) -> str:
    """Return the names of the public methods and properties of a class."""
    if not isinstance(thing, type):
        return ""
    named = (name for name, each in vars(thing).items() if sentence(each))
    return ", ".join(f"`{name}`" for name in named if not name.startswith("_"))


def table(text: str) -> str:
    rows = [
        f"| `{name}` | {sentence(thing)} | {members(thing)} |\n".replace("|  |", "| |")
        for name, thing in dict(listed(text)).items()
    ]
    head = "| name | does | methods and properties |\n|---|---|---|\n"
    return f"{BEGIN}\n{head}{''.join(rows)}\n{END}\n"


def with_table(text: str) -> str:
    """Return a page with its list before the first generated part, or before its heading."""
    text = re.sub(f"{BEGIN}.*?{END}\n", "", text, flags=re.DOTALL)
    match = DIRECTIVE.search(text)
    assert match is not None
    return text[: match.start()] + table(text) + text[match.start() :]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_a_generated_page_lists_its_names(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    wanted = with_table(text)
    if os.environ.get("HANDRAIL_DOCS") == "write":
        page.write_text(wanted, encoding="utf-8")
        return
    assert text == wanted, "HANDRAIL_DOCS=write pytest tests/docs/test_names.py writes it"
