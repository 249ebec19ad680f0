"""What an upload of small files costs for each: counted, as times depend on machines."""

from __future__ import annotations

import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handrail import StepFailedError, step
from handrail_storage.backend import contents, local
from handrail_storage.claims import lists
from handrail_upload import DefaultUploadAction
from handrail_upload.manifest import files_cache, manifest
from handrail_upload.steps import organize_files
from handrail_upload.storage import LocalStorage

Calls = Counter[str]


@pytest.fixture(autouse=True)
def grain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let also files be known that were written just now."""
    monkeypatch.setattr(files_cache, "GRAIN", -(10**9))


def _calls(run: Callable[[], object]) -> Calls:
    """Return the function calls in Python, of all threads, by name."""
    made = Calls()

    def count(frame: Any, event: str, _: object) -> None:
        if event == "call":
            made[frame.f_code.co_name] += 1

    threading.setprofile(count)
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return made


@pytest.fixture
def for_each(
    write: Callable[..., Path], upload: Callable[..., Any]
) -> Callable[[], tuple[Calls, Calls]]:
    """Return what each file costs more: calls of a first upload, and of the next one."""

    def _for_each() -> tuple[Calls, Calls]:
        found: list[tuple[Calls, Calls]] = []
        for count in (100, 300, 500):  # The first one imports what is needed.
            source = write({f"d/{number:03}": "x" for number in range(count)}, f"src{count}")
            runs = [
                _calls(lambda: upload(source=source, target=f"out{count}"))  # noqa: B023
                for _ in range(2)
            ]
            found.append((runs[0], runs[1]))
        _, few, many = found
        first, again = (
            Counter({name: round((more[name] - less[name]) / 200) for name in more})
            for less, more in zip(few, many, strict=True)
        )
        return +first, +again

    return _for_each


def test_each_file_costs_few_function_calls(for_each: Callable[[], tuple[Calls, Calls]]) -> None:
    """They take as long as the system calls for a file, or as its rows in SQLite."""
    first, again = for_each()
    assert first.total() <= 64, first
    assert again.total() <= 13, again


forward: list[int] = []  # The peak of memory before the undo.


@step
def failing(context: Any) -> None:
    forward.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.reset_peak()
    raise ValueError("no")


class Undone(DefaultUploadAction):
    """An upload that is undone when all is done."""

    def setup_steps(self, registry: Any) -> None:
        super().setup_steps(registry)
        registry.insert_after("generate_data_units", failing)


def test_memory_does_not_grow_with_the_files(
    write: Callable[..., Path], make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an upload nor its undo keeps anything of each file, not even its name."""
    for module in (manifest, lists, organize_files, local):
        monkeypatch.setattr(module, "PAGE" if hasattr(module, "PAGE") else "_PAGE", 50)
    monkeypatch.setattr(LocalStorage, "batch", 50)
    for module in (contents, lists):
        monkeypatch.setattr(module, "_BLOCK", 1000)
    monkeypatch.setattr(contents, "_SMALL", 1000)

    def peaks(count: int) -> tuple[int, int]:
        long = "x" * 200
        source = write({f"d{n // 50:03}/{n:04}{long}": "x" for n in range(count)}, f"src{count}")
        action = make(Undone, source=source, target=f"out{count}", collection="c")
        tracemalloc.start()
        try:
            with pytest.raises(StepFailedError):
                action.run()
            return forward.pop(), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peaks(100)  # It imports what is needed.
    few, many = peaks(300), peaks(1500)
    growth = [after - before for before, after in zip(few, many, strict=True)]
    assert max(growth) < 1200 * 150, growth  # A name has 212 bytes.
