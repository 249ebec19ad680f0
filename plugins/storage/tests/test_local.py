"""A folder as a store: what links, full disks and kills do to it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from handrail_storage import (
    Caller,
    Listed,
    Reader,
    StorageError,
    Store,
    TakenError,
    open_store,
    versions_of,
)
from handrail_storage.backend import beside, write_whole

OURS, THEIRS = "run-1/save", "run-2/save"


class ShelfError(StorageError):
    """The error of a pack."""


SHELF = Caller(error=ShelfError, noun="shelf", user="the user who tidies")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "out"), SHELF)


def mark_of(store: Store, key: str) -> str | None:
    found = store.stat(key)
    return None if found is None else found.mark


def test_the_label_of_a_file_shows_whose_it_is(store: Store) -> None:
    store.create("a/b", b"1", OURS)
    assert mark_of(store, "a/b") == OURS
    assert os.listdir(f"{store.address}/a") == ["b"]


def test_a_replacement_leaves_no_other_name(store: Store) -> None:
    found = store.create("a", b"1", THEIRS)
    store.replace("a", b"22", OURS, found)
    assert mark_of(store, "a") == OURS
    assert os.listdir(store.address) == ["a"]
    with pytest.raises(TakenError):
        store.replace("a", b"333", OURS, found)
    assert os.listdir(store.address) == ["a"]


def test_a_file_that_was_half_written_before_a_kill_is_written_anew(store: Store) -> None:
    os.makedirs(store.address)
    Path(f"{store.address}/a.handrail-tmp-run-1").write_bytes(b"ha")
    assert store.stat("a") is None
    assert list(store.listing()) == []
    store.create("a", b"half", OURS)
    assert store.read("a") == b"half"
    assert os.listdir(store.address) == ["a"]


@pytest.mark.parametrize("staged", [True, False])
def test_a_folder_that_another_run_removes_while_it_is_empty_is_made_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, staged: bool
) -> None:
    """As an undo does, just before the first file of this run has its name there."""
    content: bytes | Path = b"1"
    if staged:
        content = tmp_path / "staged"
        content.write_bytes(b"1")
    usual, calls = os.makedirs, iter(range(99))

    def make_then_remove(path: str, **given: Any) -> None:
        usual(path, **given)
        if next(calls) < 2:
            os.removedirs(path)

    os.makedirs(store.address)
    (Path(store.address) / "kept").touch()
    monkeypatch.setattr(os, "makedirs", make_then_remove)
    store.create("a/b/c", content, OURS)
    assert store.read("a/b/c") == b"1"


def test_a_glance_finds_what_a_look_finds(store: Store) -> None:
    """Files by size and version, whatever else is there, and nothing where there is nothing."""
    for key in ("a", "d/b", "d/e/c"):
        store.create(key, key.encode(), OURS)
    root = Path(store.address)
    (root / "folder").mkdir()
    (root / "link").symlink_to("a")
    (root / "inside").symlink_to("d")
    there = ["a", "d/b", "d/e/c", "folder", "link", "inside/b"]
    found = store.glance([*there, "none", "d/none", "no/such/folder", "a/below/a/file"])
    known = store.stats(there)
    assert {*found} == {*known} == {*there}
    assert len(found) == len(there)
    for key, each in known.items():
        glanced = found[key]
        assert key in found
        assert glanced.is_same(each)
        assert versions_of(found)[key] == glanced.version == each.version
    assert versions_of(known) == versions_of(found)


def test_a_glance_needs_no_right_to_list_a_folder(store: Store) -> None:
    store.create("d/a", b"1", OURS)
    folder = Path(store.address, "d")
    folder.chmod(0o300)
    try:
        assert [*store.glance(["d/a", "d/b"])] == ["d/a"]
    finally:
        folder.chmod(0o700)


def test_a_glance_through_a_folder_that_leads_elsewhere_is_an_error(
    store: Store, tmp_path: Path
) -> None:
    store.create("a", b"1", OURS)
    (tmp_path / "theirs").mkdir()
    Path(store.address, "door").symlink_to(tmp_path / "theirs")
    with pytest.raises(StorageError, match="leads out"):
        store.glance(["a", "door/theirs"])


def test_temporary_names_of_a_killed_process_are_removed(store: Store) -> None:
    os.makedirs(store.address)
    names = ("a.handrail-tmp-run-1", "a.handrail-tmp-run-1.second", "a.handrail-tmp-copy")
    for name in (*names, "a.handrail-tmp-run-2"):
        Path(f"{store.address}/{name}").write_bytes(b"ha")
    store.abort_unfinished(["a"], "run-1")
    assert os.listdir(store.address) == ["a.handrail-tmp-run-2"]


def test_those_of_copies_are_removed_and_a_link_among_the_asides_is_not_followed(
    store: Store, tmp_path: Path
) -> None:
    asides = Path(store.address, ".handrail-target", "aside")
    for folder in (asides / "epoch" / "run-1", tmp_path / "theirs" / "run-1"):
        folder.mkdir(parents=True)
        (folder / "a.handrail-tmp-copy").touch()
    (asides / "door").symlink_to(tmp_path / "theirs")
    store.abort_unfinished(["a"], "run-1")
    assert os.listdir(asides / "epoch" / "run-1") == []
    assert os.listdir(tmp_path / "theirs" / "run-1") == ["a.handrail-tmp-copy"]


def test_a_file_that_is_edited_in_place_is_no_longer_ours(store: Store) -> None:
    """An edit keeps the attributes, so the label alone says nothing."""
    store.create("a", b"ours", OURS)
    Path(f"{store.address}/a").write_bytes(b"edit")
    os.utime(f"{store.address}/a", ns=(1, 1))
    found = store.stat("a")
    assert found is not None
    assert (found.mark, found.sha256) == (None, None)


def test_a_file_that_is_only_touched_stays_ours(store: Store) -> None:
    stored = store.create("a", b"ours", OURS)
    os.utime(f"{store.address}/a", ns=(1, 1))
    found = store.stat("a")
    assert found is not None
    assert (found.mark, found.sha256) == (OURS, stored.sha256)


@pytest.mark.parametrize("label", [b"", b"[]", b"no JSON", b'{"mark":1}', b"\xff"])
def test_an_attribute_that_is_no_label_is_no_mark(store: Store, label: bytes) -> None:
    store.create("a", b"ours", OURS)
    os.setxattr(f"{store.address}/a", "user.handrail", label)
    found = store.stat("a")
    assert found is not None
    assert found.mark is None


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EMLINK])
def test_a_file_system_without_links(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Files are renamed to their keys, once these are seen to be free or as they were found."""
    staged = tmp_path / "staged"
    staged.write_bytes(b"1")

    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    found = store.create("a", b"1", OURS)
    with pytest.raises(TakenError):
        store.create("a", b"2", OURS)
    store.replace("a", b"22", OURS, found)
    with pytest.raises(TakenError):
        store.replace("a", b"333", OURS, found)
    store.create("b", staged, OURS)
    assert [mark_of(store, key) for key in "ab"] == [OURS, OURS]
    assert sorted(os.listdir(store.address)) == ["a", "b"]
    now = store.stat("a")
    assert now is not None
    store.set_aside("a", "c")
    store.replace("a", b"333", THEIRS, now)
    assert store.put_over("c", "a", store.stat("a"))
    assert (store.read("a"), mark_of(store, "a")) == (b"22", OURS)


@pytest.mark.parametrize(
    ("number", "way"),
    [
        (errno.ENOSPC, "free some space, or give another shelf"),
        (errno.EACCES, "give the folder to the user who tidies, or give another shelf"),
        (errno.EROFS, "give another shelf"),
    ],
)
def test_a_disk_that_refuses_is_told_with_a_way_out(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int, way: str
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ShelfError, match=r"^a: .* \(at ") as caught:
        store.create("a", b"1", OURS)
    assert caught.value.ways_out == (way,)


def test_nothing_is_touched_behind_a_link(store: Store, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "theirs").write_text("theirs")
    os.makedirs(store.address)
    os.symlink(tmp_path / "elsewhere", f"{store.address}/door")
    calls: tuple[Any, ...] = (
        lambda: store.create("door/a", b"1", OURS),
        lambda: store.read("door/theirs"),
        lambda: store.stat("door/theirs"),
        lambda: store.delete(["door/theirs"]),
        lambda: store.abort_unfinished(["door/theirs"], "run-1"),
        lambda: store.set_aside("door/theirs", "a"),
        lambda: store.put_over("door/theirs", "a", None),
        lambda: store.delete_found([Listed(key="door/theirs", size=6, etag=None)]),
        lambda: store.withdraw([f"{store.address}/door/x"]),
        lambda: list(store.listing("door/")),
    )
    for call in calls:
        with pytest.raises(ShelfError, match=r"leads out of .* where a folder is a link"):
            call()
    assert os.listdir(tmp_path / "elsewhere") == ["theirs"]


def test_a_folder_that_becomes_a_link_is_noticed(store: Store, tmp_path: Path) -> None:
    store.create("a/b", b"1", OURS)
    os.rename(f"{store.address}/a", tmp_path / "away")
    os.symlink(tmp_path / "away", f"{store.address}/a")
    with pytest.raises(ShelfError, match="where a folder is a link"):
        store.read("a/b")


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create("a/b", b"1", OURS)
    scandir: Any = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "a":
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ShelfError, match="Permission denied"):
        list(store.listing())


def test_a_folder_that_an_undo_takes_away_as_soon_as_it_is_made_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "mkdir", lambda *_args, **_options: None)
    open_store(str(tmp_path / "gone")).prepare(lambda _folder: None)


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = open_store(str(tmp_path / "file"), SHELF)
    for call in (lambda: store.prepare(lambda name: None), lambda: list(store.listing())):
        with pytest.raises(ShelfError):
            call()
    with pytest.raises(TakenError):
        store.create("a", b"1", OURS)


def test_the_folders_that_are_made_are_told_before(store: Store, tmp_path: Path) -> None:
    told: list[tuple[str, bool]] = []
    store = open_store(str(tmp_path / "deep" / "out"), SHELF)
    store.prepare(lambda name: told.append((name, os.path.exists(name))))
    assert told == [(str(tmp_path / "deep"), False), (store.address, False)]
    store.withdraw(name for name, _ in told)
    assert not (tmp_path / "deep").exists()


def test_names_that_become_too_long_are_told_apart(tmp_path: Path) -> None:
    first, second = (beside(f"d/{'k' * 250}{end}", ".tmp-run-1") for end in "ab")
    assert first != second
    assert max(len(os.path.basename(each)) for each in (first, second)) <= 255
    assert beside("d/k", ".x") == "d/k.x"


def test_a_link_under_the_temporary_name_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("theirs")
    (tmp_path / "a.tmp").symlink_to(tmp_path / "secret")
    write_whole(tmp_path / "a", b"ours")
    assert (tmp_path / "secret").read_text() == "theirs"
    assert (tmp_path / "a").read_bytes() == b"ours"


# Reading by location


def test_files_are_read_wherever_they_are(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    open_store("memory://reading/deep").create("b", b"67890", OURS)
    reader = Reader(SHELF, retries=0)
    for location, content in (
        (str(tmp_path / "a"), b"12345"),
        (f"file://{tmp_path}/a", b"12345"),
        ("memory://reading/deep/b", b"67890"),
    ):
        assert reader.read(location) == content
        assert reader.read(location, 2) == content[:2]
        assert b"".join(reader.blocks(location)) == content
    for gone in (str(tmp_path / "c"), "memory://reading/deep/c"):
        with pytest.raises(ShelfError, match="it is not there"):
            reader.read(gone)
        with pytest.raises(ShelfError, match="it is not there"):
            list(reader.blocks(gone))
