"""Bad input: one message, the exit code that says whose turn it is, and nothing left."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]
World = Callable[[], dict[str, str]]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("a-file", "out"), 2, "SOURCE: a-file is no folder"),
        (("nowhere", "out"), 2, "SOURCE: there is no folder nowhere"),
        (("bare", "out"), 2, "SOURCE: the folder bare is empty; check that its disk is mounted"),
        (("src", "src"), 1, "source and target are the same folder"),
        (("src", "out", "--include", "*.jpg"), 1, "no file fits --include (0 files in 0 units)"),
        (("src", "out", "--min-size", "1GB"), 1, "no file fits --min-size (0 files in 0 units, 2 "),
        (("src", "out", "--files-from", "climbing"), 1, "../a-file is in the list of files, and"),
        (("src", "out", "--files-from", "nowhere"), 2, "--files-from: there is no file nowhere"),
        (("src", "out", "--files-from", "missing"), 1, "gone.txt: it is listed, and is not there"),
        (("src", "out", "--include", "[ab"), 2, "--include: a pattern is wrong: [ab: "),
        (("src", "out", "--max-size", "1,000 MB"), 2, "--max-size: is not a size, such as 500kB"),
        (("src", "out", "--min-age", "often"), 2, "--min-age: is not a duration, such as 90s"),
        (("src", "out", "--transfers", "0"), 2, "--transfers: "),
        (
            ("src", "out", "--min-size", "2kB", "--max-size", "1kB"),
            2,
            "--min-size is above --max-s",
        ),
        (("src", "out", "--min-age", "2d", "--max-age", "1d"), 2, "--min-age is above --max-age"),
        (("src", "out", "--checksum", "--compare", "size"), 2, "--checksum reads all files, --com"),
        (("src", "out", "--source", "a=src"), 2, "give either SOURCE or sources, not both"),
        (("out", "--source", "a=src"), 2, "sources go by role, so they need a specification"),
        (("src", "out", "--metadata-key", "n"), 2, "--metadata-key needs --metadata FILE"),
    ],
)
def test_bad_input(
    write: Callable[..., Path],
    here: Path,
    handrail: Command,
    words: tuple[str, ...],
    code: int,
    told: str,
) -> None:
    """It is told once, by the names of options, and leaves nothing but the record of a run."""
    write("a b/c")
    (here / "bare").mkdir()
    for name, text in {"a-file": "x", "climbing": "../a-file\n", "missing": "gone.txt\n"}.items():
        (here / name).write_text(text)
    before = sorted(here.rglob("*"))
    done = handrail("run", "upload", "-q", *words)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert " ".join(done.stderr.split()).count(told) == 1, done.stderr
    assert "Traceback" not in done.stderr
    left = {path for path in here.rglob("*") if ".handrail" not in path.parts}
    assert sorted(left) == before
    assert not (here / ".handrail/uploads").exists()


def test_a_bucket_that_is_not_there(
    write: Callable[..., Path],
    here: Path,
    handrail: Command,
    moto: Any,
) -> None:
    """It is told by its name, and nothing is sent."""
    write("a")
    variables = {
        "AWS_ENDPOINT_URL": moto.endpoint,
        "AWS_ACCESS_KEY_ID": moto.access_key,
        "AWS_SECRET_ACCESS_KEY": moto.secret_key,
    }
    done = handrail("run", "upload", "src", "s3://no-such-bucket/x", **variables)
    assert done.returncode == 1
    assert "no-such-bucket" in done.stderr
    assert {path.name for path in here.iterdir()} == {"src", ".handrail"}


@pytest.mark.parametrize(("source", "target"), [("src", "src/out"), ("out/src", "out")])
def test_a_target_within_the_source_and_the_other_way_round(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    seen: Any,
    here: Path,
    world: World,
    source: str,
    target: str,
) -> None:
    """Works, also again: what is at the target is no part of the source, and is told."""
    write("a b/c", source)
    before = world()
    for new in (2, 0):
        result = upload(source=source, target=target)
        assert (result["uploaded_files"], result["unchanged_files"]) == (new, 2 - new)
    assert (here / target / "b/c").read_text()
    inside = target.startswith(source)
    assert seen.data("organize_files")["left"] == ({"own": 1} if inside else {})
    assert before.items() <= world().items()


def test_files_whose_names_are_one_text_are_both_told(
    write: Callable[..., Path], here: Path, handrail: Command
) -> None:
    """By their real names, with what cannot be printed as an escape."""
    source = write("a%0Ab")
    (source / "a\nb").write_text("x")
    done = handrail("run", "upload", "src", "out")
    assert done.returncode == 1
    assert r"src/a\nb'" in done.stderr
    assert "src/a%0Ab'" in done.stderr
    assert not (here / "out").exists()
