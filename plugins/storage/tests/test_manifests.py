"""The manifests in a state folder are found by as much of a run as tells it from the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from handrail_storage import StorageError
from handrail_storage.manifests import find_manifest, manifests_in, remove_manifest

FIRST = "0198c0de-0000-7000-8000-00000000000a"
SECOND = "0198c0de-1111-7000-8000-00000000000b"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (f"{SECOND}.db", f"{FIRST}.db", f"{FIRST}.db-wal", "notes.db", "other.txt"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_the_latest_is_last(folder: Path) -> None:
    assert [path.stem for path in manifests_in(folder)] == [FIRST, SECOND]
    assert find_manifest(folder, None, action="export", error=StorageError).stem == SECOND


@pytest.mark.parametrize("run", [FIRST, "0198c0de-0", "0000000a", "a"])
def test_a_run_is_found_by_its_beginning_or_its_end(folder: Path, run: str) -> None:
    assert find_manifest(folder, run, action="export", error=StorageError).stem == FIRST


@pytest.mark.parametrize(
    ("run", "said"),
    [("0198", "several exports fit 0198: "), ("ffff", "there is no export ffff in")],
)
def test_none_or_several_are_an_error(folder: Path, run: str, said: str) -> None:
    with pytest.raises(StorageError, match=said):
        find_manifest(folder, run, action="export", error=StorageError)
    with pytest.raises(StorageError, match="there is no export in"):
        find_manifest(folder / "never", run, action="export", error=StorageError)


def test_a_manifest_goes_with_what_sqlite_keeps_beside_it(folder: Path) -> None:
    remove_manifest(folder / f"{FIRST}.db")
    remove_manifest(folder / f"{FIRST}.db")
    remove_manifest(folder / "other.txt" / "below.db")
    assert [path.stem for path in manifests_in(folder)] == [SECOND]
    assert not (folder / f"{FIRST}.db-wal").exists()
