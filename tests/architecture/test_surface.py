"""The public surface, compared with surface.txt next to this file.

To change it on purpose: `python tests/architecture/test_surface.py` writes the file anew.
"""

from __future__ import annotations

from difflib import unified_diff
from importlib import import_module
from pathlib import Path

import pytest

import handrail

HERE = Path(__file__).parent
FILE = HERE / "surface.txt"
# The names of the first are written as they are, those of the others with their page before them.
PAGES = (
    *("handrail", "handrail.amounts", "handrail.attachments", "handrail.cli"),
    *("handrail.derived", "handrail.frozen", "handrail.inspection", "handrail.journal"),
    *("handrail.lazy", "handrail.local"),
    *("handrail.packs", "handrail.params", "handrail.places", "handrail.records"),
    *("handrail.recovery", "handrail.redact"),
    *("handrail.sqlite", "handrail.suggest"),
)


def surface() -> list[str]:
    return [line for page in PAGES for line in surface_of(page)]


def surface_of(page: str) -> list[str]:
    module = import_module(page)
    prefix = "" if module is handrail else f"{page}."
    lines: list[str] = []
    for name in sorted(module.__all__):
        value = getattr(module, name)
        lines.append(prefix + name)
        if not isinstance(value, type):
            continue
        own = {
            attribute
            for part in value.__mro__
            if part.__module__.startswith("handrail")
            for attribute in (*vars(part), *vars(part).get("__annotations__", {}))
            if not attribute.startswith("_")
        }
        lines += [f"    {attribute}" for attribute in sorted(own)]
    return lines


def test_every_public_name_can_be_imported() -> None:
    """Each name of `__all__` is there, and an unknown one is an AttributeError that names it."""
    assert all(getattr(handrail, name) is not None for name in handrail.__all__)
    assert set(handrail.__all__) <= set(dir(handrail))
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(handrail, "no_such_name")  # noqa: B009 - as code would


LAZY = [page for page in PAGES if hasattr(import_module(page), "lazy_imports")]


@pytest.mark.parametrize("page", LAZY)
def test_no_name_that_is_imported_on_first_use_is_that_of_a_module(page: str) -> None:
    """An import of the module beside the page would put it in the place of what has its name."""
    module = import_module(page)
    folder = Path(str(module.__file__)).parent
    modules = {path.stem for path in folder.iterdir() if path.suffix in (".py", "")}
    assert set(module.__all__) & modules == set()


def test_the_public_surface_is_what_is_written_down() -> None:
    """No public name or attribute comes, goes or changes its name unnoticed."""
    known = FILE.read_text(encoding="utf-8").splitlines()
    changed = list(unified_diff(known, surface(), "surface.txt", "handrail", lineterm="", n=1))
    hint = "if that is meant: python tests/architecture/test_surface.py"
    assert not changed, "\n".join(["the public surface changed;", hint, *changed])


if __name__ == "__main__":
    FILE.write_text("\n".join(surface()) + "\n", encoding="utf-8")
