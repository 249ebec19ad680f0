"""A disk that is full: the run says which one and undoes all, without needing space for that."""

from __future__ import annotations

import os

import pytest

on_local = pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)


def fill_up(folder, leave):
    """Fill the disk of a folder, but for so many bytes."""
    stand = os.statvfs(folder)
    free = stand.f_bavail * stand.f_frsize - leave
    (folder / "others.bin").write_bytes(b"x" * free)


@on_local
@pytest.mark.parametrize(
    "files",
    [
        {f"{number:02}.bin": 200_000 for number in range(40)},
        {"small.txt": 10, "z/large.bin": 9 << 20},
        {"small.txt": 10, "z/large.bin": 5 << 20},
    ],
    ids=["small files", "a large file", "a little too large"],
)
@pytest.mark.parametrize("bandwidth", [None, "1GB"], ids=["kernel", "by hand"])
def test_full_target(scene, small_disk, files, bandwidth):
    """The file that does not fit is named, and all are undone."""
    scene.place.path = small_disk(4)
    scene.place.put("others/kept.txt", b"somebody else's")
    scene.fill(files)
    before = scene.world()
    options = () if bandwidth is None else ("--bandwidth", bandwidth)
    done = scene.upload_command(*options)
    assert done.code == 1, done.err
    assert done.error.count("No space left on device") == 1
    assert "free some space" in done.error
    named = [name for name in files if f"cause   {name}: " in done.error]
    assert len(named) == 1
    assert named != ["small.txt"]
    assert scene.world() == before


@on_local
def test_full_target_of_overwriting(scene, small_disk):
    """What was replaced before the disk was full is back."""
    scene.place.path = small_disk(4)
    scene.fill({f"{number:02}.bin": 150_000 for number in range(40)})
    for number in range(20):
        scene.place.put(f"{number:02}.bin", b"old %d" % number)
    before = scene.world()
    done = scene.upload(if_exists="overwrite")
    assert done.code == 1, done.error.rollback_errors
    assert "No space left on device" in done.message
    assert scene.world() == before


@on_local
@pytest.mark.parametrize("leave", [0, 30_000, 90_000, 200_000, 300_000, 400_000])
@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
def test_full_disk_of_the_catalogue(scene, small_disk, leave, existing):
    """Wherever in the run its disk is full, the catalogue is as before, and the target too."""
    scene.catalogue.path = small_disk(1) / "catalogue.db"
    if existing:
        scene.fill({"first.txt": b"first"})
        assert scene.upload().code == 0
    scene.fill({f"{number:0150}": b"1" for number in range(500)})
    fill_up(scene.catalogue.path.parent, leave)
    before = scene.world()
    done = scene.upload()
    assert done.code == 1, (done.message, getattr(done.error, "rollback_errors", None))
    assert f"{scene.catalogue.url}: database or disk is full" in done.message
    assert scene.world() == before


@on_local
@pytest.mark.parametrize("leave", [0, 30_000, 70_000, 100_000, 150_000, 200_000, 250_000, 300_000])
def test_full_disk_of_the_list_of_files(scene, small_disk, leave):
    """Wherever in the run the disk of the state folder is full, that is said, and all is undone."""
    folder = small_disk(2) / "state"
    folder.mkdir()
    scene.fill({f"{number:0150}": b"1" for number in range(300)})
    fill_up(folder.parent, leave)
    before = {**scene.world(), "state": os.listdir(folder)}
    done = scene.upload(folder=folder)
    assert done.code == 1, (done.message, getattr(done.error, "rollback_errors", None))
    assert "full" in done.message or "no space left" in done.message
    assert str(folder) in done.message
    assert "\n" not in done.message
    assert {**scene.world(), "state": os.listdir(folder)} == before
