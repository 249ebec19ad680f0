"""Pages of names that are imported when they are first used."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from handrail.lazy import lazy_imports


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package with the names of a module that imports nothing else."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "acme_page"
    folder.mkdir()
    (folder / "inside.py").write_text("first = 'one'\n\ndef second(): ...\n")
    (folder / "__init__.py").write_text(
        "from handrail.lazy import lazy_imports\n"
        "with lazy_imports(__name__, 'own'):\n"
        "    from acme_page.inside import first as first, second as other\n"
        "def own(): ...\n"
    )
    for name in ("acme_page", "acme_page.inside"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return __import__("acme_page")


def test_a_name_is_imported_when_it_is_used(page: ModuleType) -> None:
    assert "acme_page.inside" not in sys.modules
    assert page.first == "one"
    assert page.other is sys.modules["acme_page.inside"].second
    assert vars(page)["first"] == "one"


def test_the_page_lists_its_names(page: ModuleType) -> None:
    assert page.__all__ == ["first", "other", "own"]
    assert {"first", "other", "own"} <= set(dir(page))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = page.no_such_name


def test_imports_of_other_modules_take_place_meanwhile(page: ModuleType) -> None:
    """Other threads may import something while a page notes its names."""
    elsewhere: dict[str, object] = {"__name__": "elsewhere", "__builtins__": __builtins__}
    with lazy_imports(page.__name__):
        exec("from textwrap import dedent", elsewhere)
    assert callable(elsewhere["dedent"])
