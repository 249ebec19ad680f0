"""Views: how a value is shown comes from whoever offers a view of that name, and nobody else."""

from __future__ import annotations

import sys

import pytest

from handrail import StepResult
from handrail.errors import PackError
from handrail.packs import PackRecord, shown_as

SOURCE = {
    "acme_shapes/__init__.py": "",
    "acme_shapes/broken.py": "1 / 0",
    "acme_shapes/views.py": """
        def numbers(value):
            return f"<b>{value}</b>" if isinstance(value, int) else None

        def anything(value):
            return "something"
    """,
}


@pytest.fixture
def shapes(garden):
    """Plants a pack with a view."""

    def plant(name="acme-shapes", view="acme_shapes.views:numbers"):
        garden.plant(name, points={"views": {"signs": view}}, modules=SOURCE)

    return plant


def test_a_value_is_shown_by_the_view_of_a_pack(shapes, packs):
    """Of that name; the pack is not imported before."""
    shapes()
    found = packs()
    assert shown_as(7, "sounds", found) is None
    assert "acme_shapes" not in sys.modules
    assert shown_as(7, "signs", found) == "<b>7</b>"


def test_what_a_view_does_not_show_is_for_the_next(shapes, packs):
    """The packs are asked by their names."""
    shapes()
    assert shown_as("seven", "signs", packs()) is None
    shapes("acme-things", "acme_shapes.views:anything")
    assert shown_as("seven", "signs", packs()) == "something"
    assert shown_as(7, "signs", packs()) == "<b>7</b>"


def test_a_pack_that_is_off_shows_nothing(shapes, packs):
    shapes()
    assert shown_as(7, "signs", packs(no_packs=("acme-shapes",))) is None
    assert "acme_shapes" not in sys.modules


def test_a_view_that_cannot_be_imported_names_its_pack(shapes, packs):
    shapes(view="acme_shapes.broken:view")
    with pytest.raises(PackError, match=r"acme-shapes .*views signs .*ZeroDivisionError"):
        shown_as(7, "signs", packs())


def test_a_notebook_is_shown_what_a_pack_makes_of_a_result(garden, packs, monkeypatch):
    """It asks for `html`; where no pack has such a view, it gets nothing, and shows the text."""
    monkeypatch.setattr(
        "handrail.packs.installed.core_record", lambda: PackRecord(id="x", name="x")
    )
    monkeypatch.setattr("handrail.packs.installed.installed_packs", packs)
    assert StepResult()._repr_html_() is None
    points = {"views": {"html": "acme_shapes.views:anything"}}
    garden.plant("acme-shapes", points=points, modules=SOURCE)
    assert StepResult()._repr_html_() == "something"
