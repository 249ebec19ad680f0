"""Contents of files that may be large."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from handrail_storage.backend.contents import Content, collected

SMALL = 1 << 20  # What is larger is left on the disk.
SIZES = [0, 1, SMALL, SMALL + 1, 3 * SMALL]


def drawn(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
def test_what_was_written_is_read_as_often_as_needed(size: int, tmp_path: Path) -> None:
    """From its beginning each time, also while it is read elsewhere."""
    whole = drawn(size)
    content = collected(whole[start : start + 100_000] for start in range(0, size, 100_000))
    assert len(content) == size
    one, other = content.opened(), content.opened()
    assert (one.read(7), other.read(5)) == (whole[:7], whole[:5])
    assert (one.read(), other.read()) == (whole[7:], whole[5:])
    with (tmp_path / "copy").open("wb") as file:
        content.write_to(file)
    assert content.read() == Content.at(tmp_path / "copy").read() == whole


@pytest.mark.parametrize("size", SIZES)
def test_a_content_is_given_as_memory(size: int) -> None:
    """Whether it is in memory or on the disk; the memory outlives the content."""
    whole = drawn(size)
    assert collected([whole]).buffer() == whole


@pytest.mark.parametrize("size", SIZES)
def test_a_content_stays_when_its_file_is_replaced(size: int, tmp_path: Path) -> None:
    path, whole = tmp_path / "file", drawn(size)
    path.write_bytes(whole)
    content = Content.at(path)
    (tmp_path / "other").write_bytes(b"another")
    os.replace(tmp_path / "other", path)
    assert content.read() == whole


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this shows it on Linux alone")
def test_a_large_content_holds_its_file_open_until_nobody_uses_it(tmp_path: Path) -> None:
    """A file that reads it uses it, too."""

    def is_open() -> bool:
        descriptors = os.listdir("/proc/self/fd")
        return any(os.path.realpath(f"/proc/self/fd/{fd}") == str(path) for fd in descriptors)

    path = tmp_path / "file"
    path.write_bytes(drawn(SIZES[-1]))
    content = Content.at(path)
    reader = content.opened()
    del content
    assert is_open()
    assert reader.read() == drawn(SIZES[-1])
    del reader
    assert not is_open()
