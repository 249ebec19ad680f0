"""The manifests in a state folder are found by the number of a run, or its UUID."""

from __future__ import annotations

import os
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from handrail.errors import NotFoundError
from handrail_storage.manifests import (
    find_run,
    manifests_in,
    remove_manifest,
    runs_in,
)

FIRST = "0198c0de-0000-7000-8000-00000000000a"
SECOND = "0198c0de-1111-7000-8000-00000000000b"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (f"{SECOND}.db", f"{FIRST}.db", f"{FIRST}.db-wal", "notes.db", "other.txt"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_the_latest_is_last(folder: Path) -> None:
    assert [path.stem for path in manifests_in(folder)] == [FIRST, SECOND]
    assert find_run(folder, None, action="export").uid == SECOND


def test_a_manifest_goes_with_what_sqlite_keeps_beside_it(folder: Path) -> None:
    remove_manifest(folder / f"{FIRST}.db")
    remove_manifest(folder / f"{FIRST}.db")
    remove_manifest(folder / "other.txt" / "below.db")
    assert [path.stem for path in manifests_in(folder)] == [SECOND]
    assert not (folder / f"{FIRST}.db-wal").exists()


def test_a_run_is_found_by_its_number(folder: Path) -> None:
    """Of two runs with one number, from two journals, the number is the name of the later one."""
    third = "0198c0de-2222-7000-8000-00000000000c"
    for run, number in ((FIRST, 5), (SECOND, 5), (third, 12)):
        (folder / f"{run}.db").unlink(missing_ok=True)
        with closing(sqlite3.connect(folder / f"{run}.db")) as database, database:
            database.execute("CREATE TABLE about (name TEXT, value TEXT)")
            database.execute("INSERT INTO about VALUES ('number', ?)", (str(number),))
    assert [each.name for each in runs_in(folder)] == [FIRST, "5", "12"]
    found = find_run(folder, "5", action="export")
    assert (found.uid, found.number) == (SECOND, 5)
    assert find_run(folder, FIRST, action="export").name == FIRST
    with pytest.raises(NotFoundError, match="there is no export 7 in"):
        find_run(folder, "7", action="export")
    with pytest.raises(NotFoundError, match="there is no export in"):
        find_run(folder / "never", None, action="export")


def test_an_action_of_a_chain_has_its_place_in_time(folder: Path) -> None:
    """Its id follows from that of the run, and does not begin with the time."""
    chain = "0198c0de-0999-7000-8000-00000000000c"
    own = folder / f"{uuid.uuid5(uuid.UUID(chain), 'export')}.db"
    own.write_bytes(b"")
    began = (uuid.UUID(FIRST).int >> 80) / 1000
    os.utime(own, (began + 1, began + 1))
    assert [path.stem for path in manifests_in(folder)] == [FIRST, own.stem, SECOND]
