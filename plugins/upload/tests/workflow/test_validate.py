"""validate_files: every problem is told with its file, and stops the run or is left out."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from handrail import StepFailedError
from handrail_upload import Manifest
from handrail_upload.errors import InvalidFilesError

SPEC = """
[files.image]
extensions = [".png", ".jpg"]
max_size = 10
[files.mask]
extensions = [".png"]
suffix = "_mask"
[files.note]
required = false
extensions = [".txt"]
min_size = 2
"""
FILES = {
    "a.png": "a",
    "a_mask.png": "m",
    "b.png": "b",
    "c_mask.png": "m",
    "d.png": "far too large",
    "d_mask.png": "m",
    "e.jpg": "e",
    "e.png": "e",
    "e_mask.png": "e",
    "f.png": "",
    "f_mask.png": "m",
    "g.png": "g",
    "g_mask.png": "m",
    "g.txt": "n",
    "read.me": "x",
}
PROBLEMS = [
    ("b.png", "unit b has no mask"),
    ("c_mask.png", "unit c has no image"),
    ("d.png", "has 13 B, image allows 10 B"),
    ("d_mask.png", "unit d has no image"),
    ("e.png", "e.jpg has its place in unit e"),
    ("f.png", "is empty"),
    ("f_mask.png", "unit f has no image"),
    ("g.txt", "has 1 B, note wants at least 2 B"),
    ("read.me", "it fits no role of the specification"),
]


@pytest.fixture
def spec(here: Path, write: Callable[..., Path]) -> str:
    write(FILES)
    (here / "collection.toml").write_text(SPEC)
    return "collection.toml"


def test_every_problem_is_told(
    upload: Callable[..., Any], spec: str, seen: Any, world: Callable[[], Any]
) -> None:
    """All problems are told in order, each with its file; nothing was sent, nothing stays."""
    before = world()
    with pytest.raises(StepFailedError) as caught:
        upload(specification=spec)
    assert seen.logs("invalid_file") == PROBLEMS
    cause = caught.value.__cause__
    assert isinstance(cause, InvalidFilesError)
    assert cause.problems == tuple(f"{name}: {why}" for name, why in PROBLEMS)
    first = "b.png: unit b has no mask"
    assert cause.message == f"9 files cannot be uploaded: {first}, and 8 more"
    assert "--on-invalid skip" in cause.ways_out[0]
    assert world() == before


def test_left_out(
    upload: Callable[..., Any], spec: str, seen: Any, stored: Callable[..., list[str]]
) -> None:
    """With on_invalid=skip just those files are left out, and told all the same."""
    result = upload(specification=spec, on_invalid="skip")
    left = ["a.png", "a_mask.png", "e.jpg", "e_mask.png", "g.png", "g_mask.png"]
    assert stored() == left
    assert seen.logs("invalid_file") == PROBLEMS
    assert seen.data("validate_files")["summary"] == "6 files valid, 9 left out"
    assert seen.data("validate_files")["problems"] == [f"{a}: {b}" for a, b in PROBLEMS]
    assert (result["uploaded_files"], result["data_units"]) == (6, 3)


@pytest.mark.parametrize("on_invalid", ["fail", "skip"])
def test_many_problems(
    write: Callable[..., Path],
    here: Path,
    upload: Callable[..., Any],
    seen: Any,
    on_invalid: str,
) -> None:
    """A hundred problems are told one by one, and where the rest is."""
    write({f"{n:03}.txt": "" for n in range(130)} | {"x": "x"})
    if on_invalid == "skip":
        upload(on_invalid="skip")
    else:
        with pytest.raises(StepFailedError, match=r"000\.txt: is empty, and 129 more$") as caught:
            upload()
        assert len(caught.value.__cause__.problems) == 100
    told = seen.logs("invalid_file")
    assert told[:100] == [(f"{n:03}.txt", "is empty") for n in range(100)]
    [(file, rest)] = told[100:]
    assert file is None
    assert rest.startswith("and 30 more")
    assert (rest == "and 30 more") == (on_invalid == "fail")
    if on_invalid == "skip":
        # The pointer leads to a list that has them all.
        with closing(Manifest(here / rest.partition("; ")[2].split()[0], make=False)) as manifest:
            assert manifest.count("invalid") == 130


@pytest.mark.parametrize("allow", [False, True])
def test_empty_files(
    write: Callable[..., Path], upload: Callable[..., Any], stored: Callable[..., Any], allow: bool
) -> None:
    """An empty file is a problem unless it is allowed."""
    write({"empty": "", "full": "x"})
    if allow:
        assert upload(allow_empty=True)["uploaded_files"] == 2
        assert stored() == ["empty", "full"]
    else:
        with pytest.raises(StepFailedError, match="uploaded: empty: is empty") as caught:
            upload()
        assert "--allow-empty" in caught.value.__cause__.ways_out[-1]


def test_allowed_empty_and_too_small(
    write: Callable[..., Path], here: Path, upload: Callable[..., Any]
) -> None:
    """Where empty files are allowed, the limits of the specification still hold."""
    write({"a.txt": ""})
    (here / "s.toml").write_text("[files.note]\nmin_size = 1\n")
    with pytest.raises(StepFailedError, match=r"a.txt: has 0 B, note wants at least 1 B"):
        upload(specification="s.toml", allow_empty=True)


def test_unreadable(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    stored: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What cannot be read stops the run, before anything is sent."""
    (write("a b") / "b").chmod(0o600)
    access = os.access
    monkeypatch.setattr(
        "os.access", lambda path, mode: Path(path).name != "b" and access(path, mode)
    )
    with pytest.raises(StepFailedError, match="1 file cannot be uploaded: b: no permission"):
        upload()
    upload(on_invalid="skip")
    assert stored() == ["a"]


def test_links_and_hidden_files_are_no_problem(
    write: Callable[..., Path], upload: Callable[..., Any], seen: Any
) -> None:
    """What is left alone by rule is counted, and does not stop the run."""
    source = write("a .b")
    (source / "broken").symlink_to("nowhere")
    os.mkfifo(source / "pipe")
    upload()
    summary = "1 file in 1 unit, 1 hidden file, 1 link, 1 special file ignored"
    assert seen.data("organize_files")["summary"] == summary
    assert seen.logs("invalid_file") == []
