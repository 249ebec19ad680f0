"""What differs from the catalogue is published all at once; where nothing does, nothing happens."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from handrail.frozen import replace
from handrail_upload.catalogue import Published, Removed, open_catalogue
from handrail_upload.errors import CatalogueError, UploadError

on_sqlite = pytest.mark.parametrize("new_url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("new_url", ["postgres"], indirect=True)


def test_published_rows_are_seen(catalogue, tools):
    """All of them, with the run that has published them."""
    counts = tools.publish(catalogue, "one", tools.unit("a", size=1), tools.unit("b"))
    assert counts == Published(units_added=2, files_added=2)
    assert [(each.name, each.metadata) for each in catalogue.units("photos")] == [
        ("a", {"size": 1}),
        ("b", {}),
    ]
    assert [len(each.files) for each in catalogue.units("photos")] == [1, 1]
    assert catalogue.published("one") == counts


def test_publishing_again_adds_nothing(catalogue, tools):
    """What is there with the same values stays as it is, and is not of the later run."""
    units = tools.unit("a", key="value"), tools.unit("b")
    assert tools.publish(catalogue, "one", *units) == Published(units_added=2, files_added=2)
    for run in ("two", "one"):
        assert tools.publish(catalogue, run, *units) == Published()
    assert catalogue.published("two") is None
    assert {each.run for each in catalogue.units("photos")} == {"one"}
    assert catalogue.remove("two") == Removed()


@on_sqlite
def test_file_stays_as_it_is_where_nothing_differs(catalogue, url, tools):
    """Byte for byte, and its times too; a backup has nothing to copy."""
    units = [tools.unit("a", tools.file("x"), tools.file("y"), note=1), tools.unit("b")]
    tools.publish(catalogue, "one", *units)
    path = Path(url)
    before, found = path.read_bytes(), path.stat()
    assert tools.publish(catalogue, "two", *units) == Published()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, found.st_mtime_ns)
    assert [each.name for each in path.parent.glob(f"{path.name}*")] == [path.name]


@on_postgres
def test_no_row_is_written_where_nothing_differs(catalogue, url, tools):
    """Nor locked, which would write it too: no transaction number is taken."""
    units = [tools.unit("a", tools.file("x"), tools.file("y"), note=1), tools.unit("b")]
    tools.publish(catalogue, "one", *units)
    watch = "SELECT array_agg((xmin::text, xmax::text, ctid::text)::text ORDER BY id) FROM {table}"
    tables = ("handrail_collection", "handrail_data_unit", "handrail_data_file")

    def rows():
        with tools.connected(url) as others:
            return [others.execute(watch.format(table=table)).fetchall() for table in tables]

    before = rows()
    assert tools.publish(catalogue, "two", *units) == Published()
    assert rows() == before


@on_sqlite
def test_one_statement_compares_any_number(catalogue, tools):
    """No statement for each unit, and no change of a row where nothing differs."""
    said = []
    catalogue._database._connected().set_trace_callback(said.append)
    counts = {}
    for number in (1, 300):
        units = [tools.unit(f"{each:03}") for each in range(number)]
        for run in ("one", "two"):
            said.clear()
            tools.publish(catalogue, run, *units)
            # Checks of foreign keys are told as comments.
            counts[number, run] = len([each for each in said if not each.startswith("--")])
    assert counts[1, "one"] >= counts[300, "one"]
    assert counts[1, "two"] == counts[300, "two"] < 25


@on_sqlite
def test_a_few_units_cost_the_same_in_a_large_collection(catalogue, tools):
    """They are looked up by name; the rest of the collection is not read."""
    tools.publish(catalogue, "one", *(tools.unit(f"{number:05}") for number in range(50)))
    connection = catalogue._database._connected()
    steps = []
    cost = []
    for fill in (0, 5000):
        tools.publish(catalogue, "two", *(tools.unit(f"{n:05}") for n in range(50, 50 + fill)))
        listing = tools.listing(tools.unit("00007"), tools.unit("00033", note="changed"))
        steps.clear()
        connection.set_progress_handler(lambda: steps.append(1), 10)
        catalogue.publish("three", "photos", listing)
        connection.set_progress_handler(None, 0)
        catalogue.remove("three")
        cost.append(len(steps))
    assert cost[1] < cost[0] * 1.2


@on_postgres
def test_a_few_units_are_looked_up_in_a_large_collection(catalogue, url, tools):
    """The server reads a few rows of it, not all, whatever it knows of its tables."""
    tools.publish(catalogue, "one", *(tools.unit(f"{number:05}") for number in range(5000)))
    read = (
        "SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class"  # Of tables and indexes.
        " WHERE starts_with(relname, 'handrail')"
    )
    listing = tools.listing(tools.unit("00007"), tools.unit("00033", note="changed"))
    database = catalogue._database
    counted = []
    change = database.change

    def counting(statement, **values):
        done = change(statement, **values)
        counted.append(database.rows(read)[0][0])
        return done

    database.change = counting
    assert catalogue.publish("two", "photos", listing) == Published(units_changed=1)
    assert 0 < counted[-1] - counted[0] < 50


def test_publishing_nothing_makes_no_collection(catalogue, url, tools):
    """Nor does it fail."""
    assert tools.publish(catalogue, "one") == Published()
    with tools.connected(url) as others:
        assert others.execute("SELECT count(*) FROM handrail_collection").fetchone() == (0,)


def test_files_in_other_roles_stay(catalogue, tools):
    """A run that brings one role of a unit leaves the others to who brought them."""
    tools.publish(catalogue, "one", tools.unit("a", tools.file("image"), tools.file("mask")))
    counts = tools.publish(catalogue, "two", tools.unit("a", tools.file("mask", "2")))
    assert counts == Published(units_changed=1, files_changed=1)
    (unit,) = catalogue.units("photos")
    assert [(each.role, each.run) for each in unit.files] == [("image", "one"), ("mask", "two")]
    assert catalogue.remove("two") == Removed(units_restored=1, files_restored=1)
    (unit,) = catalogue.units("photos")
    assert {each.run for each in unit.files} == {"one"}


@pytest.mark.parametrize("what", ["name", "location", "key", "size", "sha256"])
def test_each_value_of_a_file_counts(catalogue, tools, what):
    """And the unit of a changed file is changed; an ETag alone is no difference."""
    tools.publish(catalogue, "one", tools.unit("a"), tools.unit("b"))
    other = tools.file(**{what: 7 if what == "size" else "other"}, etag='"e"')
    changed = tools.publish(catalogue, "two", tools.unit("a", other), tools.unit("b"))
    assert changed == Published(units_changed=1, files_changed=1)
    assert next(catalogue.units("photos")).files == (replace(other, run="two"),)
    etag = tools.file(etag='"e"')
    assert tools.publish(catalogue, "three", tools.unit("b", etag)) == Published()


def test_many_units_come_back_page_by_page(catalogue, tools):
    """More than several pages, each once, and in the order of their names."""
    names = [f"{number:05d}" for number in range(4321)]
    counts = tools.publish(catalogue, "one", *(tools.unit(name) for name in reversed(names)))
    assert counts.units_added == 4321
    assert [each.name for each in catalogue.units("photos")] == names
    assert [len(each.files) for each in catalogue.units("photos")] == [1] * len(names)
    assert catalogue.remove("one").files_removed == 4321
    assert list(catalogue.units("photos")) == []


@pytest.mark.parametrize(
    "name", ["a b", "it's", 'a"b', "line\nend", "tab\t\\N", "😀", "名", "%41", ":run", "%s"]
)
def test_any_text_comes_back(catalogue, name, tools):
    """Quotes, newlines and what looks like a placeholder are values like any other."""
    unit = tools.unit(name, tools.file(name=name, key=name), **{name: name})
    tools.publish(catalogue, "one", unit, collection=name)
    (found,) = catalogue.units(name)
    assert (found.name, found.files[0].name) == (name, name)
    assert found.metadata == {name: name}


def test_half_characters_in_metadata_come_back(catalogue, tools):
    """Half of a surrogate pair is no text for a database; as an escape it is."""
    tools.publish(catalogue, "one", tools.unit("a", title="a\udcffb"))
    (found,) = catalogue.units("photos")
    assert found.metadata == {"title": "a\udcffb"}


def test_publish_that_fails_changes_nothing(catalogue, url, monkeypatch, tools):
    """It happens whole or not at all, and the next try publishes everything."""
    database = catalogue._database
    real = database.change

    def failing(statement, **values):
        if "INSERT INTO handrail_data_file" in statement:
            raise CatalogueError("gone")
        return real(statement, **values)

    units = tools.unit("a"), tools.unit("b")
    monkeypatch.setattr(database, "change", failing)
    with pytest.raises(CatalogueError, match="gone"):
        tools.publish(catalogue, "one", *units)
    monkeypatch.undo()
    with open_catalogue(url) as others:
        assert list(others.units("photos")) == []
    assert tools.publish(catalogue, "one", *units).units_added == 2


def test_listing_that_cannot_be_read_is_named(catalogue, tools):
    """It is not taken for the catalogue, which is usable as before."""
    listing = tools.listing(tools.unit("a"))
    listing.path.write_bytes(b"no database at all, but long enough to be looked at " * 20)
    with pytest.raises(UploadError, match=f"the list of files {listing.path} cannot be used"):
        catalogue.publish("one", "photos", listing)
    listing.path.unlink()
    with pytest.raises(UploadError, match=f"the list of files {listing.path} cannot be used"):
        catalogue.publish("one", "photos", listing)
    assert tools.publish(catalogue, "one", tools.unit("a")).units_added == 1


def test_listing_is_not_written(catalogue, tools):
    """Also while somebody else has it open, with a write-ahead log."""
    listing = tools.listing(tools.unit("a"))
    with sqlite3.connect(listing.path, isolation_level=None) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("UPDATE unit SET metadata = '{\"in the log\": 1}'")
        before = listing.path.read_bytes()
        catalogue.publish("one", "photos", listing)
        assert listing.path.read_bytes() == before
    other.close()
    (found,) = catalogue.units("photos")
    assert found.metadata == {"in the log": 1}


def test_other_tools_read_it_with_sql(catalogue, url, tools):
    """The tables and columns that are promised, joined as promised."""
    tools.publish(catalogue, "one", tools.unit("a", tools.file("image", "abc"), size=3))
    with tools.connected(url) as database:
        rows = database.execute(
            "SELECT c.name, u.name, u.metadata, f.role, f.location, f.size, f.sha256, f.run"
            " FROM handrail_collection c JOIN handrail_data_unit u ON u.collection = c.id"
            " JOIN handrail_data_file f ON f.unit = u.id"
        ).fetchall()
    assert rows == [("photos", "a", '{"size": 3}', "image", "/t/image", 3, "abc", "one")]
