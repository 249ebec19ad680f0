"""Things of others under keys of ours: they stay as they are, byte for byte."""

from __future__ import annotations

import pytest


def test_there_before(scene):
    """Each conflict is listed, and nothing is written."""
    scene.fill(20)
    for number in (3, 11, 12):
        scene.place.put(f"{number:04}.txt", b"somebody else's")
    before = scene.world()
    done = scene.upload_command()
    assert done.code == 1
    for number in (3, 11, 12):
        assert f"{number:04}.txt" in done.err
    assert "cause   3 files cannot be stored at" in done.error
    assert "--if-exists skip" in done.error
    assert scene.world() == before


def test_equal_one_there_before_stays_when_undone(scene, tools):
    """An object with our content that is not ours is used, and survives our undo."""
    scene.fill(6)
    scene.place.put("0002.txt", (scene.source / "0002.txt").read_bytes())
    before = scene.world()
    done = scene.upload(tools.failing_after("generate_data_units"))
    assert done.code == 1
    assert scene.world() == before


@pytest.mark.parametrize("size", [10, 11 << 20], ids=["small", "large"])
def test_appearing_between_look_and_put(scene, tools, size):
    """It is found out at the put: theirs stays, the rest of ours goes."""
    scene.fill({"a.txt": 10, "m.bin": size, "z.txt": 10})
    before = scene.world()

    def appear(key, _number):
        if key == "m.bin":
            scene.place.put("m.bin", b"somebody else's")

    done = scene.upload(tools.storing(before=appear), part_size=5 << 20)
    assert done.code == 1, done.message
    assert done.message.startswith("m.bin: somebody else wrote there during the upload")
    assert scene.place.content("m.bin") == b"somebody else's"
    scene.place.remove("m.bin")
    assert scene.world() == before


def test_appearing_while_a_large_file_is_sent(scene, tools):
    """It is looked for again before the last part."""
    scene.fill({"a.txt": 10, "m.bin": 11 << 20})
    before = scene.world()
    appeared = []

    def appear(key, read):
        if key == "m.bin" and read > 6 << 20 and not appeared:
            appeared.append(key)
            scene.place.put("m.bin", b"somebody else's")

    done = scene.upload(tools.storing(on_read=appear), part_size=5 << 20, transfers=1)
    assert appeared
    assert done.code == 1, done.message
    assert done.message.startswith("m.bin: somebody else wrote there during the upload")
    assert scene.place.content("m.bin") == b"somebody else's"
    scene.place.remove("m.bin")
    assert scene.world() == before


def test_equal_one_appearing_is_accepted(scene, tools):
    """Somebody who stores the same content at the same time is no conflict, and keeps it."""
    scene.fill(5)
    stamps = scene.place.stamps()

    def appear(key, _number):
        if key == "0002.txt":
            scene.place.put(key, (scene.source / key).read_bytes())

    done = scene.upload(tools.storing(before=appear))
    assert done.code == 0, done.message
    assert done.result["unchanged_files"] == 1
    for each in range(5):
        scene.place.remove(f"{each:04}.txt") if each != 2 else None
    theirs = scene.place.stamps()
    scene.place.remove("0002.txt")
    assert scene.place.stamps() == stamps != theirs


@pytest.mark.parametrize("when", ["upload_files", "generate_data_units"])
def test_replacing_ours_between_put_and_undo(scene, tools, when):
    """The undo leaves theirs alone, and takes the rest of ours."""
    scene.fill(8)
    before = scene.world()

    def replace():
        scene.place.put("0003.txt", b"somebody else's")
        # Even one that has the same content is theirs now.
        scene.place.put("0004.txt", (scene.source / "0004.txt").read_bytes())

    done = scene.upload(tools.failing_after(when, replace))
    assert done.code == 1
    assert scene.place.content("0003.txt") == b"somebody else's"
    assert scene.place.content("0004.txt") == (scene.source / "0004.txt").read_bytes()
    for key in ("0003.txt", "0004.txt"):
        scene.place.remove(key)
    assert scene.world() == before


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
def test_written_into_ours_between_put_and_undo(scene, tools):
    """Who opens our file and writes into it has made it theirs, on a disk too."""
    scene.fill(4)

    def write():
        with (scene.place.path / "0001.txt").open("ab") as file:
            file.write(b" and more")

    done = scene.upload(tools.failing_after("generate_data_units", write))
    assert done.code == 1
    assert scene.place.content("0001.txt").endswith(b" and more")
    assert {"0001.txt", "others", "others/kept.txt"} == set(scene.place.objects())


def test_deleting_ours_between_put_and_undo(scene, tools):
    """What is gone already is no trouble."""
    scene.fill(4)
    before = scene.world()
    done = scene.upload(tools.failing_after("upload_files", lambda: scene.place.remove("0002.txt")))
    assert done.code == 1
    assert scene.world() == before


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
def test_things_of_others_in_folders_of_ours(scene, tools):
    """A folder that we have made stays when somebody has put something there."""
    scene.fill({"a/b/c.txt": b"ours", "a/d/e.txt": b"ours"})

    def put():
        scene.place.put("a/b/theirs.txt", b"somebody else's")

    done = scene.upload(tools.failing_after("upload_files", put))
    assert done.code == 1
    assert set(scene.place.objects()) == {
        *("a", "a/b", "a/b/theirs.txt", "others", "others/kept.txt")
    }


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
@pytest.mark.parametrize("kind", ["folder", "link", "dangling link", "file above"])
def test_things_that_are_no_files_in_the_way(scene, kind):
    """A folder, a link or a file in the place of a folder is a conflict; a link is not followed."""
    scene.fill({"sub/a.txt": b"ours", "b.txt": b"ours"})
    place = scene.place.path / "sub"
    outside = scene.folder / "outside.txt"
    outside.write_bytes(b"somebody else's")
    if kind == "file above":
        place.write_bytes(b"somebody else's")
    else:
        place.mkdir()
        if kind == "folder":
            (place / "a.txt").mkdir()
        elif kind == "link":
            (place / "a.txt").symlink_to(outside)
        else:
            (place / "a.txt").symlink_to("nowhere")
    before = scene.world()
    done = scene.upload(if_exists="overwrite" if kind != "link" else "same")
    assert done.code == 1, done.error.rollback_errors
    assert "sub/a.txt" in done.message
    assert ("for its folder is no folder" in done.message) == (kind == "file above")
    assert scene.world() == before
