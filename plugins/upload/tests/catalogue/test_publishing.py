"""Staged rows are nobody's business until they are published, all at once."""

from __future__ import annotations

import pytest

from handrail_upload.catalogue import Published, Removed, open_catalogue
from handrail_upload.errors import CatalogueError


def test_staged_rows_are_seen_by_nobody(catalogue, tools):
    """Until they are published, which shows all of them."""
    catalogue.stage("one", "photos", [tools.unit("a", size=1), tools.unit("b")])
    assert list(catalogue.find_units("photos")) == []
    assert not catalogue.published("one")
    assert catalogue.publish("one", "photos") == Published(units_added=2, files_added=2)
    assert [(each.name, each.metadata) for each in catalogue.find_units("photos")] == [
        ("a", {"size": 1}),
        ("b", {}),
    ]
    assert [each.unit for each in catalogue.files_of("one")] == ["a", "b"]
    assert catalogue.published("one")


def test_publishing_again_adds_nothing(catalogue, tools):
    """What is there with the same values stays as it is, and is not of the later run."""
    for run, counts in (
        ("one", Published(units_added=2, files_added=2)),
        ("two", Published(units_unchanged=2, files_unchanged=2)),
        ("one", Published(units_unchanged=2, files_unchanged=2)),
    ):
        catalogue.stage(run, "photos", [tools.unit("a", key="value"), tools.unit("b")])
        assert catalogue.publish(run, "photos") == counts
    assert not catalogue.published("two")
    assert {each.run for each in catalogue.find_units("photos")} == {"one"}
    assert catalogue.remove("two") == Removed()


def test_publishing_nothing_makes_no_collection(catalogue):
    """Nor does it fail."""
    assert catalogue.publish("one", "photos") == Published()
    assert catalogue.stage("one", "photos", []) == 0
    assert catalogue.publish("one", "photos") == Published()


def test_unit_is_staged_as_it_was_given_last(catalogue, tools):
    """A batch that is staged again after a retry replaces what it had staged before."""
    catalogue.stage(
        "one",
        "photos",
        [tools.unit("a", tools.file("x"), tools.file("y"), note="old"), tools.unit("b")],
    )
    catalogue.stage(
        "one",
        "photos",
        [tools.unit("a", tools.file("x", "2"), note="new"), tools.unit("a", note="last")],
    )
    catalogue.publish("one", "photos")
    assert [each.metadata for each in catalogue.find_units("photos")] == [{"note": "last"}, {}]
    assert [(each.unit, each.file.role) for each in catalogue.find_files("photos")] == [
        ("a", "file"),
        ("b", "file"),
    ]


def test_files_in_other_roles_stay(catalogue, tools):
    """A run that brings one role of a unit leaves the others to who brought them."""
    catalogue.stage("one", "photos", [tools.unit("a", tools.file("image"), tools.file("mask"))])
    catalogue.publish("one", "photos")
    catalogue.stage("two", "photos", [tools.unit("a", tools.file("mask", "2"))])
    counts = catalogue.publish("two", "photos")
    assert counts == Published(units_changed=1, files_changed=1)
    assert [(each.file.role, each.run) for each in catalogue.find_files("photos")] == [
        ("image", "one"),
        ("mask", "two"),
    ]
    assert catalogue.remove("two") == Removed(units_restored=1, files_restored=1)
    assert {each.run for each in catalogue.find_files("photos")} == {"one"}


def test_many_units_come_back_page_by_page(catalogue, tools):
    """More than a batch and several pages, each once, and in the order of their names."""
    names = [f"{number:05d}" for number in range(4321)]
    assert catalogue.stage("one", "photos", (tools.unit(name) for name in reversed(names))) == 4321
    assert catalogue.publish("one", "photos").units_added == 4321
    assert [each.name for each in catalogue.find_units("photos")] == names
    assert [each.unit for each in catalogue.find_files("photos")] == names
    assert sorted(each.name for each in catalogue.units_of("one")) == names
    assert catalogue.remove("one").files_removed == 4321
    assert list(catalogue.find_files("photos")) == []


@pytest.mark.parametrize(
    "name", ["a b", "it's", 'a"b', "line\nend", "😀", "名", "%41", ":run", "%s"]
)
def test_any_text_comes_back(catalogue, name, tools):
    """Quotes, newlines and what looks like a placeholder are values like any other."""
    catalogue.stage(
        "one", name, [tools.unit(name, tools.file(name=name, key=name), **{name: name})]
    )
    catalogue.publish("one", name)
    (found,) = catalogue.find_files(name)
    assert (found.unit, found.file.name) == (name, name)
    (row,) = catalogue.find_units(name)
    assert row.metadata == {name: name}


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"bytes"])
def test_metadata_that_is_no_json_is_refused(catalogue, value, tools):
    """The unit is named, and nothing of its batch is staged."""
    with pytest.raises(CatalogueError, match="'b' cannot be stored as JSON"):
        catalogue.stage("one", "photos", [tools.unit("a"), tools.unit("b", size=value)])
    assert catalogue.remove("one") == Removed()


def test_half_characters_in_metadata_come_back(catalogue, tools):
    """Half of a surrogate pair is no text for a database; as an escape it is."""
    catalogue.stage("one", "photos", [tools.unit("a", title="a\udcffb")])
    catalogue.publish("one", "photos")
    (found,) = catalogue.find_units("photos")
    assert found.metadata == {"title": "a\udcffb"}


def test_publish_that_fails_changes_nothing(catalogue, url, monkeypatch, tools):
    """It happens whole or not at all, and what was staged is published by the next try."""
    catalogue.stage("one", "photos", [tools.unit("a"), tools.unit("b")])
    database = catalogue._database
    real = database.change

    def failing(statement, **values):
        if "INSERT INTO handrail_data_file" in statement:
            raise CatalogueError("gone")
        return real(statement, **values)

    monkeypatch.setattr(database, "change", failing)
    with pytest.raises(CatalogueError, match="gone"):
        catalogue.publish("one", "photos")
    monkeypatch.undo()
    with open_catalogue(url) as others:
        assert list(others.find_units("photos")) == []
    assert catalogue.publish("one", "photos").units_added == 2


def test_other_tools_read_it_with_sql(catalogue, url, tools):
    """The tables and columns that are promised, joined as promised."""
    catalogue.stage("one", "photos", [tools.unit("a", tools.file("image", "abc"), size=3)])
    catalogue.publish("one", "photos")
    with tools.connected(url) as database:
        rows = database.execute(
            "SELECT c.name, u.name, u.metadata, f.role, f.location, f.size, f.sha256, f.run"
            " FROM handrail_collection c JOIN handrail_data_unit u ON u.collection = c.id"
            " JOIN handrail_data_file f ON f.unit = u.id"
        ).fetchall()
    assert rows == [("photos", "a", '{"size": 3}', "image", "/t/image", 3, "abc", "one")]
