"""Whose file is it? Each has the mark of its run from the moment in which it has its name."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from handrail_storage.backend import local
from handrail_storage.backend import names as names_of_files
from handrail_upload.storage import Stored, TakenError

RUN = "0198c0de-0000-7000-8000-000000000000"
MARK = f"c1:0123456789abcdef:{RUN}/upload_files"
TEMPORARY = f"a.handrail-tmp-{RUN}"


@pytest.fixture
def made(storage, source, sending) -> Stored:
    """A file that was made."""
    return storage.put(source("a", b"ours"), sending(mark=MARK))


def test_death_before_the_file_has_its_name_leaves_nothing_of_it(
    storage, names, monkeypatch, source, sending
):
    """What has no name yet is gone with its process."""

    def die(*_arguments: object, **_options: object) -> None:
        assert names() == []
        raise KeyboardInterrupt

    monkeypatch.setattr(storage, "_finish", die)
    with pytest.raises(KeyboardInterrupt):
        storage.put(source("a", b"ours"), sending(mark=MARK))
    assert names() == []


@pytest.fixture
def only_names(monkeypatch) -> None:
    """A file system in which each file has a name."""
    monkeypatch.setattr("handrail_storage.backend.names._NAMELESS", 0)


def test_death_before_the_file_has_its_own_name_leaves_nothing_of_it(
    storage, names, monkeypatch, source, sending, only_names
):
    """What was only written under its temporary name is nobody's, and removed."""

    def die(*_arguments: object, **_options: object) -> None:
        os.link(storage.temporary("a", RUN), storage.temporary("a", "kept"))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(storage, "_finish", die)
        with pytest.raises(KeyboardInterrupt):
            storage.put(source("a", b"ours"), sending(mark=MARK))
    os.rename(storage.temporary("a", "kept"), storage.temporary("a", RUN))
    assert names() == [TEMPORARY]
    assert storage.stat("a") is None
    storage.abort_unfinished(["a"], RUN)
    assert names() == []


def test_what_an_attempt_before_made_is_not_written_to(
    storage, root, names, source, sending, only_names
):
    """A temporary name that was left may be linked to that file, so it is made anew."""
    (root / TEMPORARY).write_bytes(b"first")
    os.link(root / TEMPORARY, root / "elsewhere")
    storage.put(source("a", b"second"), sending(mark=MARK))
    assert names() == ["a", "elsewhere"]
    assert (root / "elsewhere").read_bytes() == b"first"
    assert (root / "a").read_bytes() == b"second"


def test_file_that_took_its_place_is_foreign(storage, root, made):
    """Even one with the same content and times is somebody's."""
    found = (root / "a").stat()
    (root / "b").write_bytes(b"ours")
    os.utime(root / "b", ns=(found.st_atime_ns, found.st_mtime_ns))
    os.replace(root / "b", root / "a")
    assert storage.stat("a").mark is None
    assert storage.delete_found([made]) == {"a"}
    assert (root / "a").read_bytes() == b"ours"


@pytest.mark.parametrize("content", [b"more than it was", b"four"], ids=["longer", "as long"])
def test_file_that_was_rewritten_is_foreign(storage, root, made, content):
    """Somebody has put work into it, in place."""
    with (root / "a").open("r+b") as file:
        file.write(content)
    os.utime(root / "a", ns=(0, made.identity[3] + 1))
    assert storage.stat("a").mark is None
    assert storage.delete_found([made]) == {"a"}
    assert (root / "a").read_bytes() == content


def test_link_to_something_else_is_foreign(storage, root, made):
    """A symbolic link that took the place of the file is not the file, whatever it leads to."""
    (root / "a").rename(root / "b")
    (root / "a").symlink_to("b")
    assert storage.stat("a").mark is None
    assert storage.delete_found([made]) == {"a"}
    assert (root / "a").is_symlink()


@pytest.mark.parametrize("way", ["removed before", "removed meanwhile"])
def test_folder_that_an_undo_removes_is_made_again(
    storage, root, monkeypatch, source, sending, way
):
    """A folder with nothing but files without names looks empty to the undo of another run."""
    file, told = source("d/a", b"ours"), []
    (root / "d").mkdir()
    give = local.give_name

    def remove_first(staged: str, path: str) -> None:
        if len(told) == 1:
            (root / "d").rmdir()
        give(staged, path)

    if way == "removed before":
        (root / "d").rmdir()
    else:
        monkeypatch.setattr(local, "give_name", remove_first)
    storage.put(file, sending(mark=MARK, on_bytes=told.append))
    assert (root / "d/a").read_bytes() == b"ours"
    assert sum(told) == file.size


def test_file_has_the_mode_of_any_other(storage, root, source, sending, monkeypatch):
    """As the umask asks for it, whether it had a name before or not."""
    before = os.umask(0o027)
    try:
        (root / "other").touch()
        storage.put(source("a", b"ours"), sending(mark=MARK))
        monkeypatch.setattr("handrail_storage.backend.names._NAMELESS", 0)
        storage.put(source("b", b"ours"), sending(mark=MARK))
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((root / name).stat().st_mode) for name in ("other", "a", "b")}
    assert set(modes.values()) == {0o640}


@pytest.mark.parametrize(("release", "usable"), [("6.18.44-x", True), ("5.15.0-91-generic", False)])
def test_a_kernel_that_forgets_the_umask_makes_no_nameless_files(monkeypatch, release, usable):
    """There a file would be open to all who can reach it."""
    found = os.uname()
    told = os.uname_result((found[0], found[1], release, found[3], found[4]))
    monkeypatch.setattr(os, "uname", lambda: told)
    assert bool(names_of_files._nameless()) is usable


def test_names_are_kept_by_a_file_system_that_has_no_others(
    storage, root, names, source, sending, only_names
):
    """A file of the same content arrives in the same state."""
    storage.put(source("d/a", b"ours"), sending(mark=MARK))
    assert names() == ["d/", "d/a"]
    assert storage.stat("d/a").mark == MARK
    assert (root / "d/a").stat().st_nlink == 1


# Replacing


def test_refused_replacement_leaves_nothing(storage, root, names, source, sending):
    """What was written for it goes, what is there stays."""
    (root / "a").write_bytes(b"old")
    there = storage.stat("a")
    (root / "b").write_bytes(b"newer")
    os.replace(root / "b", root / "a")
    with pytest.raises(TakenError):
        storage.put(source("a", b"ours"), sending(mark=MARK), there)
    assert (root / "a").read_bytes() == b"newer"
    assert names() == ["a"]


def test_symbolic_link_that_was_replaced_comes_back(storage, root, source, sending):
    """It is replaced, not what it leads to; and comes back as a link."""
    (root / "real").write_bytes(b"old")
    (root / "a").symlink_to("real")
    storage.set_aside("a", "aside-a")
    made = storage.put(source("a", b"new"), sending(mark=MARK), storage.stat("a"))
    assert (root / "real").read_bytes() == b"old"
    assert not (root / "a").is_symlink()
    assert storage.put_over("aside-a", "a", made)
    assert os.readlink(root / "a") == "real"


# Folders


def test_folders_that_were_made_go_again(storage, root, names, source, sending):
    """Whoever deletes the last file in a folder, if Handrail has made it."""
    (root / "theirs").mkdir()
    keys = ["theirs/a", "d/e/a", "d/b"]
    for key in keys:
        storage.put(source(key, b"1"), sending(mark=MARK))
    storage.delete(["d/e/a", "theirs/a"])
    storage.leave_folders(["d/e/a", "theirs/a"])
    assert names() == ["d/", "d/b", "theirs/"]
    storage.delete(["d/b"])
    storage.leave_folders(keys)
    storage.leave_folders(keys)
    assert names() == ["theirs/"]


def test_recorded_folders_go_where_nothing_can_be_labelled(
    storage, names, monkeypatch, source, sending
):
    """Then only the run that has made them knows."""
    monkeypatch.setattr("handrail_upload.storage.disk._set", None)
    storage.put(source("d/e/a", b"1"), sending(mark=MARK))
    storage.delete(["d/e/a"])
    storage.leave_folders(["d/e/a"])
    assert names() == ["d/", "d/e/"]
    storage.leave_folders(["d/e/a"], ["d", "d/e"])
    assert names() == []


# Without hard links


ALL = pytest.mark.parametrize(
    "no_links",
    [errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS],
    indirect=True,
    ids=["EPERM", "ENOTSUP", "EMLINK", "ENOSYS"],
)


@ALL
def test_file_arrives_without_links(storage, root, names, no_links, source, sending):
    """It is renamed, and has its mark all the same."""
    assert not storage.probe(".probe", MARK).create_only
    storage.put(source("d/a", b"ours"), sending(mark=MARK))
    assert names() == ["d/", "d/a"]
    assert (root / "d/a").read_bytes() == b"ours"
    assert storage.stat("d/a").mark == MARK


def test_nothing_is_replaced_without_links(storage, root, no_links, source, sending):
    """Its name is looked at first."""
    for content in b"theirs", b"":
        (root / "a").write_bytes(content)
        with pytest.raises(TakenError):
            storage.put(source("a", b"ours"), sending(mark=MARK))
        assert (root / "a").read_bytes() == content


def test_what_was_set_aside_comes_back_without_links(
    storage, root, names, no_links, source, sending
):
    """A copy is kept instead."""
    (root / "a").write_bytes(b"theirs")
    os.utime(root / "a", ns=(0, 1_000_000_000))
    storage.set_aside("a", "aside-a")
    made = storage.put(source("a", b"ours"), sending(mark=MARK), storage.stat("a"))
    assert (root / "a").read_bytes() == b"ours"
    assert storage.put_over("aside-a", "a", made)
    assert (root / "a").read_bytes() == b"theirs"
    assert (root / "a").stat().st_mtime_ns == 1_000_000_000
    assert names() == ["a", "aside-a"]
