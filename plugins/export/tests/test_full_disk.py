"""A disk that is full: the run says so in one line and takes all back, whatever was written."""

from __future__ import annotations

import os

import pytest

from handrail_testing import folder


def fill_up(place, leave):
    """Fill the disk of a folder, but for so many bytes."""
    stand = os.statvfs(place)
    (place / "others.bin").write_bytes(b"x" * (stand.f_bavail * stand.f_frsize - leave))


@pytest.mark.parametrize("leave", [0, 30_000, 200_000])
@pytest.mark.parametrize("target", ["out.parquet", "out.csv", "out.jsonl", "out/"])
def test_full_target(table, export, small_disk, target, leave):
    """Wherever the disk of the target is full, that is told with what to do, and nothing stays."""
    disk = small_disk(1)
    fill_up(disk, leave)
    query = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 20000)"
    query += " SELECT id, hex(randomblob(20)) AS text FROM n"
    before = folder(disk)()
    options = {"partition_by": ["odd"]} if target == "out/" else {}
    if options:
        query = query.replace("hex(", "id % 2 AS odd, hex(")
    done = export(table(1), f"{disk}/{target}", query=query, fails=True, **options)
    assert "No space left on device" in done.message
    assert "exception_message" not in done.message  # As the engine passes it on between threads.
    assert "free some space" in done.ways_out
    assert "\n" not in done.message
    assert folder(disk)() == before


@pytest.mark.parametrize("leave", [0, 12_000, 60_000, 400_000])
def test_full_state_folder(table, export, small_disk, here, world, leave):
    """The disk of the manifest may be full as well."""
    disk = small_disk(1)
    fill_up(disk, leave)
    name = table(3)
    before = {k: v for k, v in world().items() if "small-disk" not in k}
    state = folder(disk)()
    done = export(name, "out.csv", table="item", folder=disk / "state", fails=leave < 100_000)
    if leave < 100_000:
        assert str(disk) in done.message
        assert {k: v for k, v in world().items() if "small-disk" not in k} == before
        assert folder(disk)() == state


def test_full_target_of_pictures(catalogue, export, draw, small_disk):
    """The copies of pictures are taken back, too."""
    disk = small_disk(1)
    for number in range(60):
        content = draw.png() + os.urandom(30_000)
        catalogue.add(f"scene {number:02}", {"image_1": (f"{number}.png", content)})
    before = folder(disk)()
    done = export("shapes.db", f"{disk}/out", format="coco", fails=True)
    assert "No space left on device" in done.message
    assert folder(disk)() == before


def test_a_sheet_for_which_there_is_no_room(export, small_disk, here):
    """A workbook is copied to the disk of the target, where that is a folder."""
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for number in range(3000):
        sheet.append([f"{number} {os.urandom(100).hex()}"])
    book.save(here / "book.xlsx")
    disk = small_disk(1)
    fill_up(disk, 100_000)
    before = folder(disk)()
    done = export("book.xlsx", f"{disk}/out.csv", fails=True)
    assert "No space left on device" in done.message
    assert "free some space" in done.ways_out
    assert folder(disk)() == before
