"""A dry run tells what an upload would do, file by file, and writes nothing."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def scratch(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files, which is empty."""
    folder = here.parent / f"{here.name}-scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_what_it_tells(
    write: Callable[..., Path], here: Path, dry_run: Callable[..., Any], seen: Any
) -> None:
    """Each step with effects says what it would do; the reading ones really read."""
    write({"a": "aaa", "sub/b": "b" * 2000})
    told = dry_run()
    assert told == {
        "initialize": [
            "open the target out, and write and delete a probe there",
            "open the catalogue src.db",
        ],
        "upload_files": ["new        a  3 B", "new        sub/b  2 kB", "2 files to send, 2 kB"],
        "generate_data_units": ["register 2 units in src.db"],
        "cleanup": ["discard what was replaced, and close what is open"],
    }
    assert seen.data("organize_files")["summary"] == "2 files in 2 units"
    assert seen.data("validate_files")["summary"] == "2 files valid"


@pytest.mark.parametrize(
    ("if_exists", "lines"),
    [
        (
            "same",
            [
                "new        new  1 B",
                "unchanged  same  4 B",
                "conflict   changed  something else is stored there",
                "1 conflict: nothing would be sent",
            ],
        ),
        (
            "overwrite",
            [
                "new        new  1 B",
                "replace    changed  4 B",
                "unchanged  same  4 B",
                "2 files to send, 5 B",
            ],
        ),
        (
            "skip",
            [
                "new        new  1 B",
                "skipped    changed  4 B",
                "skipped    same  4 B",
                "1 file to send, 1 B",
            ],
        ),
        (
            "error",
            [
                "new        new  1 B",
                "conflict   changed  something is stored there",
                "conflict   same  something is stored there",
                "2 conflicts: nothing would be sent",
            ],
        ),
    ],
)
def test_new_unchanged_replaced_and_conflicting(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    dry_run: Callable[..., Any],
    world: Callable[[], Any],
    if_exists: str,
    lines: list[str],
) -> None:
    """Each file is listed with what would become of it, and all is as before."""
    write({"changed": "old", "same": "same"})
    upload()
    write({"changed": "new!", "new": "n"})
    before = world()
    assert dry_run(if_exists=if_exists)["upload_files"] == lines
    assert world() == before


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"target": "deep/down/out", "catalogue": "other/c.db", "folder": "state/x"},
        {"target": "memory://dry"},
        {"metadata_file": "sheet.csv", "specification": "s.toml"},
        {"source": "nowhere"},
    ],
    ids=["default", "deep", "memory", "files", "no source"],
)
def test_nothing_is_written(
    write: Callable[..., Path],
    here: Path,
    dry_run: Callable[..., Any],
    world: Callable[[], Any],
    scratch: Path,
    params: dict[str, Any],
) -> None:
    """Neither target, catalogue nor state folder is made, and no temporary file stays."""
    write({"a.txt": "a", "sub/b.txt": "b"})
    (here / "sheet.csv").write_text("file,x\na.txt,1\n")
    (here / "s.toml").write_text("[files.note]\n")
    before = world()
    dry_run(**params)
    gc.collect()
    assert world() == before
    assert os.listdir(scratch) == []


def test_on_the_command_line(
    write: Callable[..., Path], handrail: Callable[..., Any], world: Callable[[], Any]
) -> None:
    """--dry-run writes nothing, exits with 0, and says that nothing was done."""
    write("a b/c")
    before = world()
    done = handrail("run", "upload", "src", "out", "--dry-run")
    assert done.returncode == 0
    assert "dry run, nothing is changed" in done.stderr
    assert "     new        b/c  3 B" in done.stderr
    assert done.stdout == "upload would run 8 steps; nothing was done\n"
    assert max(map(len, done.stderr.splitlines())) <= 100
    assert world() == before


def test_problems(write: Callable[..., Path], dry_run: Callable[..., Any], seen: Any) -> None:
    """Files that are not valid are told in a dry run as well."""
    write({"a": "", "b": "b"})
    told = dry_run()
    assert seen.logs("invalid_file") == [("a", "is empty")]
    assert "1 file cannot be uploaded: a: is empty" in told["validate_files"][0]
    assert told["upload_files"] == ["new        b  1 B", "1 invalid file: nothing would be sent"]


def test_many_files(write: Callable[..., Path], dry_run: Callable[..., Any]) -> None:
    """Of each kind a thousand files are listed, then how many more there are."""
    write({f"{n:04}": "x" for n in range(1003)})
    lines = dry_run()["upload_files"]
    assert len(lines) == 1002
    assert lines[-2:] == ["... and 3 more that are new", "1,003 files to send, 1 kB"]
