"""How far an upload is: in bytes and files, never backwards, and at its end all of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail_upload.progress import Progress


def check(told: list[tuple[float, float, str | None]]) -> dict[str | None, tuple[float, float]]:
    """Check that each category has one total and never goes back; return where each has ended."""
    ended: dict[str | None, tuple[float, float]] = {}
    for current, total, category in told:
        before, same = ended.get(category, (0, total))
        assert total == same > 0
        assert before <= current <= total
        ended[category] = (current, total)
    return ended


@pytest.mark.parametrize(
    ("files", "params", "ended"),
    [
        ({"a": "aaa", "b": "b"}, {}, {"files": (2, 2), "bytes": (4, 4), "units": (2, 2)}),
        ({}, {"allow_nothing": True}, {}),
        ({"a": "", "b": ""}, {"allow_empty": True}, {"files": (2, 2), "units": (2, 2)}),
        # What is not valid is no part of it.
        (
            {"a": "aaa", "b": ""},
            {"on_invalid": "skip"},
            {"files": (1, 1), "bytes": (3, 3), "units": (1, 1)},
        ),
        (
            {f"{n:04}": "x" * n for n in range(1200)},
            {"allow_empty": True},
            {"files": (1200, 1200), "bytes": (719400, 719400), "units": (1200, 1200)},
        ),
        (
            {"large": b"x" * (6 << 20), "small": "s"},
            {"part_size": "5MiB"},
            {"files": (2, 2), "bytes": ((6 << 20) + 1,) * 2, "units": (2, 2)},
        ),
    ],
    ids=["two", "none", "empty", "invalid", "many", "large"],
)
@pytest.mark.parametrize("target", ["out", "memory://progress"])
def test_ends_with_all(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    seen: Any,
    files: dict[str, Any],
    params: dict[str, Any],
    ended: dict[str, Any],
    target: str,
    request: pytest.FixtureRequest,
) -> None:
    """Bytes, files and units go up to their totals, and the run to 100 %."""
    write(files)
    upload(target=f"{target}-{request.node.callspec.id}", **params)
    assert check(seen.progress) == ended
    percents = [each["percent"] for each in seen.told("ProgressChanged")]
    assert percents == sorted(set(percents))
    assert percents[-1] == 100


def test_unchanged_files_count(
    write: Callable[..., Path], upload: Callable[..., Any], seen: Any
) -> None:
    """Files that need not be sent count as done: all of them, or some."""
    write({"a": "aaa", "b": "b"})
    upload()
    seen.progress.clear()
    upload()
    assert check(seen.progress) == {"files": (2, 2), "bytes": (4, 4), "units": (2, 2)}
    write({"c": "cc"})
    seen.progress.clear()
    upload(if_exists="skip")
    assert check(seen.progress)["bytes"] == (6, 6)


@given(st.lists(st.integers(-30, 60), max_size=30))
@settings(max_examples=100, deadline=None)
def test_bytes_that_were_sent_in_vain(counts: list[int]) -> None:
    """When bytes are taken back, as for another attempt, what is told stays where it was."""
    told: list[tuple[float, float, str | None]] = []
    progress = Progress(3, 100, lambda *report: told.append(report))
    for count in counts:
        progress.add(count)
        progress._told = 0  # As if that had been a while ago.
    progress.add(10, 1)
    progress.finish()
    ended = check([(max(current, 0), total, unit) for current, total, unit in told])
    assert ended == {"files": (3, 3), "bytes": (100, 100)}
    assert all(current >= 0 for current, _, _ in told)


def test_from_many_threads() -> None:
    """Threads that report at once neither lose a byte nor make it go back."""
    told: list[tuple[float, float, str | None]] = []
    progress = Progress(8, 8000, lambda *report: told.append(report))

    def work() -> None:
        for _ in range(1000):
            progress.add(1)
            progress._told = 0
        progress.add(0, 1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    check(told)
    progress._told = 0
    progress.tell()
    assert told[-2:] == [(8, 8, "files"), (8000, 8000, "bytes")]


def test_not_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand files in a moment are told once; a while later they are told again."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    told: list[tuple[float, float, str | None]] = []
    progress = Progress(2000, 0, lambda *report: told.append(report))
    for _ in range(1000):
        progress.add(10, 1)
    assert len(told) == 1
    now[0] += 1
    progress.add(10, 1)
    assert told == [(1, 2000, "files"), (1001, 2000, "files")]


def test_what_was_done_before() -> None:
    """Files that an attempt before this one has settled count from the start."""
    told: list[tuple[float, float, str | None]] = []
    progress = Progress(5, 50, lambda *report: told.append(report), done=(2, 20))
    progress.add(10, 1)
    assert told == [(3, 5, "files"), (30, 50, "bytes")]
