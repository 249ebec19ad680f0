"""A small file costs a fixed number of system calls: counted, as times depend on machines."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest

from handrail_storage.backend import labels

CALLS = (
    *("open", "read", "write", "close", "stat", "lstat", "fstat", "link", "rename", "replace"),
    *("unlink", "remove", "mkdir", "rmdir", "fsync", "listdir", "scandir", "access", "readlink"),
)
MARK = "c1:0123456789abcdef:0198c0de-0000-7000-8000-000000000000/upload_files"


@pytest.fixture
def calls(monkeypatch) -> Counter[str]:
    """The number of calls by name, of those that Python makes itself."""
    counts: Counter[str] = Counter()

    def counting(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object, **options: object) -> object:
            counts[name] += 1
            return call(*arguments, **options)

        return counted

    for name in CALLS:
        monkeypatch.setattr(os, name, counting(name, getattr(os, name)))
    for name in ("_set", "_get"):
        monkeypatch.setattr(labels, name, counting(name, getattr(labels, name)))
    return counts


@pytest.fixture(autouse=True)
def _attributes(tmp_path):
    """A disk with extended attributes."""
    try:
        os.setxattr(tmp_path, labels.ATTRIBUTE, b"1")
    except (AttributeError, OSError):
        pytest.skip("there are no extended attributes here")


def test_a_small_file_takes_twelve_calls(storage, source, sending, calls):
    """Five for the source, five for the content and its label, two for the name."""
    files = [source(f"d/{number}", b"content") for number in range(21)]
    storage.put(files.pop(), sending(mark=MARK))
    calls.clear()
    for file in files:
        storage.put(file, sending(mark=MARK))
    assert {name: count / len(files) for name, count in calls.items()} == {
        "open": 2,
        "fstat": 3,
        "read": 1,
        "write": 1,
        "_set": 1,
        "link": 1,
        "unlink": 1,
        "close": 2,
    }
