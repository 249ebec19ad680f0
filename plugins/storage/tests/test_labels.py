"""Mark and digest of a local file are its own, with attributes or sidecars, at every moment."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from handrail_storage import Store, open_store
from handrail_storage.backend import labels
from handrail_storage.backend.labels import Label, stamp_of
from handrail_storage.backend.small import marks_of

OURS, THEIRS = "c1:epoch:run-1/save", "c1:epoch:run-2/save"
ASIDE = ".handrail-target/aside/epoch/run-1/a"

# Kills itself before the operation of the given number that changes something in the target.
KILLED = """
import os, signal, sys

where, operation, number, kind = sys.argv[1:]
if kind == "sidecars":
    del os.setxattr, os.getxattr
from handrail_storage import open_store

store = open_store(where)
found = store.stat("a")
calls = {
    "create": lambda: store.create("new", b"created", "c1:epoch:run-1/save"),
    "replace": lambda: store.replace("a", b"replaced", "c1:epoch:run-1/save", found),
    "set aside": lambda: store.set_aside("a", ".handrail-target/aside/epoch/run-1/a"),
    "put over": lambda: store.put_over("other", "a", found),
    "delete": lambda: store.delete_found([found]),
}
left = int(number)
CHANGES = ("open", "os.setxattr", "os.link", "os.rename", "os.remove", "os.mkdir", "os.rmdir")


def kill(event, args):
    global left
    if event not in CHANGES or (event == "open" and not args[2] & os.O_CREAT):
        return
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(kill)
calls[operation]()
"""


@pytest.fixture(params=["attributes", "sidecars"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    if kind == "sidecars":
        monkeypatch.setattr(labels, "_set", None)
        monkeypatch.setattr(labels, "_get", None)
    return open_store(str(tmp_path / "out"))


def killed_at_each(store: Store, operation: str, kind: str) -> Iterator[None]:
    """Prepare the target, start the operation, kill it before its next change; until it ends."""
    for number in range(100):
        if os.path.isdir(store.address):
            shutil.rmtree(store.address)
        store.create("a", b"theirs", THEIRS)
        store.create("other", b"another", THEIRS)
        arguments = [store.address, operation, str(number), kind]
        ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
        yield
        if ended.returncode == 0:
            assert number > 0
            return
        assert ended.returncode == -signal.SIGKILL
    raise AssertionError("it never ended")


@pytest.mark.parametrize("operation", ["create", "replace", "set aside", "put over", "delete"])
def test_a_kill_between_leaves_no_mark_of_another_content(
    store: Store, operation: str, kind: str
) -> None:
    """Each file has the mark and the digest of what is in it, and it is repeated to the end."""
    marks = {b"theirs": THEIRS, b"another": THEIRS, b"created": OURS, b"replaced": OURS}
    for _ in killed_at_each(store, operation, kind):
        for key in ("a", "new", "other", ASIDE):
            content, found = store.read(key), store.stat(key)
            if content is None:
                assert found is None
                continue
            assert found is not None
            digest = hashlib.sha256(content).hexdigest()
            assert (found.mark, found.sha256) == (marks[content], digest), key
        # What a killed process has left is swept away, and takes no label with it.
        before = {each.key: store.stat(each.key) for each in store.listing()}
        for run in ("run-1", "run-2"):
            store.abort_unfinished(["a", "new", "other"], run)
        assert {key: store.stat(key) for key in before} == before
        root = Path(store.address)
        assert not [path for path in root.rglob("*") if path.is_file() and "tmp" in path.name]
        there = {marks_of(key) for key in ("a", "new", "other", ASIDE) if (root / key).exists()}
        assert {f"marks/{each.name}" for each in root.glob(".handrail-target/marks/*")} <= there


def test_the_last_file_takes_the_sidecars_with_it(store: Store) -> None:
    """Once all objects are deleted, nothing is left of their labels."""
    found = store.create("a", b"theirs", THEIRS)
    store.set_aside("a", "b")
    ours = store.replace("a", b"ours", OURS, found)
    assert store.put_over("b", "a", ours)
    store.create("d/a", b"ours", OURS)
    store.delete(["b"])
    os.utime(f"{store.address}/a", ns=(1, 1))
    now = store.stat("a")
    assert now is not None
    assert now.mark == THEIRS
    assert store.delete_found([now, *store.listing("d/")]) == set()
    assert os.listdir(store.address) == ["d"]


def test_a_refused_put_leaves_the_label_of_what_is_there(store: Store) -> None:
    """Also if that is the very file that was to be put there."""
    found = store.create("a", b"theirs", THEIRS)
    store.create("b", b"ours", OURS)
    assert store.put_over("b", "a", found)
    assert not store.put_over("b", "a", found)
    now = store.stat("a")
    assert now is not None
    assert now.mark == OURS


def test_a_file_of_others_has_no_label(store: Store) -> None:
    """Neither where it took the place of ours, nor with an equal size and time."""
    mine = store.create("a", b"ours", OURS)
    assert mine.identity is not None
    other = Path(store.address, "b")
    other.write_bytes(b"them")
    os.utime(other, ns=(1, mine.identity[3]))
    os.replace(other, f"{store.address}/a")
    found = store.stat("a")
    assert found is not None
    assert (found.mark, found.sha256) == (None, None)


def test_what_was_set_aside_takes_its_sidecar_with_it(store: Store) -> None:
    """It is deleted with the small files, whatever its name."""
    store.create("a.tmp", b"theirs", THEIRS)
    name = ".handrail-target/aside/epoch/run-1/a.tmp"
    store.set_aside("a.tmp", name)
    assert [each for each, _ in store.small_files.names("aside/")] == ["aside/epoch/run-1/a.tmp"]
    Path(f"{store.address}/{name}.handrail-tmp-copy").touch()  # As a killed process leaves it.
    store.small_files.remove_all(["aside/epoch/run-1/a.tmp"])
    store.delete(["a.tmp"])
    assert os.listdir(store.address) == []


def test_a_copy_that_was_set_aside_is_not_taken_for_the_rest_of_another(store: Store) -> None:
    """Names of others may end like those of our own temporary files."""
    keys = ["a", "a.tmp", "a.spare"]
    for key in keys:
        store.create(key, b"theirs", THEIRS)
        store.set_aside(key, f".handrail-target/aside/epoch/run-1/{key}")
    store.small_files.remove_all(["aside/epoch/run-1/a"])
    left = {each for each, _ in store.small_files.names("aside/")}
    assert left == {"aside/epoch/run-1/a.tmp", "aside/epoch/run-1/a.spare"}


EPOCH, UUID, DIGEST = "0123456789abcdef", "0198c0de-1111-7222-8333-444455556666", "ab" * 32


def test_the_label_of_an_upload_fits_into_an_inode() -> None:
    """More than 64 bytes would take a block of the disk for each file."""
    mark = f"c1:{EPOCH}:{UUID}/upload_files"
    label = Label(mark=mark, sha256=DIGEST, stamp=(1 << 56) - 1)
    assert len(label.written()) <= 64
    assert Label.parse(label.written()) == label


@pytest.mark.parametrize(
    "mark",
    [
        f"c1:{EPOCH}:{UUID}/another_step",
        f"c1:{EPOCH}:{UUID}.{EPOCH}/upload_files",
        f"c1:epoch:{UUID}/upload_files",
        f"c1:{EPOCH}:run-1/upload_files",
        f"{UUID}/upload_files",
        f"c1:{EPOCH}:{UUID}/upload_files\n",
    ],
)
def test_any_mark_can_be_in_a_label(mark: str) -> None:
    """It is what it was, to the letter."""
    label = Label(mark=mark, sha256=DIGEST, stamp=1)
    assert Label.parse(label.written()) == label


@pytest.mark.parametrize(
    "written", [b"", b"{}", b"[]", b"\x07" + b"x" * 63, b"\xff" * 64, b"{" * 64]
)
def test_other_attributes_are_no_labels(written: bytes) -> None:
    """Somebody else may use the same name, or a later version another form."""
    assert Label.parse(written) is None


def test_size_and_time_each_change_the_stamp() -> None:
    """A file that was edited is known, also with its former time, or its former size."""
    now, hour = 1_790_000_000_000_000_000, 3_600_000_000_000
    stamps = {stamp_of(size, now) for size in range(2_000)}
    assert len(stamps) == 2_000
    assert len({stamp_of(1_000, now + each * hour) for each in range(2_000)}) == 2_000
    assert max(stamps) < 1 << 56
