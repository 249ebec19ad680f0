"""A source file is read once, and anything that happens to it meanwhile is noticed."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from handrail_upload.digests import Digest
from handrail_upload.errors import FileChangedError, SourceError
from handrail_upload.pace import Pace, StoppedError
from handrail_upload.reading import Reading, read_whole

MIB = 1 << 20
PART = 2 * MIB


@pytest.fixture
def read():
    """Read a file whole, only to hash it, or in parts; return its content and its SHA-256."""

    def _read(way, file, on_read=lambda count: None, stop=None, before_last=lambda: None):
        pace = Pace(None, stop or threading.Event())
        if way == "whole":
            content = read_whole(file, pace, on_read)
            return content, hashlib.sha256(content).hexdigest()
        reading = Reading(file, pace, Digest(PART), on_read)
        if way == "through":
            reading.through(threading.Event())
            return None, reading.digest.sha256
        return b"".join(reading.parts(PART, before_last)), reading.digest.sha256

    return _read


@pytest.fixture(autouse=True)
def no_thread_is_left():
    """Whatever happens, no thread goes on reading."""
    yield
    assert [each.name for each in threading.enumerate() if "handrail" in each.name] == []


WAYS = pytest.mark.parametrize("way", ["whole", "through", "parts"])


@WAYS
@pytest.mark.parametrize("size", [0, 1, MIB, MIB + 1, PART, PART + 1, 5 * MIB + 3])
def test_content_is_read_and_hashed(read, source, content_of, way, size):
    """Each way of reading gives the same content and checksum, and reports every byte."""
    content, told = content_of(size), []
    got, sha256 = read(way, source("a", content), told.append)
    assert got in (content, None)
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert sum(told) == size


def test_what_is_sent_at_once_is_counted_once_it_is_read(source, sending):
    """A file that has changed by then is not read."""
    told = []
    file, other = source("a", b"hello"), source("b", b"hello")
    assert sending(on_bytes=told.append).whole(file) == b"hello"
    assert told == [5]
    grow(other)
    with pytest.raises(SourceError):
        sending(on_bytes=told.append).whole(other)
    assert told == [5]


def test_parts_are_of_one_size_but_the_last(source, content_of):
    """None is empty, and none has less than it could."""
    for size, expected in ((PART, [PART]), (PART + 1, [PART, 1]), (3 * PART, [PART] * 3)):
        reading = Reading(
            source("a", content_of(size)),
            Pace(None, threading.Event()),
            Digest(PART),
            lambda count: None,
        )
        assert [len(part) for part in reading.parts(PART, lambda: None)] == expected


# What happens to a file


def grow(file):
    with open(file.path, "ab") as out:
        out.write(b"!")


def shrink(file):
    os.truncate(file.path, file.size - 1)


def empty(file):
    os.truncate(file.path, 0)


def rewrite(file):
    with open(file.path, "r+b") as out:
        out.write(b"!")
    os.utime(file.path, ns=(file.mtime + 1, file.mtime + 1))


CHANGES = {"grew": grow, "shrank": shrink, "was written to": rewrite}


@WAYS
@pytest.mark.parametrize("how", CHANGES)
def test_change_before_is_noticed(read, source, content_of, way, how):
    """A file that is not as it was found is not read."""
    file, seen = source("a/b", content_of(5 * MIB)), []
    CHANGES[how](file)
    with pytest.raises(FileChangedError) as caught:
        read(way, file, seen.append)
    assert seen == []
    assert caught.value.message == f"a/b changed during the upload: it {how}"
    assert caught.value.how == f"it {how}"
    options = [way.rpartition("  ")[2] for way in caught.value.ways_out[1:]]
    assert options == ["--on-changed skip", "--on-changed take"]


@pytest.mark.parametrize("how", [*CHANGES, "was emptied"])
@pytest.mark.parametrize(
    ("way", "at"), [("whole", 1), ("through", 1), ("through", 2), ("parts", 1), ("parts", 2)]
)
def test_change_meanwhile_is_noticed(read, source, content_of, way, how, at):
    """Whether it happens at the first block or later."""
    file = source("a", content_of(5 * MIB))
    blocks = []

    def change(count: int) -> None:
        blocks.append(count)
        if len(blocks) == at:
            {**CHANGES, "was emptied": empty}[how](file)

    with pytest.raises(SourceError, match="a changed during the upload"):
        read(way, file, change)


@WAYS
@pytest.mark.parametrize("how", CHANGES)
def test_change_at_the_end_is_noticed(read, source, content_of, way, how):
    """A file that was read to its end and then changed may have been changed while it was read."""
    file = source("a", content_of(5 * MIB))
    seen = []

    def change(count: int) -> None:
        seen.append(count)
        if sum(seen) == file.size:
            CHANGES[how](file)

    with pytest.raises(SourceError, match="a changed during the upload"):
        read(way, file, change)


@WAYS
def test_file_that_vanished_is_told(read, source, way):
    """Its name is, and what became of it."""
    file = source("a/b", b"hello")
    Path(file.path).unlink()
    with pytest.raises(SourceError) as caught:
        read(way, file)
    assert caught.value.message == "a/b: it vanished during the upload"


@WAYS
def test_file_that_vanishes_meanwhile_is_read_to_its_end(read, source, content_of, way):
    """An open file stays readable; only its name is gone."""
    file = source("a", content_of(5 * MIB))
    _, sha256 = read(way, file, lambda count: Path(file.path).unlink(missing_ok=True))
    assert sha256 == hashlib.sha256(content_of(5 * MIB)).hexdigest()


@WAYS
def test_pipe_in_its_place_does_not_hang(read, source, way):
    """Nobody writes to it, so waiting for it would have no end."""
    file = source("a", b"hello")
    Path(file.path).unlink()
    os.mkfifo(file.path)
    with pytest.raises(SourceError, match="a changed during the upload"):
        read(way, file)


@WAYS
def test_folder_in_its_place_is_told(read, source, way):
    """A folder is no file."""
    file = source("a", b"hello")
    Path(file.path).unlink()
    Path(file.path).mkdir()
    with pytest.raises(SourceError, match=r"^a"):
        read(way, file)


@WAYS
def test_file_that_cannot_be_read_is_told(read, source, monkeypatch, way):
    """The system's words are told with the name."""
    file = source("a/b", b"hello")

    def fail(_fd: int, _count: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("handrail_upload.reading.os.read", fail)
    with pytest.raises(SourceError) as caught:
        read(way, file)
    assert caught.value.message == "a/b: it cannot be read: Input/output error"


# Parts, and the thread that reads ahead


def test_last_part_is_held_back_until_all_is_well(source, content_of):
    """What follows the last part completes the upload, so it comes only after the last check."""
    file = source("a", content_of(3 * PART))
    reading = Reading(file, Pace(None, threading.Event()), Digest(PART), lambda count: None)
    asked = []
    parts = reading.parts(PART, lambda: asked.append(reading.digest.size))
    given = [next(parts), next(parts)]
    assert asked in ([], [3 * PART])
    given.append(next(parts))
    assert asked == [3 * PART]
    assert list(parts) == []
    assert b"".join(given) == content_of(3 * PART)


def test_change_before_the_last_part_withholds_it(source, content_of):
    """All the parts before it may have been sent by then."""
    file = source("a", content_of(3 * PART))
    seen, given = [], []

    def change(count: int) -> None:
        seen.append(count)
        if sum(seen) == file.size:
            rewrite(file)

    reading = Reading(file, Pace(None, threading.Event()), Digest(PART), change)
    with pytest.raises(SourceError):
        given.extend(len(part) for part in reading.parts(PART, lambda: None))
    assert given == [PART, PART]


def test_refusal_before_the_last_part_withholds_it(source, content_of):
    """Whoever is asked may say no, and that is raised where the parts are taken."""

    class RefusedError(Exception):
        pass

    def refuse() -> None:
        raise RefusedError

    reading = Reading(
        source("a", content_of(3 * PART)),
        Pace(None, threading.Event()),
        Digest(PART),
        lambda count: None,
    )
    given = []
    with pytest.raises(RefusedError):
        given.extend(len(part) for part in reading.parts(PART, refuse))
    assert given == [PART, PART]


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_reading_ends_with_whoever_takes_the_parts(source, content_of, taken):
    """A transfer that fails half way leaves no thread behind, nor an open file."""
    before, seen = set(os.listdir("/proc/self/fd")), []
    reading = Reading(
        source("a", content_of(8 * PART)), Pace(None, threading.Event()), Digest(PART), seen.append
    )
    parts = reading.parts(PART, lambda: None)
    for _ in range(taken):
        next(parts)
    parts.close()
    assert set(os.listdir("/proc/self/fd")) == before
    assert sum(seen) < 8 * PART


def test_reading_does_not_run_far_ahead(source, content_of):
    """A slow network must not fill the memory with what was read."""
    read_on, seen = threading.Event(), []

    def see(count: int) -> None:
        seen.append(count)
        if sum(seen) >= 4 * PART:
            read_on.set()

    reading = Reading(
        source("a", content_of(16 * PART)), Pace(None, threading.Event()), Digest(PART), see
    )
    parts = reading.parts(PART, lambda: None)
    next(parts)
    # One that was taken, one in the queue, one that waits for it, and one that is held back.
    assert read_on.wait(60)
    threading.Event().wait(0.05)
    assert sum(seen) <= 4 * PART
    parts.close()


@pytest.mark.parametrize("way", ["whole", "parts"])
def test_stop_ends_the_reading(read, source, content_of, way):
    """Who reads stops when told to."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        read(way, source("a", content_of(3 * PART)), stop=stop)


def test_hashing_alone_ends_when_it_is_over(source, content_of):
    """It is not an error then that not all was read."""
    over = threading.Event()
    reading = Reading(
        source("a", content_of(5 * MIB)),
        Pace(None, threading.Event()),
        Digest(),
        lambda count: over.set(),
    )
    reading.through(over)
    assert reading.digest.size == MIB
