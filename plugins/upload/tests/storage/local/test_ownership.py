"""Whose file is it? A run removes and replaces what it can prove to be its own, and no more."""

from __future__ import annotations

import errno
import os

import pytest

from handrail_upload.recorded import read_transfer
from handrail_upload.storage import Stored, TakenError
from handrail_upload.undo import TransferUndo

RUN = "0198-run"
MARK = f"{RUN}/upload_files"


@pytest.fixture
def undo(root, site_of):
    """Undo a run that has recorded just this; return what was deleted, put back, and left alone."""

    def _undo(*keys: str, **recorded: list) -> tuple[int, int, int]:
        data = {"target": [str(root)], "mark": [MARK], "keys": list(keys), **recorded}
        done = TransferUndo(read_transfer(data, site_of(str(root)))).run()
        return done.deleted, done.restored, done.foreign

    return _undo


# An intent was recorded, and nothing else


def test_intent_alone_removes_nothing(storage, root, undo, names):
    """A foreign file at a key that the run wanted to write is left alone."""
    (root / "a").write_bytes(b"theirs")
    assert undo("a", "b/c") == (0, 0, 1)
    assert names() == ["a"]


def test_intent_and_another_temporary_file_remove_nothing(storage, root, undo, names):
    """Where the run had written its file, but not yet linked it, the other one is left alone."""
    (root / f"a.tmp-{RUN}").write_bytes(b"ours")
    (root / "a").write_bytes(b"ours")
    assert storage.owner("a", MARK, None) == "foreign"
    assert undo("a") == (0, 0, 1)
    assert names() == ["a"]


def test_temporary_file_alone_goes(storage, root, undo, names):
    """What was only written under its temporary name is nobody's, and removed."""
    (root / f"a.tmp-{RUN}").write_bytes(b"ours")
    assert storage.owner("a", MARK, None) == "absent"
    undo("a")
    assert names() == []


def test_two_names_of_one_file_prove_it(storage, undo, names, source, sending):
    """A file that was linked, but not yet recorded as made, is removed with both names."""
    storage.put(source("a", b"ours"), sending())
    assert names() == ["a", f"a.tmp-{RUN}"]
    assert undo("a") == (1, 0, 0)
    assert names() == []


def test_temporary_name_of_another_run_proves_nothing(storage, undo, names, source, sending):
    """Each run has names of its own."""
    storage.put(source("a", b"theirs"), sending(mark="0199-run/upload_files"))
    assert undo("a") == (0, 0, 1)
    assert names() == ["a", "a.tmp-0199-run"]


def test_link_to_something_else_is_foreign(storage, root, source, sending):
    """A symbolic link that took the place of the file is not the file, whatever it leads to."""
    storage.put(source("a", b"ours"), sending())
    (root / "a").unlink()
    (root / "a").symlink_to(f"a.tmp-{RUN}")
    assert storage.owner("a", MARK, None) == "foreign"


def test_what_an_attempt_before_made_is_not_written_to(storage, root, source, sending):
    """A temporary name that was left is linked to that file, so it is made anew."""
    storage.put(source("a", b"first"), sending())
    os.link(root / "a", root / "elsewhere")
    (root / "a").unlink()
    storage.put(source("a", b"second"), sending())
    assert (root / "elsewhere").read_bytes() == b"first"
    assert (root / "a").read_bytes() == b"second"
    assert storage.owner("a", MARK, None) == "ours"


# What was made is recorded


@pytest.fixture
def made(storage, source, sending) -> Stored:
    """A file that was made, recorded and settled."""
    stored = storage.put(source("a", b"ours"), sending())
    storage.flush()
    storage.settle(["a"], RUN)
    return stored


def test_recorded_file_is_ours(storage, undo, names, made):
    """It is removed, and nothing is left of it."""
    assert storage.owner("a", MARK, made.identity) == "ours"
    assert storage.owner("a", MARK, list(made.identity)) == "ours"
    assert undo("a", made=[["a", *made.identity]]) == (1, 0, 0)
    assert names() == []


def test_recorded_file_without_its_record_is_foreign(storage, made):
    """Once the second name is gone, only the record tells."""
    assert storage.owner("a", MARK, None) == "foreign"


def test_file_that_took_its_place_is_foreign(storage, root, undo, made):
    """Even one with the same content and times is somebody's."""
    found = (root / "a").stat()
    (root / "b").write_bytes(b"ours")
    os.utime(root / "b", ns=(found.st_atime_ns, found.st_mtime_ns))
    os.replace(root / "b", root / "a")
    assert storage.owner("a", MARK, made.identity) == "foreign"
    undo("a", made=[["a", *made.identity]])
    assert (root / "a").read_bytes() == b"ours"


@pytest.mark.parametrize("content", [b"more than it was", b"four"], ids=["longer", "as long"])
def test_file_that_was_rewritten_is_foreign(storage, root, undo, made, content):
    """Somebody has put work into it, in place."""
    with (root / "a").open("r+b") as file:
        file.write(content)
    os.utime(root / "a", ns=(0, made.identity[3] + 1))
    assert storage.owner("a", MARK, made.identity) == "foreign"
    undo("a", made=[["a", *made.identity]])
    assert (root / "a").read_bytes() == content


def test_undo_can_be_repeated(storage, root, undo, names, made):
    """A second undo finds nothing to do, and does nothing to what came after the first."""
    record = {"made": [["a", *made.identity]]}
    undo("a", **record)
    (root / "a").write_bytes(b"theirs")
    assert undo("a", **record) == (0, 0, 1)
    assert names() == ["a"]


def test_undo_passes_a_file_where_a_folder_was(storage, root, undo, names):
    """Where a folder of the run has become a file, nothing of the run is below it."""
    (root / "d").write_bytes(b"theirs")
    assert undo("d/a", "d/e/b", asides=[{"key": "d/a", "name": f"d/a.aside-{RUN}"}]) == (0, 0, 0)
    assert names() == ["d"]


def test_undo_passes_a_folder_where_a_file_was(storage, root, undo, names):
    """Where a key of the run has become a folder, the folder stays."""
    (root / "a").mkdir()
    (root / "a" / "b").write_bytes(b"theirs")
    undo("a", asides=[{"key": "a", "name": f"a.aside-{RUN}"}])
    assert names() == ["a/", "a/b"]


# Replacing


def test_replaced_file_is_ours_until_it_is_put_back(storage, root, undo, names, source, sending):
    """Between replacing and recording, both names prove it; the original comes back."""
    (root / "a").write_bytes(b"theirs")
    name = storage.aside_name("a", RUN)
    storage.set_aside("a", name)
    storage.put(source("a", b"ours"), sending(), storage.stat("a"))
    assert storage.owner("a", MARK, None) == "ours"
    assert undo("a", asides=[{"key": "a", "name": name}]) == (0, 1, 0)
    assert (root / "a").read_bytes() == b"theirs"
    assert names() == ["a"]


def test_original_that_is_still_there_stays(storage, root, undo, names):
    """A run that died after setting aside, and before replacing, has changed nothing."""
    (root / "a").write_bytes(b"theirs")
    name = storage.aside_name("a", RUN)
    storage.set_aside("a", name)
    undo("a", asides=[{"key": "a", "name": name}])
    assert (root / "a").read_bytes() == b"theirs"
    assert names() == ["a"]


def test_what_came_after_the_replacement_stays(storage, root, undo, names, source, sending):
    """Somebody has replaced what the run has put: that is theirs, and wins over the original."""
    (root / "a").write_bytes(b"old")
    name = storage.aside_name("a", RUN)
    storage.set_aside("a", name)
    storage.put(source("a", b"ours"), sending(), storage.stat("a"))
    (root / "b").write_bytes(b"newest")
    os.replace(root / "b", root / "a")
    undo("a", asides=[{"key": "a", "name": name}])
    assert (root / "a").read_bytes() == b"newest"
    assert names() == ["a"]


def test_second_name_that_was_left_does_no_harm(storage, root, names, source, sending):
    """A run that died just before replacing leaves a name that its next attempt takes over."""
    (root / "a").write_bytes(b"old")
    (root / f"a.new-{RUN}").write_bytes(b"half")
    storage.put(source("a", b"ours"), sending(), storage.stat("a"))
    assert (root / "a").read_bytes() == b"ours"
    storage.sweep(["a"], RUN)
    assert names() == ["a"]


def test_refused_replacement_leaves_nothing_after_the_undo(
    storage, root, undo, names, source, sending
):
    """What was written for it goes, what is there stays."""
    (root / "a").write_bytes(b"old")
    there = storage.stat("a")
    (root / "b").write_bytes(b"newer")
    os.replace(root / "b", root / "a")
    with pytest.raises(TakenError):
        storage.put(source("a", b"ours"), sending(), there)
    undo("a")
    assert (root / "a").read_bytes() == b"newer"
    assert names() == ["a"]


def test_symbolic_link_that_was_replaced_comes_back(storage, root, source, sending):
    """It is replaced, not what it leads to; and comes back as a link."""
    (root / "real").write_bytes(b"old")
    (root / "a").symlink_to("real")
    name = storage.aside_name("a", RUN)
    storage.set_aside("a", name)
    storage.put(source("a", b"new"), sending(), storage.stat("a"))
    assert (root / "real").read_bytes() == b"old"
    assert not (root / "a").is_symlink()
    assert storage.put_back("a", name)
    assert os.readlink(root / "a") == "real"


# Without hard links


ALL = pytest.mark.parametrize(
    "no_links",
    [errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS],
    indirect=True,
    ids=["EPERM", "ENOTSUP", "EMLINK", "ENOSYS"],
)


@ALL
def test_file_arrives_without_links(storage, root, names, no_links, source, sending):
    """It is given its name at once, and the record alone tells whose it is."""
    assert not storage.probe(".probe", MARK).create_only
    made = storage.put(source("d/a", b"ours"), sending())
    storage.settle(["d/a"], RUN)
    assert names() == ["d/", "d/a"]
    assert (root / "d/a").read_bytes() == b"ours"
    assert storage.owner("d/a", MARK, made.identity) == "ours"
    assert storage.owner("d/a", MARK, None) == "foreign"


def test_nothing_is_replaced_without_links(storage, root, no_links, source, sending):
    """Its name is claimed first, which fails where it is taken."""
    for content in b"theirs", b"":
        (root / "a").write_bytes(content)
        with pytest.raises(TakenError):
            storage.put(source("a", b"ours"), sending())
        assert (root / "a").read_bytes() == content


def test_what_appears_meanwhile_is_kept_without_links(storage, root, monkeypatch, source, sending):
    """Even in the moment in which the system says that it knows no links."""

    def refuse(link_source: str, target: str) -> None:
        (root / "a").write_bytes(b"theirs")
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(TakenError):
        storage.put(source("a", b"ours"), sending())
    assert (root / "a").read_bytes() == b"theirs"


def test_what_was_set_aside_comes_back_without_links(
    storage, root, names, no_links, source, sending
):
    """A copy is kept instead, which an attempt after this one does not write again."""
    (root / "a").write_bytes(b"theirs")
    os.utime(root / "a", ns=(0, 1_000_000_000))
    name = storage.aside_name("a", RUN)
    storage.set_aside("a", name)
    storage.put(source("a", b"ours"), sending(), storage.stat("a"))
    storage.set_aside("a", name)
    assert (root / "a").read_bytes() == b"ours"
    assert storage.put_back("a", name)
    assert (root / "a").read_bytes() == b"theirs"
    assert (root / "a").stat().st_mtime_ns == 1_000_000_000
    storage.sweep(["a"], RUN)
    assert names() == ["a"]


def test_copy_that_was_cut_short_is_not_kept(storage, root, names, no_links, monkeypatch):
    """A run that dies while it copies leaves no half of the original for the whole of it."""
    (root / "a").write_bytes(b"theirs")
    name = storage.aside_name("a", RUN)

    def die(*_numbers: int) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("handrail_upload.storage.files.copy_range", die)
        with pytest.raises(KeyboardInterrupt):
            storage.set_aside("a", name)
    assert not storage.put_back("a", name)
    storage.sweep(["a"], RUN)
    assert names() == ["a"]
    storage.set_aside("a", name)
    (root / "a").unlink()
    assert storage.put_back("a", name)
    assert (root / "a").read_bytes() == b"theirs"
