"""A small file costs a fixed number of calls: counted, as times depend on machines."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable

import pytest

from handrail_storage.backend import labels
from handrail_upload.manifest import SENT

CALLS = (
    *("open", "read", "write", "close", "stat", "lstat", "fstat", "link", "rename", "replace"),
    *("unlink", "remove", "mkdir", "rmdir", "fsync", "listdir", "scandir", "access", "readlink"),
)
MARK = "c1:0123456789abcdef:0198c0de-0000-7000-8000-000000000000/upload_files"


@pytest.fixture
def calls(monkeypatch, tmp_path) -> Counter[str]:
    """The number of calls by name, of those that Python makes itself."""
    counts: Counter[str] = Counter()
    here = (str(tmp_path), "/proc/self/fd/")

    def counting(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object, **options: object) -> object:
            path = str(arguments[0]) if arguments else ""
            # A thread of an earlier test may still be busy elsewhere.
            if not path.startswith("/") or path.startswith(here):
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


def test_a_small_file_takes_ten_calls(storage, source, sending, calls):
    """Five for the source, four for the content and its label, one for the name."""
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
        "close": 2,
    }


def test_a_small_file_takes_few_function_calls(storage, source, sending):
    """In Python, they take as long as the system calls."""
    sent, files = sending(mark=MARK), [source(f"d/{number}", b"content") for number in range(21)]
    storage.put(files.pop(), sent)
    made = Counter[str]()

    def count(frame, event, _):
        made[frame.f_code.co_name] += event == "call"

    sys.setprofile(count)
    for file in files:
        stored = storage.put(file, sent)
        file.settled(SENT, stored.sha256, stored.etag, stored.version, stored.size)
    sys.setprofile(None)
    often = {name: number for name, number in made.items() if number >= len(files)}
    assert sum(often.values()) / len(files) <= 38, often


def test_a_glance_takes_one_call_for_a_file(storage, source, sending, calls):
    """It is looked at from its folder, which is opened once for all of them."""
    keys = [f"d/{number}" for number in range(20)]
    for key in keys:
        storage.put(source(key, b"content"), sending(mark=MARK))
    calls.clear()
    assert [*storage.glance(keys)] == keys
    assert calls["stat"] == len(keys)
    assert calls.total() < len(keys) + 10


def test_its_undo_takes_five_calls(storage, source, sending, calls):
    """Three for a look at it and its label, and two to delete it if it is still that one."""
    keys = [f"d/{number}" for number in range(20)]
    for key in keys:
        storage.put(source(key, b"content"), sending(mark=MARK))
    calls.clear()
    found = storage.stats(keys)
    assert storage.delete_found(list(found.values())) == set()
    for_each = {name: count // len(keys) for name, count in calls.items()}
    assert {name: count for name, count in for_each.items() if count} == {
        "lstat": 3,
        "_get": 1,
        "unlink": 1,
    }


def test_looking_for_what_kills_left_takes_no_call_for_a_file(storage, source, sending, calls):
    """The folder is listed."""
    keys = [f"d/{number}" for number in range(20)]
    for key in keys:
        storage.put(source(key, b"content"), sending(mark=MARK))
    calls.clear()
    storage.abort_unfinished(keys, "0198c0de-0000-7000-8000-000000000000")
    assert calls.total() < len(keys)
