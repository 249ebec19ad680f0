"""--files-from: what a list of files may look like, and what it may lead to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handrail import ParamsError, StepFailedError
from handrail_upload.discovery import read_names


@pytest.fixture
def listed(
    here: Path, upload: Callable[..., Any], stored: Callable[..., list[str]]
) -> Callable[..., list[str]]:
    """Return a function that uploads what a list names, and returns what was stored."""

    def _listed(content: bytes, at: str = "list", **params: Any) -> list[str]:
        (here / at).write_bytes(content)
        upload(files_from=at, **params)
        return stored(params.get("target", "out"))

    return _listed


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"", []),
        (b"a\nb c\n", ["a", "b c"]),
        (b"a\r\nb", ["a", "b"]),
        (b"\n\na\n  \n", ["a"]),
        (b"a\0b\nc\0", ["a", "b\nc"]),
        (b"a\na\n", ["a", "a"]),
        ("ü\n".encode(), ["ü"]),
        (b"\xef\xbb\xbfa\nb\n", ["a", "b"]),
        (b"caf\xe9\n", ["caf\udce9"]),
        # There are no comments: a name may begin with any character.
        (b"# a\n", ["# a"]),
        (b" a \n", [" a "]),
    ],
)
def test_formats(here: Path, content: bytes, names: list[str]) -> None:
    """A path a line, with any line ends, or separated by NUL; blank lines say nothing."""
    (here / "list").write_bytes(content)
    assert list(read_names(here / "list")) == names


def test_only_what_is_listed(write: Callable[..., Path], listed: Callable[..., list[str]]) -> None:
    """Only what is listed is uploaded, hidden files too, each once, however it is spelt."""
    write("a sub/b .hidden c")
    content = b"./a\na\nsub/../a\nsub//b\n.hidden\n"
    assert listed(content) == [".hidden", "a", "sub/b"]


def test_patterns_hold_too(write: Callable[..., Path], listed: Callable[..., list[str]]) -> None:
    """What a list names may still be excluded by a pattern."""
    write("a.txt b.log")
    assert listed(b"a.txt\nb.log\n", exclude=["*.log"]) == ["a.txt"]


def test_what_is_no_part_of_the_source(
    write: Callable[..., Path], listed: Callable[..., list[str]]
) -> None:
    """A list made by `find` inside the source does not upload the target into itself."""
    write("a")
    everything = b"./a\n./list\n./out/a\n./state/x.db\n"
    for _ in range(2):
        assert listed(everything, "src/list", target="src/out", folder="src/state") == ["a"]
    assert sorted(os.listdir("src")) == ["a", "list", "out", "state"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none", "it is listed, and is not there"),
        ("sub", "it is listed, and is a folder"),
        ("broken", "it leads nowhere"),
        ("door/secret", "it leads out of the source"),
        ("window", "it leads out of the source"),
        ("pipe", "it is no regular file"),
        ("a/b", "it is listed, and is not there"),
    ],
)
def test_listed_and_not_to_be_had(
    write: Callable[..., Path],
    here: Path,
    listed: Callable[..., list[str]],
    seen: Any,
    name: str,
    why: str,
) -> None:
    """What is listed and cannot be uploaded is a problem: it stops the run, or is left out."""
    source = write("a sub/b")
    write("secret", "outside")
    (source / "broken").symlink_to("nowhere")
    (source / "door").symlink_to("../outside")
    (source / "window").symlink_to("../outside/secret")
    os.mkfifo(source / "pipe")
    with pytest.raises(StepFailedError, match=f"1 file cannot be uploaded: {name}: {why}"):
        listed(f"a\n{name}\n".encode())
    assert seen.logs("invalid_file") == [(name, why)]
    assert listed(f"a\n{name}\n".encode(), on_invalid="skip") == ["a"]


def test_a_link_inside(write: Callable[..., Path], listed: Callable[..., list[str]]) -> None:
    """A listed link, or a path through a folder link, may lead to a file inside the source."""
    source = write("sub/a")
    (source / "link").symlink_to("sub/a")
    (source / "way").symlink_to("sub")
    assert listed(b"link\nway/a\n") == ["link", "way/a"]


def test_no_list(write: Callable[..., Path], upload: Callable[..., Any]) -> None:
    """A list that cannot be read is an error of the params, and is named."""
    write("a")
    with pytest.raises(ParamsError, match="files_from: there is no file nope"):
        upload(files_from="nope")


def test_sources_by_role(sample: Path, listed: Callable[..., list[str]]) -> None:
    """With a source for each role, a list names files of each."""
    sources = {role: str(sample / "files" / role) for role in ("image_1", "mask_1")}
    found = listed(
        b"scene_03.png\n", sources=sources, specification=str(sample / "collection.toml")
    )
    assert found == ["image_1/scene_03.png", "mask_1/scene_03.png"]
