"""Files that change, vanish or cannot be sent while an upload goes on without them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from handrail_storage.backend import FOLDER
from handrail_upload import reading

SMALL, LARGE = 5_000, 11 << 20  # The large one goes in parts, or through the kernel.
PART = {"part_size": 5 << 20, "transfers": 1}
NAMES = {"a.txt", "m.bin", "z.txt"}

sizes = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
# radosgw with its SQLite backend may mix up the parts of an object.
twice = pytest.mark.parametrize("scene", ["local-sqlite", "moto-postgres"], indirect=True)


def grow(path):
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path):
    os.truncate(path, path.stat().st_size - 1000)


def rewrite(path):
    with path.open("r+b") as file:
        file.write(b"other")


def vanish(path):
    path.unlink()


CHANGES = {
    grow: "it grew",
    shrink: "it shrank",
    rewrite: "it was written to",
    vanish: "it vanished during the upload",
}
changes = pytest.mark.parametrize("change", CHANGES)


def stored(scene):
    """Return the names at the target, but those of others."""
    keys = {
        key.removeprefix("data/") for key, what in scene.place.stamps().items() if what != "folder"
    }
    return keys - {"others/kept.txt"}


def is_whole(scene, key, content):
    """What is there, the list of files and the catalogue agree on it."""
    digest = hashlib.sha256(content).hexdigest()
    assert scene.place.content(key) == content
    assert {(len(content), digest)} <= {
        (size, sha256)
        for row in scene.catalogue.rows()["handrail_data_file"]
        for size in row
        for sha256 in row
        if key in row
    }


def check_left_out(scene, done, how, key="m.bin"):
    """The run went on without one file, and says so; nothing of it is anywhere."""
    assert done.code == 0, done.message
    assert [each[1:] for each in done.logged if each[0] == "left_out"] == [({"summary": how}, key)]
    assert (done.result["left_out_files"], done.result["completed_with"]) == (1, "1 left out")
    assert "1 left out" in done.result["summary"]
    assert scene.place.unfinished() == []
    assert not [name for name in scene.place.objects() if f"{FOLDER}/aside" in name]
    assert all(key not in row for row in scene.catalogue.rows()["handrail_data_file"])


@sizes
@changes
def test_skipped_before_it_is_read(scene, tools, size, change):
    scene.fill({"a.txt": 10, "sub/m.bin": size, "z.txt": 10})
    path = scene.source / "sub/m.bin"
    done = scene.upload(tools.once_found(lambda: change(path)), on_changed="skip", **PART)
    check_left_out(scene, done, CHANGES[change], "sub/m.bin")
    assert stored(scene) == {"a.txt", "z.txt"}
    assert not [name for name in scene.place.objects() if name.endswith("sub")]


@sizes
@pytest.mark.parametrize("change", [grow, shrink, rewrite])
def test_skipped_while_it_is_read(scene, tools, size, change):
    scene.fill({"a.txt": 10, "m.bin": size, "z.txt": 10})
    changed = []

    def once(key, _read):
        if key == "m.bin" and not changed:
            changed.append(key)
            change(scene.source / key)

    done = scene.upload(tools.storing(on_read=once), on_changed="skip", **PART)
    assert changed
    check_left_out(scene, done, CHANGES[change])
    assert stored(scene) == {"a.txt", "z.txt"}


@changes
def test_an_older_object_stays_as_it_is(scene, tools, change):
    """That of a file that is left out is neither replaced nor relied on."""
    scene.fill({"a.txt": 10, "m.bin": SMALL, "z.txt": 10})
    scene.place.put("m.bin", b"older")
    before = scene.place.stamps()
    path = scene.source / "m.bin"
    done = scene.upload(
        tools.storing(before=lambda key, _: key == "m.bin" and change(path)),
        on_changed="skip",
        if_exists="overwrite",
        **PART,
    )
    check_left_out(scene, done, CHANGES[change])
    assert scene.place.content("m.bin") == b"older"
    [stamp] = [name for name in before if name.endswith("m.bin")]
    assert scene.place.stamps()[stamp] == before[stamp]


@changes
def test_changed_while_it_is_compared(scene, tools, change):
    """Where an object of its size is there, so that it is read to be compared."""
    scene.fill({"a.txt": 10, "m.bin": SMALL, "z.txt": 10})
    scene.place.put("m.bin", bytes(SMALL))
    path = scene.source / "m.bin"
    done = scene.upload(
        tools.once_found(lambda: change(path)), on_changed="skip", if_exists="overwrite"
    )
    # What has another size now need not be read, and is noticed when it is sent.
    check_left_out(scene, done, CHANGES[change])
    assert scene.place.content("m.bin") == bytes(SMALL)


@twice
@sizes
@pytest.mark.parametrize("change", [grow, shrink, rewrite])
def test_taken_as_it_is(scene, tools, size, change):
    """What is sent is what is there at the next look."""
    scene.fill({"a.txt": 10, "m.bin": size, "z.txt": 10})
    path = scene.source / "m.bin"
    done = scene.upload(tools.once_found(lambda: change(path)), on_changed="take", **PART)
    assert done.code == 0, done.message
    assert done.result["left_out_files"] == 0
    assert "completed_with" not in done.result
    is_whole(scene, "m.bin", path.read_bytes())
    # The next upload sends nothing.
    again = scene.upload(**PART)
    assert (again.result["uploaded_files"], again.result["unchanged_files"]) == (0, 3)


@twice
@sizes
def test_a_log_is_taken_up_to_a_size(scene, tools, size):
    """A file that grows each time it is read arrives as it was at one look."""
    scene.fill({"a.txt": 10, "m.bin": size, "z.txt": 10})
    path = scene.source / "m.bin"

    def append(key, _read):
        if key == "m.bin":
            grow(path)

    done = scene.upload(tools.storing(on_read=append), on_changed="take", **PART)
    assert done.code == 0, done.message
    content = scene.place.content("m.bin")
    assert len(content) >= size
    assert path.read_bytes().startswith(content)
    is_whole(scene, "m.bin", content)
    assert scene.place.unfinished() == []


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
@pytest.mark.parametrize("bandwidth", [None, "50MB"])
def test_a_log_that_another_process_writes(scene, tools, bandwidth):
    scene.fill({"a.txt": 10, "m.bin": LARGE})
    path = scene.source / "m.bin"
    writes = f"file = open({str(path)!r}, 'ab', 0)\nwhile True: file.write(bytes(100))"
    with subprocess.Popen([sys.executable, "-c", writes]) as process:
        try:
            tools.wait_until(lambda: path.stat().st_size > LARGE)
            done = scene.upload(on_changed="take", bandwidth=bandwidth)
        finally:
            process.kill()
    assert done.code == 0, done.message
    content = scene.place.content("m.bin")
    assert path.read_bytes().startswith(content)
    is_whole(scene, "m.bin", content)


def test_what_vanished_cannot_be_taken(scene, tools):
    scene.fill({"a.txt": 10, "m.bin": SMALL, "z.txt": 10})
    path = scene.source / "m.bin"
    done = scene.upload(tools.once_found(path.unlink), on_changed="take", **PART)
    check_left_out(scene, done, "it vanished during the upload")


def test_what_is_no_file_any_more_is_left_out(scene, tools):
    scene.fill({"a.txt": 10, "m.bin": SMALL, "z.txt": 10})
    path = scene.source / "m.bin"

    def become_a_folder():
        path.unlink()
        path.mkdir()

    for option in ("skip", "take"):
        done = scene.upload(tools.once_found(become_a_folder), on_changed=option, **PART)
        assert (done.code, done.result["left_out_files"]) == (0, 1)
        path.rmdir()
        scene.write("m.bin", SMALL)


def test_many_are_counted(scene, tools):
    """No more than 20 are listed."""
    scene.fill(30)

    def vanish():
        for number in range(25):
            (scene.source / f"{number:04}.txt").unlink()

    done = scene.upload(tools.once_found(vanish), on_changed="skip")
    assert done.result["left_out_files"] == 25
    logged = [data["summary"] for event, data, _ in done.logged if event == "left_out"]
    assert (len(logged), logged[-1]) == (21, "and 5 more")


def test_what_is_left_out_does_not_count_as_sent(scene, tools):
    scene.fill({"a.txt": 10, "m.bin": LARGE, "z.txt": 10})
    path = scene.source / "m.bin"
    done = scene.upload(tools.once_found(path.unlink), on_changed="skip", **PART)
    assert (done.result["uploaded_files"], done.result["bytes"]) == (2, 20)


# Files that cannot be sent


def unreadable(scene, monkeypatch, *names):
    """Let the system refuse to read files; root may read all."""
    usual = os.open

    def refuse(path, *arguments, **more):
        if os.path.basename(os.fsdecode(path)) in names:
            raise PermissionError(13, "Permission denied")
        return usual(path, *arguments, **more)

    monkeypatch.setattr(reading.os, "open", refuse)


@pytest.mark.parametrize("most", [2, "2", "40%"])
def test_as_many_may_fail(scene, monkeypatch, most):
    scene.fill(5)
    unreadable(scene, monkeypatch, "0001.txt", "0003.txt")
    done = scene.upload(max_failed_files=most, transfers=1)
    assert done.code == 0, done.message
    assert done.result["left_out_files"] == 2
    assert stored(scene) == {"0000.txt", "0002.txt", "0004.txt"}


@pytest.mark.parametrize("most", [1, "39%"])
def test_one_more_fails_the_run(scene, monkeypatch, most):
    scene.fill(5)
    before = scene.world()
    unreadable(scene, monkeypatch, "0001.txt", "0003.txt")
    done = scene.upload(max_failed_files=most, on_changed="skip", transfers=1)
    assert done.code == 1
    assert done.message.startswith("2 files cannot be sent, and up to 1 may be left out; the first")
    assert "0001.txt" in done.message
    assert scene.world() == before


def test_none_may_fail_unless_asked_for(scene, monkeypatch):
    scene.fill(2)
    unreadable(scene, monkeypatch, "0001.txt")
    done = scene.upload()
    assert done.code == 1
    assert any("--max-failed-files" in way for way in done.error.__cause__.ways_out)


def test_those_that_change_do_not_count_as_failed(scene, tools):
    scene.fill(5)
    done = scene.upload(
        tools.once_found(lambda: [(scene.source / f"{n:04}.txt").unlink() for n in range(3)]),
        on_changed="skip",
        max_failed_files=1,
    )
    assert (done.code, done.result["left_out_files"]) == (0, 3)


@pytest.mark.parametrize("scene", ["radosgw-sqlite"], indirect=True)
def test_a_key_that_the_storage_refuses(scene):
    scene.fill(5)
    scene.place.refuse("0002.txt")
    done = scene.upload(max_failed_files=1)
    assert done.code == 0, done.message
    assert (done.result["left_out_files"], done.result["uploaded_files"]) == (1, 4)
    before = scene.place.stamps()
    scene.place.refuse("000*")
    scene.fill({f"new-000{number}": 10 for number in range(5)})
    scene.place.refuse("new-*")
    assert scene.upload(max_failed_files=1).code == 1
    assert scene.place.stamps() == before


@pytest.mark.parametrize("scene", ["local-sqlite", "moto-sqlite"], indirect=True)
def test_a_name_that_is_too_long_for_the_target(scene):
    """It is told before anything is sent, and nothing is left."""
    deep = "/".join(["d" * 120] * 9)  # Control characters take three bytes in a key.
    scene.fill({"a.txt": 10, f"{deep}/\x01\x02.txt" if not_local(scene) else "\x01" * 90: 10})
    before = scene.world()
    done = scene.upload()
    assert done.code == 1
    assert "its name is too long for the target" in done.message
    assert scene.world() == before
    done = scene.upload(max_failed_files=1)
    assert (done.code, done.result["left_out_files"]) == (0, 1)
    [published] = scene.catalogue.rows()["handrail_published"]
    assert published[-1] == 1
    assert stored(scene) == {"a.txt"}


def not_local(scene):
    return scene.place.url.startswith("s3:")
