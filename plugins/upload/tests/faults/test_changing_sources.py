"""A source that changes while it is read: the file is named, and nothing of it stays."""

from __future__ import annotations

import os

import pytest

from handrail_upload import reading

SMALL, LARGE = 5_000, 11 << 20  # The large one goes in parts, or through the kernel.
PART = {"part_size": 5 << 20, "transfers": 1}


def grow(path):
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path):
    os.truncate(path, path.stat().st_size - 1000)


def empty(path):
    path.write_bytes(b"")


def rewrite(path):
    with path.open("r+b") as file:
        file.write(b"other")


def replace(path):
    beside = path.with_name("beside.tmp")
    beside.write_bytes(os.urandom(path.stat().st_size))
    beside.replace(path)


def vanish(path):
    path.unlink()


def become_a_folder(path):
    path.unlink()
    path.mkdir()


def become_a_pipe(path):
    path.unlink()
    os.mkfifo(path)


sizes = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])


def settled(scene, before):
    """The world is as before; the source itself is the test's to change."""
    now = scene.world()
    for world in (now, before):
        world["folder"] = {k: v for k, v in world["folder"].items() if not k.startswith("photos")}
    assert now == before


@sizes
@pytest.mark.parametrize(
    ("change", "how"),
    [
        (grow, "it grew"),
        (shrink, "it shrank"),
        (empty, "it shrank"),
        (rewrite, "it was written to"),
        (replace, "it was written to"),
        (vanish, "it vanished during the upload"),
        (become_a_folder, "m.bin"),
        (become_a_pipe, "m.bin"),
    ],
)
def test_changed_before_it_is_read(scene, tools, size, change, how):
    """Between being found and being read."""
    scene.fill({"a.txt": 10, "m.bin": size, "z.txt": 10})
    before = scene.world()
    path = scene.source / "m.bin"
    done = scene.upload(tools.once_found(lambda: change(path)), **PART)
    assert done.code == 1, done.error
    assert done.message.startswith("m.bin")
    assert how in done.message
    assert "\n" not in done.message
    settled(scene, before)


@sizes
@pytest.mark.parametrize(
    ("change", "how"),
    [
        (grow, "it grew"),
        (shrink, "it shrank"),
        (empty, "it shrank"),
        (rewrite, "it was written to"),
    ],
)
def test_changed_while_it_is_read(scene, tools, size, change, how):
    """After its first bytes were read, and before its last ones."""
    scene.fill({"a.txt": 10, "m.bin": size, "z.txt": 10})
    before = scene.world()
    path = scene.source / "m.bin"
    changed = []

    def once(key, _read):
        if key == "m.bin" and not changed:
            changed.append(key)
            change(path)

    done = scene.upload(tools.storing(on_read=once), **PART)
    assert changed
    assert done.code == 1, done.error
    assert done.message.startswith("m.bin")
    assert how in done.message
    settled(scene, before)


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
@pytest.mark.parametrize("change", [grow, shrink, rewrite])
def test_changed_while_it_is_read_slowly(scene, tools, change):
    """The same with a bandwidth, where the kernel does not copy."""
    scene.fill({"a.txt": 10, "m.bin": LARGE, "z.txt": 10})
    before = scene.world()
    changed = []

    def once(key, _read):
        if key == "m.bin" and not changed:
            changed.append(key)
            change(scene.source / key)

    done = scene.upload(tools.storing(on_read=once), bandwidth="1GB")
    assert done.code == 1, done.error
    assert done.message.startswith("m.bin changed during the upload")
    settled(scene, before)


@sizes
@pytest.mark.parametrize("change", [vanish, replace])
def test_name_gone_while_it_is_read(scene, tools, size, change, monkeypatch):
    """What was found has been opened, and all of it arrives, whatever has its name by now."""
    scene.fill({"m.bin": size})
    content = (scene.source / "m.bin").read_bytes()
    opened, changed = [], []
    usual = reading._open
    monkeypatch.setattr(reading, "_open", lambda file: (usual(file), opened.append(file))[0])
    # To a folder, a large file is opened twice: to copy it, and in another thread to hash it.
    times = 2 if local(scene) and size > 1e6 else 1

    def once(key, _read):
        if not changed:
            tools.wait_until(lambda: len(opened) == times)
            changed.append(key)
            change(scene.source / key)

    done = scene.upload(tools.storing(on_read=once), **PART)
    assert changed
    assert done.code == 0, done.message
    assert scene.place.content("m.bin") == content


def local(scene):
    return not scene.place.url.startswith("s3:")


def test_changed_between_reading_to_compare_and_sending(scene, tools):
    """A file that was judged unchanged or new, and is another one when it is sent."""
    scene.fill({"a.txt": b"first", "b.txt": b"first"})
    assert scene.upload().code == 0
    scene.write("a.txt", b"second")
    before = scene.world()

    def rewrite_it(key, _number):
        assert key == "a.txt"
        rewrite(scene.source / key)

    done = scene.upload(tools.storing(before=rewrite_it), if_exists="overwrite")
    assert done.code == 1
    assert done.message.startswith("a.txt changed during the upload")
    settled(scene, before)
