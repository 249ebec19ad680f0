"""A dry run tells what an upload would do, file by file, and writes nothing."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from handrail import StepFailedError


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
            "open the catalogue out.db",
        ],
        "upload_files": ["new        a  3 B", "new        sub/b  2 kB", "2 files to send, 2 kB"],
        "generate_data_units": ["register 2 units in out.db"],
        "cleanup": ["close what is open"],
    }
    assert seen.data("organize_files")["summary"] == "2 files in 2 units"
    assert seen.data("validate_files")["summary"] == "2 files valid"


@pytest.mark.parametrize(
    ("keep", "told"),
    [
        (True, "keep what was replaced until the run is pruned, and close what is open"),
        ("30d", "keep what was replaced for 30d, and close what is open"),
        (False, "discard what was replaced, so the run cannot be undone; close what is open"),
    ],
)
def test_it_tells_what_becomes_of_replaced_files(
    write: Callable[..., Path], dry_run: Callable[..., Any], keep: bool | str, told: str
) -> None:
    """And whether the run could be undone later."""
    write({"a": "aaa"})
    assert dry_run(if_exists="overwrite", keep_replaced=keep)["cleanup"] == [told]


@pytest.mark.parametrize(
    ("if_exists", "lines"),
    [
        (
            "same",
            [
                "conflict   changed  something else is stored there",
                "new        new  1 B",
                "unchanged  same  4 B",
            ],
        ),
        (
            "overwrite",
            [
                "replace    changed  4 B",
                "new        new  1 B",
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
                "conflict   changed  something is stored there",
                "conflict   same  something is stored there",
                "new        new  1 B",
            ],
        ),
    ],
)
def test_new_unchanged_replaced_and_conflicting(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    dry_run: Callable[..., Any],
    world: Callable[[], Any],
    seen: Any,
    if_exists: str,
    lines: list[str],
) -> None:
    """Each file is listed with what would become of it, and all is as before.

    Conflicts fail the dry run as they would the upload.
    """
    write({"changed": "old", "same": "same"})
    upload()
    write({"changed": "new!", "new": "n"})
    before = world()
    fails = any(line.startswith("conflict") for line in lines)
    with pytest.raises(StepFailedError, match="cannot be stored") if fails else nullcontext():
        dry_run(if_exists=if_exists)
    assert seen.previews["upload_files"] == lines
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
    fails = params.get("source") == "nowhere"
    with pytest.raises(StepFailedError, match="is no folder") if fails else nullcontext():
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
    assert "     new        b/c  3 B" in done.stdout.splitlines()
    assert "b/c" not in done.stderr
    assert done.stdout.endswith("\nupload would run 7 of 8 steps; nothing was done\n")
    assert max(map(len, done.stderr.splitlines())) <= 100
    assert world() == before


def test_it_fails_where_the_upload_would(
    write: Callable[..., Path], handrail: Callable[..., Any], world: Callable[[], Any]
) -> None:
    """With the same exit code; what is invalid is told once, and nothing that contradicts it."""
    write({f"{n:03}": "" if n else "x" for n in range(40)})
    before = world()
    done = handrail("run", "upload", "src", "out", "--dry-run")
    assert done.returncode == 1
    assert world() == before
    listed = [line for line in done.stdout.splitlines() if "invalid_file" in line]
    assert listed == [f"     invalid_file ({n:03}) is empty" for n in [*range(1, 11), 39]]
    assert "     ... and 28 more: --all" in done.stdout.splitlines()
    for word in ("send", "register", "would run"):
        assert word not in done.stdout
    assert "error: upload would fail at validate_files" in done.stderr
    assert "39 files cannot be uploaded: 001: is empty, and 38 more" in done.stderr
    real = handrail("run", "upload", "src", "out", "--no-journal")
    assert real.returncode == done.returncode
    done = handrail("run", "upload", "src", "out", "--dry-run", "--all")
    assert done.stdout.count("invalid_file") == 39


def test_files_that_are_left_out_are_not_counted_later(
    write: Callable[..., Path], dry_run: Callable[..., Any]
) -> None:
    write({"a": "", "b": "b"})
    told = dry_run(on_invalid="skip")
    assert told["upload_files"] == ["new        b  1 B", "1 file to send, 1 B"]
    assert told["generate_data_units"] == ["register 1 unit in out.db"]


def test_all_goes_with_a_dry_run(write: Callable[..., Path], handrail: Callable[..., Any]) -> None:
    write("a")
    done = handrail("run", "upload", "src", "out", "--all")
    assert (done.returncode, "--all goes with --dry-run" in done.stderr) == (2, True)


@pytest.mark.parametrize("left_out", [["--only", "upload_files"], ["--skip", "organize_files"]])
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_parts_that_lack_what_they_need(
    write: Callable[..., Path], handrail: Callable[..., Any], left_out: list[str], more: list[str]
) -> None:
    """They say which step would have made it, and that is a mistake on the command line."""
    write("a")
    done = handrail("run", "upload", "src", "out", *left_out, *more)
    assert (done.returncode, "0 B" in done.stdout) == (2, False)
    assert "it needs organize_files, which was left out of this run" in done.stderr


def test_many_files(write: Callable[..., Path], handrail: Callable[..., Any]) -> None:
    """Each of them is listed with --all, and in short the first ones and how many there are."""
    write({f"{n:04}": "x" for n in range(1003)})
    told = handrail("run", "upload", "src", "out", "--dry-run", "--all").stdout.splitlines()
    assert [f"     new        {n:04}  1 B" for n in range(1003)] == [
        line for line in told if line.startswith("     new ")
    ]
    short = handrail("run", "upload", "src", "out", "--dry-run").stdout.splitlines()
    start = short.index(" ○ upload_files")
    assert short[start + 10 :][:3] == [
        "     new        0009  1 B",
        "     ... and 993 more: --all",
        "     1,003 files to send, 1 kB",
    ]


def test_many_invalid_files(write: Callable[..., Path], handrail: Callable[..., Any]) -> None:
    """They are listed in short, and each of them with --all: no list is left to look into."""
    write({f"{n:03}": "" for n in range(130)})
    short = handrail("run", "upload", "src", "out", "--dry-run")
    told = [line for line in short.stdout.splitlines() if "invalid_file" in line]
    assert (short.returncode, len(told), "... and 119 more: --all" in short.stdout) == (1, 11, True)
    everything = handrail("run", "upload", "src", "out", "--dry-run", "--all").stdout.splitlines()
    assert [f"     invalid_file ({n:03}) is empty" for n in range(130)] == [
        line for line in everything if "invalid_file" in line
    ]


def test_a_bucket_that_is_missing(
    write: Callable[..., Path],
    handrail: Callable[..., Any],
    moto: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is told by the first step, as an upload would."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.secret_key)
    write("a")
    done = handrail("run", "upload", "src", "s3://acme-missing/x", "--dry-run")
    assert done.returncode == 1
    assert "error: upload would fail at initialize" in done.stderr
    assert "NoSuchBucket (404 from s3://acme-missing/x)" in done.stderr
    assert done.stdout.splitlines()[0] != " ○ upload_files"
