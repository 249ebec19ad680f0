"""Files that are gone leave the public tables, and come back with the undo of the run."""

from __future__ import annotations

import random
import threading

from handrail_upload.catalogue import Published, Removed, open_catalogue

TABLES = ("handrail_collection", "handrail_data_unit", "handrail_data_file")


def rows_of(url, tools):
    """Return all rows of the public tables, with their ids and times."""
    with tools.connected(url) as others:
        return {
            table: others.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
            for table in TABLES
        }


def at(name, role="file", content="1"):
    """Return the values of a file that has a location of its own."""
    return {"role": role, "content": content, "location": f"/t/{name}/{role}"}


def publish_some(catalogue, tools):
    """Publish unit a with a mask, unit b, and one of another collection where b is."""
    files = tools.file(**at("a", "image")), tools.file(**at("a", "mask"))
    b = tools.unit("b", tools.file(**at("b")), note=1)
    tools.publish(catalogue, "one", tools.unit("a", *files, note=1), b)
    tools.publish(catalogue, "other", b, collection="others")


def test_they_leave_with_units_that_have_no_other(catalogue, url, tools):
    """Other tools see nothing of them; nor does another collection lose a row."""
    publish_some(catalogue, tools)
    gone = ["/t/a/mask", "/t/b/file", "/t/elsewhere"]
    counts = tools.publish(catalogue, "two", removed=gone)
    assert counts == Published(units_removed=1, files_removed=2)
    assert catalogue.published("two") == counts
    assert [[file.role for file in unit.files] for unit in catalogue.units("photos")] == [["image"]]
    assert [unit.run for unit in catalogue.units("photos")] == ["one"]
    assert [unit.name for unit in catalogue.units("others")] == ["b"]
    assert [len(rows) for rows in rows_of(url, tools).values()] == [2, 2, 2]
    assert tools.publish(catalogue, "three", removed=gone) == Published()


def test_undo_brings_them_back_exactly(catalogue, url, tools):
    """With their ids and times, and what they were before that."""
    publish_some(catalogue, tools)
    changed = tools.unit("b", tools.file(**at("b", content="2")), note=2)
    tools.publish(catalogue, "two", changed)
    before = rows_of(url, tools)
    tools.publish(catalogue, "three", removed=["/t/a/image", "/t/a/mask", "/t/b/file"])
    assert list(catalogue.units("photos")) == []
    assert catalogue.remove("three") == Removed(units_restored=2, files_restored=3)
    assert rows_of(url, tools) == before
    assert catalogue.remove("three") == Removed()
    assert catalogue.remove("two") == Removed(units_restored=1, files_restored=1)
    assert [unit.metadata for unit in catalogue.units("photos")] == [{"note": 1}] * 2


def test_one_that_is_registered_anew_keeps_the_newer_values(catalogue, tools):
    """It is new for its run; and without that run it is gone again."""
    publish_some(catalogue, tools)
    tools.publish(catalogue, "two", removed=["/t/b/file"])
    newer = tools.unit("b", tools.file(**at("b", content="3")), note=3)
    counts = tools.publish(catalogue, "three", newer)
    assert counts == catalogue.published("three") == Published(units_added=1, files_added=1)
    assert catalogue.remove("two") == Removed()
    assert [unit.run for unit in catalogue.units("photos")] == ["one", "three"]
    assert catalogue.remove("three") == Removed(units_restored=1, files_restored=1)
    assert [unit.run for unit in catalogue.units("photos")] == ["one", "one"]


def test_newer_values_go_and_leave_it_removed(catalogue, tools):
    """The other order: what had been removed before stays so."""
    publish_some(catalogue, tools)
    tools.publish(catalogue, "two", removed=["/t/b/file"])
    tools.publish(catalogue, "three", tools.unit("b", tools.file(**at("b", content="3"))))
    assert catalogue.remove("three") == Removed(units_removed=1, files_removed=1)
    assert [unit.name for unit in catalogue.units("photos")] == ["a"]
    assert catalogue.remove("one") == Removed(units_removed=1, files_removed=2)
    assert catalogue.remove("two") == Removed()
    assert list(catalogue.units("photos")) == []


def test_nothing_is_left_when_all_are_undone(catalogue, tools):
    """Removed rows keep the tables only as long as their run may bring them back."""
    publish_some(catalogue, tools)
    tools.publish(catalogue, "two", removed=["/t/b/file", "/t/a/mask", "/t/a/image"])
    for run in ("one", "other"):
        catalogue.remove(run)
        assert not catalogue.is_empty()
    catalogue.remove("two")
    assert catalogue.is_empty()


def test_many_at_once_leave_what_was_there(url, tools):
    """Some remove what others register, all in one collection; then all of them are undone."""
    with open_catalogue(url) as catalogue:
        catalogue.prepare("first")
        publish_some(catalogue, tools)
    before = rows_of(url, tools)
    start, failed = threading.Barrier(5), []

    def work(number):
        draw = random.Random(number)
        runs = [f"run-{number}-{each}" for each in range(4)]
        with open_catalogue(url, timeout=30) as catalogue:
            start.wait()
            try:
                for run in runs:
                    units = [
                        tools.unit(name, tools.file(**at(name, content=run)), note=run)
                        for name in draw.sample("abcd", 2)
                    ]
                    gone = [f"/t/{name}/file" for name in "abcd"]
                    kept = {file.location for unit in units for file in unit.files}
                    tools.publish(catalogue, run, *units, removed=sorted({*gone} - kept))
                for run in draw.sample(runs, len(runs)):
                    catalogue.remove(run)
            except Exception as error:  # noqa: BLE001 - it is shown by the test
                failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert rows_of(url, tools) == before
