"""Stored files are noted in the manifest once they are on the disk; others are stored meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from handrail_upload.errors import StorageError
from handrail_upload.made import Made
from handrail_upload.manifest import Manifest, SourceFile
from handrail_upload.storage import Storage


class Disk:
    """Flushes when it is told to, and remembers what was noted before."""

    local = False
    batch = 2

    def __init__(self) -> None:
        self.done = threading.Event()
        self.noted: list[int] = []
        self.before: list[list[int]] = []
        self.failure: StorageError | None = None

    def flushing(self) -> Callable[[], None]:
        def flush() -> None:
            assert self.done.wait(60)
            self.before.append([*self.noted])
            if self.failure is not None:
                raise self.failure

        return flush

    def update(self, files: list[SourceFile]) -> None:
        self.noted += [each.id for each in files]


def file(number: int) -> SourceFile:
    return SourceFile(id=number, path="", name="", key="", unit="", role="", size=0, mtime=0)


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.done.set()


@pytest.fixture
def made(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    monkeypatch.setattr("handrail_upload.made.SOON", 1e9)
    with Made(cast("Storage", disk), cast("Manifest", disk)) as made:
        yield made
        disk.done.set()


def test_the_disk_works_while_more_is_stored(made: Made, disk: Disk) -> None:
    """Files can be added while those before them are flushed; none of these is noted yet."""
    for number in 1, 2, 3:
        made.add(file(number))
    assert disk.noted == []
    disk.done.set()
    made.settle()
    assert disk.noted == [1, 2, 3]


def test_nothing_is_noted_before_its_own_flush(made: Made, disk: Disk) -> None:
    """Each flush begins before its files are noted, and after those before them were."""
    disk.done.set()
    for number in range(1, 6):
        made.add(file(number))
    made.settle()
    made.settle()
    assert disk.noted == [1, 2, 3, 4, 5]
    assert disk.before == [[], [1, 2], [1, 2, 3, 4]]


def test_what_cannot_be_flushed_is_not_noted(made: Made, disk: Disk) -> None:
    """The error of the thread is raised where the files are settled."""
    disk.failure = StorageError("the disk is broken")
    disk.done.set()
    made.add(file(1))
    with pytest.raises(StorageError, match="the disk is broken"):
        made.settle()
    assert disk.noted == []


def test_no_flush_outlives_it(disk: Disk) -> None:
    """An error elsewhere waits for the disk too, so that nothing goes on behind the undo."""
    before: Any = threading.enumerate()

    def fail() -> None:
        with Made(cast("Storage", disk), cast("Manifest", disk)) as made:
            made.add(file(1))
            made.add(file(2))
            disk.done.set()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [each for each in threading.enumerate() if each not in before] == []
    assert disk.noted == []
