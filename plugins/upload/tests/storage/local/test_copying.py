"""Large files are copied inside the kernel, where it can; the copy is what was hashed."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from pathlib import Path

import pytest

from handrail_upload.errors import SourceError, StorageError
from handrail_upload.pace import StoppedError
from handrail_upload.storage import files
from handrail_upload.storage.disk import (
    begin_flush,
    copy_range,
    flush_file_system,
    flushes_file_systems,
)

MIB = 1 << 20
SIZES = [MIB - 1, MIB, MIB + 1, 8 * MIB, 20 * MIB + 345]


def hashing() -> list[str]:
    names = ("handrail-hash", "handrail-read")  # Other packs have threads too.
    return [each.name for each in threading.enumerate() if each.name in names]


@pytest.fixture
def kernel(monkeypatch):
    """The counts that the kernel was asked to copy."""
    asked = []
    real = os.copy_file_range

    def copy(source: int, target: int, count: int) -> int:
        asked.append(count)
        return real(source, target, count)

    monkeypatch.setattr(os, "copy_file_range", copy)
    return asked


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rate", [None, 1 << 40], ids=["copied", "read"])
def test_copy_is_what_was_read(storage, root, source, sending, content_of, size, rate):
    """Whichever way it goes, content, size and checksum are those of the source."""
    content, told = content_of(size), []
    stored = storage.put(source("a", content), sending(rate=rate, on_bytes=told.append))
    assert (root / "a").read_bytes() == content
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert stored.size == sum(told) == size
    assert hashing() == []


def test_kernel_copies_large_files(storage, kernel, source, sending, content_of):
    """Their content does not pass through Python to be written."""
    storage.put(source("a", content_of(9 * MIB)), sending())
    assert kernel
    kernel.clear()
    storage.put(source("b", content_of(MIB)), sending())
    assert kernel == []


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP])
def test_other_way_where_the_kernel_cannot(
    storage, root, monkeypatch, source, sending, content_of, number
):
    """Two file systems, or an old kernel, are no reason to fail."""

    def refuse(*_numbers: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    storage.put(source("a", content_of(3 * MIB)), sending())
    assert (root / "a").read_bytes() == content_of(3 * MIB)


def test_other_way_on_other_systems(storage, root, monkeypatch, source, sending, content_of):
    """The call is one of Linux alone."""
    monkeypatch.delattr(os, "copy_file_range")
    storage.put(source("a", content_of(3 * MIB)), sending())
    assert (root / "a").read_bytes() == content_of(3 * MIB)


def test_end_that_comes_too_early_is_no_end(
    storage, root, monkeypatch, source, sending, content_of
):
    """Some file systems say that nothing is left where something is."""
    monkeypatch.setattr(os, "copy_file_range", lambda *_numbers: 0)
    storage.put(source("a", content_of(3 * MIB)), sending())
    assert (root / "a").read_bytes() == content_of(3 * MIB)


def test_what_has_no_size_is_copied_to_its_end(tmp_path):
    """Files of /proc say that they are empty, and are not."""
    with open("/proc/self/status", "rb") as source, open(tmp_path / "a", "wb") as out:
        copied = 0
        while more := copy_range(source.fileno(), out.fileno(), MIB):
            copied += more
    assert copied == (tmp_path / "a").stat().st_size > 0


def test_kernel_that_fails_is_an_error(storage, monkeypatch, source, sending, content_of):
    """A broken disk is told, and no thread is left."""

    def fail(*_numbers: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "copy_file_range", fail)
    with pytest.raises(StorageError, match="a: Input/output error"):
        storage.put(source("a", content_of(3 * MIB)), sending())
    assert hashing() == []


def test_hashing_that_fails_is_an_error(storage, root, source, sending, content_of):
    """What was copied and not hashed is not stored."""

    def fail(count: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        storage.put(source("a", content_of(3 * MIB)), sending(on_bytes=fail))
    assert not (root / "a").exists()
    assert hashing() == []


@pytest.mark.parametrize("size", [11, 3 * MIB], ids=["small", "large"])
def test_stop_ends_a_copy(storage, root, source, sending, content_of, size):
    """What was being copied has no name of its own, and no thread is left."""
    how = sending(on_bytes=lambda count: how.stop.set())
    if size == 11:
        how.stop.set()
    with pytest.raises(StoppedError):
        storage.put(source("a", content_of(20 * size)), how)
    assert not (root / "a").exists()
    assert hashing() == []


@pytest.mark.parametrize("change", ["grows", "shrinks", "is rewritten"])
@pytest.mark.parametrize("rate", [None, 1 << 40], ids=["copied", "read"])
def test_source_that_changes_is_not_stored(
    storage, root, source, sending, content_of, change, rate
):
    """Neither the old content nor the new one gets the name."""
    file = source("a", content_of(20 * MIB))
    path, spoilt = Path(file.path), []

    def spoil(_count: int) -> None:
        if spoilt:
            return
        spoilt.append(change)
        if change == "grows":
            with path.open("ab") as out:
                out.write(b"!")
        elif change == "shrinks":
            os.truncate(path, 2 * MIB)
        else:
            os.utime(path, ns=(0, file.mtime + 1))

    with pytest.raises(SourceError, match="changed during the upload"):
        storage.put(file, sending(rate=rate, on_bytes=spoil))
    assert not (root / "a").exists()
    assert hashing() == []


# Flushing


def test_disk_writes_what_is_copied_while_more_is(
    storage, monkeypatch, source, sending, content_of
):
    """Each part is handed to the disk once it is copied, and the file is flushed at the end."""
    size, calls = 20 * MIB + 345, []
    monkeypatch.setattr(files, "begin_flush", lambda fd, *part: calls.append(part))
    monkeypatch.setattr(os, "fsync", lambda fd: calls.append("flushed"))
    storage.put(source("a", content_of(size)), sending())
    *parts, last = calls
    assert last == "flushed"
    assert len(parts) >= 3
    assert sum(count for _, count in parts) == size
    assert [start for start, _ in parts] == [
        sum(count for _, count in parts[:number]) for number in range(len(parts))
    ]


def test_disk_can_be_asked_to_begin(tmp_path):
    """Also where there is nothing to write, or no file; a flush tells what failed."""
    with (tmp_path / "a").open("wb") as file:
        file.write(b"1" * MIB)
        file.flush()
        begin_flush(file.fileno(), 0, MIB)
    begin_flush(-1, 0, MIB)


def test_flush_takes_any_folder(tmp_path):
    """The whole file system is asked to write."""
    flush_file_system(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        flush_file_system(str(tmp_path / "nothing"))


def test_flush_that_fails_tells_why(tmp_path, monkeypatch):
    """The number that the system gives becomes an OSError."""
    import ctypes

    def fail(_fd: int) -> int:
        ctypes.set_errno(errno.EIO)
        return -1

    monkeypatch.setattr("handrail_upload.storage.disk._syncfs", fail)
    with pytest.raises(OSError, match="Input/output error"):
        flush_file_system(str(tmp_path))


def test_folder_is_flushed_where_the_call_is_missing(tmp_path, monkeypatch):
    """The folder at least holds its names."""
    synced = []
    monkeypatch.setattr("handrail_upload.storage.disk._syncfs", None)
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    assert not flushes_file_systems()
    flush_file_system(str(tmp_path))
    assert synced == [str(tmp_path)]
