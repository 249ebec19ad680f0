"""Serializers are found by the full name of a type, and a pack is imported when it is needed."""

from __future__ import annotations

import sys

import pytest

from handrail.errors import PackError

SOURCE = {
    "acme_maps/__init__.py": "",
    "acme_maps/raises.py": "1 / 0",
    "acme_maps/shapes.py": """
        class Polygons:
            media_type, suffix = "text/plain", ".wkt"
            def dump(self, value, file): ...
            def load(self, file): ...
            def describe(self, value): ...
        polygons = Polygons()
        number = 7
    """,
}


class Polygon:
    """A type that a pack has a serializer for."""


class Square(Polygon):
    """Of a subclass."""


NAME = f"{Polygon.__module__}.Polygon"


@pytest.fixture
def maps(garden):
    """Plants a pack with a serializer for polygons."""

    def plant(name="acme-maps", target="acme_maps.shapes:polygons"):
        points = {"serializers": {NAME: target}}
        return garden.plant(name, points=points, modules=SOURCE)

    return plant


def test_a_serializer_is_found_by_the_name_of_the_type(maps, packs):
    """Of the type itself or a base class; until then the pack is not imported."""
    maps()
    found = packs().serializers
    assert found.for_type(int) is None
    assert "acme_maps" not in sys.modules
    for kind in (Polygon, Square):
        each = found.for_type(kind)
        assert (each.type, each.pack, each.serializer.suffix) == (NAME, "acme-maps", ".wkt")
    assert found.named(NAME, "acme-maps").serializer is found.for_type(Polygon).serializer


def test_a_pack_that_is_off_keeps_nothing(maps, packs):
    maps()
    found = packs(no_packs=("acme-maps",)).serializers
    assert found.for_type(Polygon) is None
    with pytest.raises(PackError, match=r"acme-maps stored a .*Polygon, and is not used here"):
        found.named(NAME, "acme-maps")


def test_two_packs_for_one_type_are_an_error_that_names_both(maps, packs):
    maps()
    maps("acme-other")
    with pytest.raises(PackError, match=r"two packs store values of .*: acme-maps .* acme-other"):
        packs().serializers.for_type(Polygon)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("acme_maps.shapes:number", "is not an object with the attributes of handrail.Serializer"),
        ("acme_maps.raises:x", "cannot be imported"),
    ],
)
def test_a_broken_serializer_is_an_error_that_names_the_pack(maps, packs, target, text):
    maps(target=target)
    with pytest.raises(PackError, match=f"acme-maps 1.4.0.*{text}"):
        packs().serializers.for_type(Polygon)


def test_the_pack_of_ours_that_stores_a_type_is_named_where_it_is_not_installed(
    garden, maps, packs
):
    """By the library of the type or of a base class; for others there is no hint."""
    frame = type("Frame", (), {"__module__": "pandas.core.frame"})
    maps()
    for kind in (frame, type("Sub", (frame,), {"__module__": "flows"})):
        assert packs().serializers.hint(kind) == "pip install handrail-arrow"
    assert packs().serializers.hint(Polygon) == ""
    garden.plant("handrail-arrow", points={"serializers": {NAME: "acme_maps.shapes:polygons"}})
    assert packs().serializers.hint(frame) == ""
