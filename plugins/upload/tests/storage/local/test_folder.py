"""The folder itself: what is in the way, what is full, what is not ours to write."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from servers.disk import mount_disk
from servers.process import let_go

from handrail_upload.errors import StorageError
from handrail_upload.storage import LocalStorage, TakenError, parse_target

MIB = 1 << 20
RUN = "0198-run"
MARK = f"{RUN}/upload_files"


# What is in the way


def test_folder_in_the_way_is_told_and_kept(storage, root, names, source, sending):
    """A folder where the file should be is no file, and not replaced."""
    (root / "a").mkdir()
    assert storage.stat("a").size == -1
    assert storage.look_up(["a"])["a"].size == -1
    with pytest.raises(TakenError):
        storage.put(source("a", b"1"), sending())
    assert names() == ["a/"]


def test_file_in_the_way_is_told_and_kept(storage, root, names, source, sending):
    """A file where a folder should be is kept."""
    (root / "a").write_bytes(b"theirs")
    assert storage.stat("a/b") is None
    with pytest.raises(TakenError):
        storage.put(source("a/b", b"1"), sending())
    storage.delete(["a/b"])
    assert names() == ["a"]


def test_link_that_leads_nowhere_is_told_and_kept(storage, root, tmp_path, source, sending):
    """It is in the way, and nothing is written to where it leads."""
    (root / "a").symlink_to(tmp_path / "nowhere")
    assert storage.stat("a").size == -1
    with pytest.raises(TakenError):
        storage.put(source("a", b"1"), sending())
    assert os.readlink(root / "a") == str(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_link_counts_as_what_it_leads_to(storage, root, tmp_path, source, sending):
    """A link to a file is compared as that file, and kept."""
    (tmp_path / "real").write_bytes(b"theirs")
    (root / "a").symlink_to(tmp_path / "real")
    assert storage.stat("a").size == 6
    with pytest.raises(TakenError):
        storage.put(source("a", b"1"), sending())
    assert (tmp_path / "real").read_bytes() == b"theirs"


def test_circle_of_links_is_an_error(storage, root):
    """What cannot be looked at is not taken for missing."""
    (root / "a").symlink_to("a")
    with pytest.raises(StorageError, match="a: Too many levels of symbolic links"):
        storage.stat("a")


@pytest.mark.parametrize("key", ["../a", "d/../../a", ".."])
def test_nothing_is_written_outside(storage, root, tmp_path, source, sending, key):
    """A key that leads out of the target is refused."""
    with pytest.raises(StorageError, match="target"):
        storage.put(source(key, b"1"), sending())
    assert not (tmp_path / "a").exists()
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("call", ["stat", "put", "delete", "put_over", "abort_unfinished"])
def test_folder_that_leads_outside_is_not_entered(storage, root, tmp_path, source, sending, call):
    """What is reached through a link in the target that leads out of it is no part of it."""
    (tmp_path / "theirs").mkdir()
    for name in ("a", f"a.handrail-tmp-{RUN}"):
        (tmp_path / "theirs" / name).write_bytes(b"theirs")
    (root / "in").mkdir()
    (root / "in" / "out").symlink_to(tmp_path / "theirs")
    calls = {
        "stat": lambda: storage.stat("in/out/a"),
        "put": lambda: storage.put(source("in/out/b", b"1"), sending()),
        "delete": lambda: storage.delete(["in/out/a"]),
        "put_over": lambda: storage.put_over("kept", "in/out/a", None),
        "abort_unfinished": lambda: storage.abort_unfinished(["in/out/a"], RUN),
    }
    with pytest.raises(StorageError, match=r"in/out/.: it leads out of"):
        calls[call]()
    storage.leave_folders(["in/out/empty/x"], ["in/out/empty", "in/out"])
    assert sorted(os.listdir(tmp_path / "theirs")) == ["a", f"a.handrail-tmp-{RUN}"]


def test_link_that_appears_meanwhile_is_not_followed(storage, root, tmp_path, source, sending):
    """A folder that was looked at before is looked at again before anything in it is deleted."""
    storage.put(source("d/a", b"ours"), sending())
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "a").write_bytes(b"theirs")
    (root / "d").rename(root / "e")
    (root / "d").symlink_to(tmp_path / "theirs")
    with pytest.raises(StorageError, match="d/a: it leads out of"):
        storage.delete(["d/a"])
    assert (tmp_path / "theirs" / "a").exists()


def test_link_that_leads_to_another_folder_of_the_target_is_followed(
    storage, root, names, source, sending
):
    """It is a part of the target all the same; so is a target that is a link itself."""
    (root / "real").mkdir()
    (root / "d").symlink_to("real")
    storage.put(source("d/a", b"ours"), sending())
    assert storage.stat("d/a").mark == MARK
    storage.delete(["d/a"])
    assert names() == ["d", "real/"]


@pytest.mark.parametrize("length", [233, 240, 255])
def test_long_names_have_room(storage, names, source, sending, length):
    """Names up to the longest can be put, replaced and set aside, and do not meet each other."""
    keys = ["d/" + "k" * (length - 1) + letter for letter in "ab"]
    for key in keys:
        storage.put(source(key, key.encode()), sending())
    assert names() == ["d/", *keys]
    for key in keys:
        assert storage.stat(key).mark == MARK
        storage.set_aside(key, f"aside/{key}")
        made = storage.put(source(key, b"new"), sending(), storage.stat(key))
        assert storage.put_over(f"aside/{key}", key, made)
        assert storage.read(key) == key.encode()
    storage.delete([f"aside/{key}" for key in keys])
    assert [name for name in names() if "aside" not in name] == ["d/", *keys]


def test_name_that_is_too_long_is_an_error(storage, source, sending):
    """The system's own words are told."""
    with pytest.raises(StorageError, match="File name too long"):
        storage.put(source("k" * 256, b"1"), sending())


# Folders that are made


def test_each_folder_is_told_before_it_is_made(tmp_path):
    """The record comes first, the outer folder before the inner one."""
    storage = LocalStorage(parse_target(str(tmp_path / "x" / "y")))
    told = []

    def record(name: str) -> None:
        assert not os.path.lexists(name)
        told.append(name)

    storage.prepare(record)
    assert told == [str(tmp_path / "x"), str(tmp_path / "x" / "y")]
    storage.prepare(record)
    assert len(told) == 2
    storage.withdraw(told)
    assert not (tmp_path / "x").exists()
    storage.withdraw(told)


def test_missing_folders_are_told_once(storage, root):
    """Those that a put has to make, the outer ones first, and none that are there."""
    (root / "a").mkdir()
    found = storage.missing_folders(["a/b/c/1", "a/b/2", "3", "a/4", "d/5"])
    assert found == [str(root / "a/b"), str(root / "a/b/c"), str(root / "d")]
    assert storage.missing_folders(["a/b/c/6", "d/7"]) == []


def test_folders_in_use_are_not_withdrawn(storage, root, names, source, sending):
    """What was made goes, except where somebody has put something since."""
    folders = storage.missing_folders(["a/b/1", "c/2"])
    for key in "a/b/1", "c/2":
        storage.put(source(key, b"1"), sending())
    (root / "a/theirs").write_bytes(b"1")
    storage.delete(["a/b/1", "c/2"])
    storage.withdraw(folders)
    assert names() == ["a/", "a/theirs"]


@pytest.mark.parametrize("target", ["file", "file/below", "nowhere"])
def test_target_that_is_no_folder_is_refused(tmp_path, target):
    """A file, something below a file, and a link that leads nowhere are no targets."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "nowhere").symlink_to("nothing")
    storage = LocalStorage(parse_target(str(tmp_path / target)))
    with pytest.raises(StorageError, match=r"folder|directory"):
        storage.prepare(lambda name: None)


def test_probe_that_died_is_cleared(storage, root, names):
    """Both names of the small file go."""
    (root / ".probe").write_text(MARK)
    os.link(root / ".probe", root / ".probe.link")
    storage.clear_probe(".probe", MARK)
    assert names() == []


# Disks that are full, or not to be written


def test_read_only_disk_is_told(small_disk, open_folder, source, sending):
    """Preparing, probing and putting fail alike, with a way out."""
    folder = small_disk(1)
    storage = open_folder(folder)
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    below = LocalStorage(parse_target(f"{folder}/below"))
    for call in (
        lambda: below.prepare(lambda name: None),
        lambda: storage.probe(".probe", MARK),
        lambda: storage.put(source("a", b"1"), sending()),
    ):
        with pytest.raises(StorageError, match="Read-only file system") as caught:
            call()
        assert caught.value.ways_out == ("give another target",)


@pytest.fixture
def not_root():
    """Be a user who owns nothing, for as long as the test lasts."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        yield
        os.seteuid(0)
    else:
        yield


def test_folder_of_somebody_else_is_told(storage, root, source, sending, request):
    """What may not be written is told with a way out."""
    file = source("a", b"1")
    root.chmod(0o555)
    request.getfixturevalue("not_root")
    for call in (
        lambda: storage.probe(".probe", MARK),
        lambda: storage.put(file, sending()),
    ):
        with pytest.raises(StorageError, match="Permission denied") as caught:
            call()
        assert "give the folder to the user who uploads" in caught.value.ways_out[0]


# What lasts


@pytest.fixture
def flushed(monkeypatch):
    """The folders whose file systems were flushed."""

    folders: list[str] = []
    monkeypatch.setattr("handrail_upload.storage.disk.flush_file_system", folders.append)
    return folders


def test_one_flush_is_enough_for_many_files(storage, flushed, source, sending):
    """Each file system is flushed once, and only if something was put since."""
    for key in "a", "b/c", "b/d":
        storage.put(source(key, b"1"), sending())
    storage.flush()
    assert len(flushed) == 1
    storage.flush()
    assert len(flushed) == 1


@pytest.fixture
def mount() -> Iterator[Callable[[Path], None]]:
    """Mount a small disk over a folder, until the test is over."""
    with ExitStack() as mounted:

        def mount(folder: Path) -> None:
            mounted.callback(let_go, mount_disk(folder, 1))

        yield mount


def test_each_file_system_is_flushed(storage, root, mount, flushed, source, sending):
    """A disk that is mounted below the target is not forgotten."""
    (root / "disk").mkdir()
    mount(root / "disk")
    for key in "a", "disk/b", "disk/c":
        storage.put(source(key, b"1"), sending())
    storage.flush()
    assert [os.path.relpath(each, root) for each in flushed] == [".", "disk"]


def test_without_that_call_each_file_is_flushed(storage, root, names, monkeypatch, source, sending):
    """Where the system cannot flush a file system, the file itself is flushed before its name."""
    monkeypatch.setattr("handrail_upload.storage.disk.flushes_file_systems", lambda: False)
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append((os.fstat(fd).st_ino, names())))
    storage.put(source("a", b"1"), sending())
    assert synced == [((root / "a").stat().st_ino, [])]


def test_flush_that_fails_is_an_error(storage, root, source, sending):
    """What cannot be made to last is not told to be there."""
    storage.put(source("d/a", b"1"), sending())
    storage.delete(["d/a"])
    (root / "d").rmdir()
    with pytest.raises(StorageError, match="No such file"):
        storage.flush()
