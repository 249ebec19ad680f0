"""Finding files: patterns, hidden ones, links, what cannot be read, order and depth."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handrail_upload import FolderDiscovery
from handrail_upload.discovery import Found, LeftAlone, Search
from handrail_upload.errors import SourceError

TREE = "a.txt b.log raw/a.txt raw/keep.txt raw/deep/c.log sub/raw/d.txt sub/b.log z/y/x.txt"


@pytest.fixture
def find(here: Path) -> Callable[..., list[Found | LeftAlone]]:
    """Return a function that looks for files in `src`."""

    def _find(**search: Any) -> list[Found | LeftAlone]:
        return list(FolderDiscovery().find(Search(**{"sources": {"": Path("src")}, **search})))

    return _find


@pytest.fixture
def names(find: Callable[..., list[Found | LeftAlone]]) -> Callable[..., list[str]]:
    """Return a function that looks for files, and returns their names."""

    def _names(**search: Any) -> list[str]:
        return [each.name for each in find(**search) if isinstance(each, Found)]

    return _names


@pytest.fixture
def left(find: Callable[..., list[Found | LeftAlone]]) -> Callable[..., dict[str, str]]:
    """Return a function that tells what is left alone: kind and reason by name."""

    def _left(**search: Any) -> dict[str, str]:
        found = [each for each in find(**search) if isinstance(each, LeftAlone)]
        return {each.name: f"{each.kind}: {each.why}" for each in found}

    return _left


@pytest.mark.parametrize(
    ("exclude", "gone"),
    [
        ("*.log", "b.log raw/deep/c.log sub/b.log"),
        ("/*.log", "b.log"),
        ("b.log", "b.log sub/b.log"),
        ("/b.log", "b.log"),
        ("raw/", "raw/a.txt raw/keep.txt raw/deep/c.log sub/raw/d.txt"),
        ("/raw", "raw/a.txt raw/keep.txt raw/deep/c.log"),
        ("raw/*.txt", "raw/a.txt raw/keep.txt"),
        ("**/raw/*.txt", "raw/a.txt raw/keep.txt sub/raw/d.txt"),
        ("raw/**", "raw/a.txt raw/keep.txt raw/deep/c.log"),
        ("z/**/x.txt", "z/y/x.txt"),
        ("?.txt", "a.txt raw/a.txt sub/raw/d.txt z/y/x.txt"),
        ("[ab].*", "a.txt b.log raw/a.txt sub/b.log"),
        ("*.txt !keep.txt", "a.txt raw/a.txt sub/raw/d.txt z/y/x.txt"),
        ("!keep.txt *.txt", "a.txt raw/a.txt raw/keep.txt sub/raw/d.txt z/y/x.txt"),
        # As with git: what lies in a folder that is left out cannot be taken in again.
        ("/raw/ !raw/keep.txt", "raw/a.txt raw/keep.txt raw/deep/c.log"),
        ("/raw/* !raw/keep.txt", "raw/a.txt raw/deep/c.log"),
        ("#a.txt", ""),
        ("nothing", ""),
    ],
)
def test_exclude(
    write: Callable[..., Path], names: Callable[..., list[str]], exclude: str, gone: str
) -> None:
    """Patterns to exclude mean what they mean in a .gitignore file."""
    write(TREE)
    left_out = set(TREE.split()) - set(names(exclude=tuple(exclude.split())))
    assert left_out == set(gone.split())


@pytest.mark.parametrize(
    ("include", "exclude", "taken"),
    [
        ("*.log", "", "b.log raw/deep/c.log sub/b.log"),
        ("/a.txt raw/deep", "", "a.txt raw/deep/c.log"),
        ("raw/", "", "raw/a.txt raw/keep.txt raw/deep/c.log sub/raw/d.txt"),
        ("*.txt !a.txt", "", "raw/keep.txt sub/raw/d.txt z/y/x.txt"),
        ("*.txt", "raw/", "a.txt z/y/x.txt"),
        ("*.jpg", "", ""),
    ],
)
def test_include(
    write: Callable[..., Path],
    names: Callable[..., list[str]],
    include: str,
    exclude: str,
    taken: str,
) -> None:
    """With patterns to include, only what matches them counts, unless it is excluded."""
    write(TREE)
    found = names(include=tuple(include.split()), exclude=tuple(exclude.split()))
    assert set(found) == set(taken.split())


def test_a_wrong_pattern(write: Callable[..., Path], find: Callable[..., Any]) -> None:
    """A pattern that means nothing is refused, with an example of one."""
    write(TREE)
    with pytest.raises(SourceError, match="a pattern is wrong: ") as caught:
        find(exclude=("!",))
    assert "such as *.jpg" in caught.value.ways_out[0]


def test_order(write: Callable[..., Path], names: Callable[..., list[str]]) -> None:
    """Files come folder by folder, by name, whatever the file system says."""
    write("b/2 b/1 b/c/1 a/1 ab Z ä 10 9")
    expected = ["10", "9", "Z", "ab", "ä", "a/1", "b/1", "b/2", "b/c/1"]
    assert names() == expected
    assert names() == names(include=("*",))


def test_hidden(
    write: Callable[..., Path], names: Callable[..., list[str]], left: Callable[..., Any]
) -> None:
    """What begins with a dot is told and left alone, with all that is below it, unless wanted."""
    write("a .b .c/d e/.f/g e/h")
    assert names() == ["a", "e/h"]
    why = "hidden: its name begins with a dot"
    assert left() == {".b": why, ".c/": why, "e/.f/": why}
    assert names(hidden=True) == [".b", "a", ".c/d", "e/h", "e/.f/g"]
    assert left(hidden=True) == {}


def test_what_belongs_to_a_target_is_no_file(
    write: Callable[..., Path], names: Callable[..., list[str]], left: Callable[..., Any]
) -> None:
    """Where the source, or a folder in it, was a target itself, its claims are not copied."""
    write(
        "a .handrail-target/claims/epoch b/.handrail-target/lists/x b/.handrail-targets/y"
        " c/.handrail-target"
    )
    assert names(hidden=True) == ["a", "b/.handrail-targets/y"]
    assert names(names=("a", ".handrail-target/claims/epoch", "b/.handrail-target/lists/x")) == [
        "a"
    ]
    assert left(hidden=True) == dict.fromkeys(
        (".handrail-target/", "b/.handrail-target/", "c/.handrail-target"),
        "own: uploads use it themselves",
    )


def test_links(
    write: Callable[..., Path],
    here: Path,
    names: Callable[..., list[str]],
    left: Callable[..., Any],
) -> None:
    """A link counts only where it leads to a file inside the source; folders are not followed."""
    source = write("a sub/b")
    (here / "secret").write_text("outside")
    for name, to in {
        "inside": "a",
        "sub/up": "../a",
        "absolute": str(source / "a"),
        "chain": "inside",
        "outside": "../secret",
        "src-too": str(source.parent / "src2"),
        "broken": "nowhere",
        "loop": "loop",
        "folder": "sub",
        "sub/self": ".",
        "root": "/",
    }.items():
        (source / name).symlink_to(to)
    (here / "src2").write_text("its name begins like that of the source")
    assert names() == ["a", "absolute", "chain", "inside", "sub/b", "sub/up"]
    assert left() == {
        "broken": "link: it leads nowhere",
        "loop": "link: it leads nowhere",
        "folder": "link: links to folders are not followed",
        "sub/self": "link: links to folders are not followed",
        "outside": "link: it leads out of the source",
        "src-too": "link: it leads out of the source",
        "root": "link: it leads out of the source",
    }


def test_links_are_followed(
    write: Callable[..., Path],
    here: Path,
    names: Callable[..., list[str]],
    left: Callable[..., Any],
) -> None:
    """If asked for, also to folders and out of the source; a hidden folder stays hidden."""
    source = write("a sub/b")
    write("c deep/d .hidden/e", "other")
    links = {"out": "../other", "file": "../other/c", "again": "sub", "broken": "x", "me": "me"}
    for name, to in {**links, ".dot": "../other", "kept": "../kept"}.items():
        (source / name).symlink_to(to)
    (here / "kept").mkdir()
    found = names(follow_links=True, avoid=frozenset({str(here / "kept")}))
    assert found == ["a", "file", "again/b", "out/c", "out/deep/d", "sub/b"]
    assert left(follow_links=True) == {
        ".dot/": "hidden: its name begins with a dot",
        "broken": "link: it leads nowhere",
        "me": "link: it leads nowhere",
        "out/.hidden/": "hidden: its name begins with a dot",
    }
    assert names(follow_links=True, names=("out/c", "again/b")) == ["out/c", "again/b"]


def test_links_in_a_circle_are_told(
    write: Callable[..., Path], names: Callable[..., list[str]], left: Callable[..., Any]
) -> None:
    """A link to a folder above it, by whatever way, is no end of folders."""
    source, other = write("a sub/b"), write("c deep/d", "other")
    for link, to in {
        source / "self": ".",
        source / "sub/up": "..",
        source / "root": "/",
        source / "out": "../other",
        other / "deep/back": "../../src",
        other / "deep/sub": "../../src/sub",
    }.items():
        link.symlink_to(to)
    assert names(follow_links=True) == [
        *("a", "out/c", "out/deep/d", "out/deep/sub/b", "sub/b"),
    ]
    assert set(left(follow_links=True).values()) == {"link: it leads to a folder that it is in"}
    assert set(left(follow_links=True)) == {
        *("self", "sub/up", "root", "out/deep/back", "out/deep/sub/up"),
    }


def test_sizes_and_times(
    write: Callable[..., Path], names: Callable[..., list[str]], left: Callable[..., Any]
) -> None:
    """Limits of size and time are part of what is asked for; a list of names does not lift them."""
    source = write({f"{size}": "x" * size for size in range(5)})
    for size in range(5):
        os.utime(source / f"{size}", ns=(0, 1000 + size))
    assert names(sizes=(1, 3)) == ["1", "2", "3"]
    assert names(times=(1002, 1003)) == ["2", "3"]
    assert names(sizes=(0, 2), times=(1002, 1009)) == ["2"]
    assert names(sizes=(0, 2), include=("[12]",), exclude=("1",)) == ["2"]
    assert names(sizes=(2, 2), names=("1", "2")) == ["2"]
    assert left(sizes=(1, 9)) == {"0": "outside: its size or age is not asked for"}
    assert left(sizes=(1, 9), names=("0",)) == left(sizes=(1, 9))


def test_links_between_sources(write: Callable[..., Path], find: Callable[..., Any]) -> None:
    """A link from the source of one role into that of another is inside."""
    images, masks = write("a.png", "images"), write("b.png", "masks")
    (masks / "a.png").symlink_to(images / "a.png")
    found = find(sources={"image": images, "mask": masks})
    assert [(each.source, each.name) for each in found] == [
        ("image", "a.png"),
        ("mask", "a.png"),
        ("mask", "b.png"),
    ]


def test_unreadable(
    write: Callable[..., Path],
    names: Callable[..., list[str]],
    left: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Files and folders that cannot be read are problems, and the rest is found."""
    source = write("a b sub/c")
    (source / "b").chmod(0o600)
    scandir, access = os.scandir, os.access

    def refuse(path: Any) -> Any:
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    def may(path: Any, mode: int) -> bool:
        return Path(path).name != "b" and access(path, mode)

    # Root may read everything, so the system is made to refuse.
    monkeypatch.setattr("os.scandir", refuse)
    monkeypatch.setattr("os.access", may)
    assert names() == ["a"]
    assert left() == {
        "b": "unreadable: no permission to read it",
        "sub/": "unreadable: Permission denied",
    }
    assert source.is_dir()


def test_names_that_are_no_text(write: Callable[..., Path], find: Callable[..., Any]) -> None:
    """Bytes that are no UTF-8, and control characters, are told as %XX; the path stays."""
    source = write("a")
    for name in (b"caf\xe9", b"line\nend", b"\x1b[31m", "日本 ü".encode()):
        (Path(os.fsdecode(os.path.join(os.fsencode(source), name)))).write_text("x")
    found = {each.name: os.fsencode(Path(each.path).name) for each in find()}
    assert found == {
        "a": b"a",
        "caf%E9": b"caf\xe9",
        "line%0Aend": b"line\nend",
        "%1B[31m": b"\x1b[31m",
        "日本 ü": "日本 ü".encode(),
    }


def test_found(write: Callable[..., Path], find: Callable[..., Any]) -> None:
    """What was found tells where it lies, its size, and when it changed, to the nanosecond."""
    source = write({"a": "abc"})
    os.utime(source / "a", ns=(1, 1_234_567_890_123_456_789))
    [found] = find()
    assert (found.name, found.source, found.size) == ("a", "", 3)
    assert found.mtime == 1_234_567_890_123_456_789
    assert os.path.samefile(found.path, source / "a")


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_no_folder(here: Path, find: Callable[..., Any], kind: str) -> None:
    """A source that is not there, or is a file, is an error with a way out."""
    if kind == "file":
        (here / "src").write_text("x")
    with pytest.raises(SourceError, match=r"there is no folder|is no folder") as caught:
        find()
    assert str(here / "src") in caught.value.message
    assert caught.value.ways_out


def test_deep_folders(here: Path, names: Callable[..., list[str]]) -> None:
    """Fifteen hundred folders within each other are walked without recursion."""
    (here / "src").mkdir()
    back = os.open(".", os.O_RDONLY)
    try:
        os.chdir(here / "src")
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
        Path("a").write_text("x")
        os.fchdir(back)
        assert names() == ["d/" * 1500 + "a"]
    finally:
        os.fchdir(back)
        os.close(back)
        # Python's own way to remove it would be too deep a recursion.
        subprocess.run(["rm", "-rf", here / "src"], check=True)


def test_avoided(write: Callable[..., Path], names: Callable[..., list[str]]) -> None:
    """What is to be avoided is left out, by its real path."""
    source = write("a b out/c out/d/e outer/f")
    avoid = frozenset({str(source / "b"), str(source / "out")})
    assert names(avoid=avoid) == ["a", "outer/f"]
