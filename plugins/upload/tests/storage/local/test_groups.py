"""Workers take small files of a folder in groups: to hand one over costs as much as to store it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from handrail_upload.errors import SourceError
from handrail_upload.manifest import NEW, SENT, Manifest, SourceFile
from handrail_upload.params import UploadParams
from handrail_upload.storage import LocalStorage
from handrail_upload.transfer import Transfer

MIB = 1 << 20


class Claim:
    """A claim that nobody takes away."""

    def mark(self, step: str) -> str:
        return f"c1:0123456789abcdef:0198c0de-0000-7000-8000-000000000000/{step}"

    def touch(self) -> None:
        pass


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return Manifest(tmp_path / "manifest.db")


@pytest.fixture
def transfer(storage: LocalStorage, manifest: Manifest, tmp_path: Path) -> Transfer:
    options = UploadParams(source=tmp_path, target=storage.address)
    return Transfer(storage, manifest, options, claim=cast("Any", Claim()))


@pytest.fixture
def groups(transfer: Transfer, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of files that workers take at a time."""
    taken: list[int] = []
    lock, place = threading.Lock(), transfer._place

    def counting(files: list[SourceFile]) -> list[SourceFile]:
        with lock:
            taken.append(len(files))
        return place(files)

    monkeypatch.setattr(transfer, "_place", counting)
    return taken


def add(manifest: Manifest, source: Callable[..., SourceFile], contents: list[bytes]) -> None:
    for number, content in enumerate(contents):
        file = source(f"d/{number}", content)
        manifest.add([replace(file, state=NEW)])


def test_small_files_are_taken_together(transfer, manifest, groups, source, root):
    """All arrive, and are noted."""
    add(manifest, source, [b"content"] * 70)
    transfer.send()
    assert sorted(groups) == [6, 32, 32]
    assert len(os.listdir(root / "d")) == 70
    assert manifest.count(SENT) == 70


def test_large_files_are_taken_alone(transfer, manifest, groups, source):
    """So that other workers get some, too."""
    add(manifest, source, [b"1" * MIB] * 3)
    transfer.send()
    assert groups == [1, 1, 1]


def test_a_file_that_fails_ends_all(transfer, manifest, source):
    """What cannot be read is told, and nothing goes on after that."""
    add(manifest, source, [b"content"] * 70)
    os.unlink(next(iter(manifest.files(NEW))).path)
    before = threading.active_count()
    with pytest.raises(SourceError, match="d/0: it vanished"):
        transfer.send()
    assert threading.active_count() == before
