"""How the files of an upload to a folder are sent."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from handrail_upload.errors import SourceError
from handrail_upload.made import Made
from handrail_upload.manifest import NEW, SENT, Manifest, SourceFile
from handrail_upload.params import UploadParams
from handrail_upload.storage import LocalStorage, Stored
from handrail_upload.transfer import Transfer


class Claim:
    """A claim that nobody takes away."""

    def mark(self, step: str) -> str:
        return f"c1:0123456789abcdef:0198c0de-0000-7000-8000-000000000000/{step}"

    def touch(self) -> None:
        pass


@pytest.fixture
def manifest(tmp_path: Path) -> Iterator[Manifest]:
    with closing(Manifest(tmp_path / "manifest.db")) as made:
        yield made


@pytest.fixture
def transfer(storage: LocalStorage, manifest: Manifest, tmp_path: Path) -> Transfer:
    options = UploadParams(source=tmp_path, target=storage.address)
    context = SimpleNamespace(
        use_storage=lambda: storage,
        use_manifest=lambda: manifest,
        use_source=lambda: None,
        options=options,
        results={},
        current_step=None,
        record_rollback_many=lambda key, values: None,
        set_progress=lambda current, total, category: None,
    )
    return Transfer(cast("Any", context), claim=cast("Any", Claim()))


def add(manifest: Manifest, source: Callable[..., SourceFile], contents: list[bytes]) -> None:
    for number, content in enumerate(contents):
        file = source(f"d/{number}", content)
        manifest.add([replace(file, state=NEW)])


def test_small_files_are_stored_by_this_thread(transfer, manifest, source, root, monkeypatch):
    """To hand one over to another thread takes as long as to store it."""
    threads = set()
    put = LocalStorage.put

    def counting(*given):
        threads.add(threading.current_thread())
        return put(*given)

    monkeypatch.setattr(LocalStorage, "put", counting)
    add(manifest, source, [b"content"] * 70)
    transfer.send()
    assert threads == {threading.current_thread()}
    assert len(os.listdir(root / "d")) == 70
    assert manifest.count(SENT) == 70


def test_a_file_that_fails_ends_all(transfer, manifest, source):
    """What cannot be read is told, and nothing goes on after that."""
    add(manifest, source, [b"content"] * 70)
    os.unlink(next(iter(manifest.files(NEW))).path)
    before = threading.active_count()
    with pytest.raises(SourceError, match="d/0: it vanished"):
        transfer.send()
    assert threading.active_count() == before


def test_a_file_that_ends_costs_the_same_however_many_are_under_way(
    transfer, manifest, source, monkeypatch
):
    """The thread that collects them takes one of them in its hands, not all."""
    add(manifest, source, [b"content"] * 200)
    monkeypatch.setattr(transfer, "_threads", True)
    turn, calls = threading.Semaphore(1), []

    def put(self, file, *_):
        turn.acquire()  # So that they end one by one.
        return Stored(key=file.key, size=file.size, etag=None)

    def add_one(self, _file):
        turn.release()

    def count(_frame, event, _):
        calls[-1] += event == "call"

    monkeypatch.setattr(LocalStorage, "put", put)
    monkeypatch.setattr(Made, "add", add_one)
    for workers in (2, 32):
        transfer._workers = workers
        transfer._sending.stop.clear()
        calls.append(0)
        sys.setprofile(count)
        transfer.send()
        sys.setprofile(None)
    assert calls[1] < 1.2 * calls[0], calls
