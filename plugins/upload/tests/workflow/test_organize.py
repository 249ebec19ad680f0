"""organize_files: what is part of the source, and which files make a data unit."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handrail import ParamsError, StepFailedError
from handrail_upload.errors import SourceError
from handrail_upload.manifest import Manifest

SPEC = """
name = "scenes"
[files.image]
extensions = [".png"]
[files.mask]
required = false
extensions = [".png"]
suffix = "_mask"
[files.note]
required = false
extensions = [".txt"]
"""


@pytest.fixture
def spec(here: Path) -> str:
    (here / "collection.toml").write_text(SPEC)
    return "collection.toml"


@pytest.mark.parametrize("way", ["plain", "through a link", "from a link", "as a URL"])
def test_what_the_upload_itself_uses(
    write: Callable[..., Path],
    here: Path,
    upload: Callable[..., Any],
    stored: Callable[..., list[str]],
    way: str,
) -> None:
    """Target, catalogue, lists, sheet and specification inside the source are no part of it."""
    source = write("a.png sub/b.png")
    write({"collection.toml": '[files.image]\nextensions = [".png"]\n'})
    write({"sheet.csv": "file,x\na.png,1\n"})
    (here / "door").symlink_to(source)
    root = "door" if way == "through a link" else "src"
    for _ in range(3):
        upload(
            source="door" if way == "from a link" else "src",
            target=f"file://{source}/out" if way == "as a URL" else f"{root}/out",
            catalogue=f"sqlite://{source}/c.db" if way == "as a URL" else f"{root}/c.db",
            folder=f"{root}/state",
            metadata_file=f"{root}/sheet.csv",
            specification=f"{root}/collection.toml",
        )
        assert stored("src/out") == ["a.png", "sub/b.png"]
    assert sorted(os.listdir(source)) == [
        "a.png",
        "c.db",
        "collection.toml",
        "out",
        "sheet.csv",
        "state",
        "sub",
    ]


def test_in_the_source_folder(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    stored: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`cd src; handrail run upload . ../out` leaves out the catalogue that it makes there."""
    monkeypatch.chdir(write("a b/c"))
    for _ in range(2):
        result = upload(source=".", target="../out")
        assert stored() == ["a", "b/c"]
    assert result["summary"].endswith("2 units in out.db")


def test_source_and_target_are_one(
    write: Callable[..., Path], here: Path, upload: Callable[..., Any]
) -> None:
    """A folder is not uploaded onto itself, whatever way leads there."""
    (here / "door").symlink_to(write("a"))
    for target in ("src", "./src/", str(here / "src"), "door", f"file://{here}/src"):
        with pytest.raises(StepFailedError, match="source and target are the same folder: src"):
            upload(target=target)


def test_without_a_specification(
    write: Callable[..., Path], upload: Callable[..., Any], seen: Any, units: Callable[..., Any]
) -> None:
    """Every file is a unit of its own, called like its path."""
    write("a.png a.txt sub/a.png .hidden")
    upload()
    summary = "3 files in 3 units, 1 hidden file ignored"
    assert seen.data("organize_files") == {
        "summary": summary,
        "files": 3,
        "bytes": 19,
        "units": 3,
        "left": {"hidden": 1},
    }
    assert list(units()) == ["a.png", "a.txt", "sub/a.png"]


def test_grouped_by_stem(
    write: Callable[..., Path],
    here: Path,
    upload: Callable[..., Any],
    units: Callable[..., Any],
    spec: str,
) -> None:
    """Files with the same stem are one unit, in their folder; optional roles may be missing."""
    write("a.png a_mask.png a.txt sub/a.png sub/b.png sub/b.txt")
    upload(specification=spec)
    out = f"{here}/out"
    found = units(collection="scenes")
    assert {name: files for name, (_, files) in found.items()} == {
        "a": [f"{out}/a.png", f"{out}/a_mask.png", f"{out}/a.txt"],
        "sub/a": [f"{out}/sub/a.png"],
        "sub/b": [f"{out}/sub/b.png", f"{out}/sub/b.txt"],
    }


def test_locations_hold_from_everywhere(
    write: Callable[..., Path], here: Path, upload: Callable[..., Any], units: Callable[..., Any]
) -> None:
    """Locations in the catalogue are absolute, however the target was given."""
    write("a")
    upload(target="./x/../out")
    assert units() == {"a": ({}, [f"{here}/out/a"])}


def test_folders_that_are_no_text(
    here: Path, upload: Callable[..., Any], units: Callable[..., Any]
) -> None:
    """Source and target may have names that are no UTF-8; in the catalogue those are %XX."""
    source = here / os.fsdecode(b"caf\xe9")
    source.mkdir()
    (source / "a").write_text("a")
    upload(source=str(source), target=os.fsdecode(b"out\xff"))
    assert (here / os.fsdecode(b"out\xff") / "a").read_text() == "a"
    assert units("out%FF.db", "out%FF") == {"a": ({}, [f"{here}/out%FF/a"])}


def test_the_sample_collection(
    sample: Path,
    upload: Callable[..., Any],
    seen: Any,
    units: Callable[..., Any],
    stored: Callable[..., list[str]],
) -> None:
    """The sample is twelve pictures with their masks, and nothing is left over."""
    result = upload(
        source=str(sample / "files"),
        specification=str(sample / "collection.toml"),
        metadata_file=str(sample / "metadata.csv"),
    )
    assert seen.data("analyze_collection")["roles"] == ["image_1", "mask_1"]
    assert seen.data("organize_files")["summary"] == "24 files in 12 units"
    assert (result["uploaded_files"], result["data_units"]) == (24, 12)
    found = units(collection="shapes")
    assert list(found) == [f"scene_{n:02}" for n in range(1, 13)]
    assert all(len(files) == 2 and meta["split"] for meta, files in found.values())
    assert len(stored()) == 24


def test_sources_by_role(
    sample: Path,
    upload: Callable[..., Any],
    units: Callable[..., Any],
    stored: Callable[..., list[str]],
) -> None:
    """With a source for each role, files are stored below the name of their role."""
    (sample / "files" / "mask_1").rename(sample / "elsewhere")
    sources = {"image_1": str(sample / "files/image_1"), "mask_1": str(sample / "elsewhere")}
    upload(sources=sources, specification=str(sample / "collection.toml"))
    assert {name.partition("/")[0] for name in stored()} == {"image_1", "mask_1"}
    assert len(units(collection="shapes")) == 12


def test_a_source_for_no_role(
    sample: Path, upload: Callable[..., Any], world: Callable[[], Any]
) -> None:
    """A source for a role that the specification lacks stops the run before anything is sent."""
    before = world()
    with pytest.raises(StepFailedError, match="there is a source for image, and no such role"):
        upload(
            sources={"image": str(sample / "files")},
            specification=str(sample / "collection.toml"),
        )
    assert world() == before


@pytest.mark.parametrize(
    ("limit", "taken"),
    [(1, ["b"]), (2, ["b", "c"]), (4, ["a/1", "a/2", "b", "c"]), (99, ["a/1", "a/2", "b", "c"])],
)
def test_limit(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    stored: Callable[..., list[str]],
    limit: int,
    taken: list[str],
) -> None:
    """A limit takes the first data units, in the order in which their files are found."""
    write("a/1 a/2 b c .d")
    upload(limit=limit)
    assert stored() == taken


def test_limit_of_units(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    stored: Callable[..., list[str]],
    spec: str,
) -> None:
    """A limit cuts no data unit apart: all files of the first ones are taken, wherever they are."""
    write({f"image/{n}.png": "x" for n in range(5)} | {f"note/{n}.txt": "x" for n in range(5)})
    upload(specification=spec, limit=2)
    assert stored() == ["image/0.png", "image/1.png", "note/0.txt", "note/1.txt"]


def test_limit_of_many(
    write: Callable[..., Path], upload: Callable[..., Any], seen: Any, spec: str
) -> None:
    """What clashes, or has no place, does not count towards the limit."""
    write({f"{n:04}.png": "x" for n in range(1500)})
    write("0000.PNG 0001.doc")
    upload(specification=spec, limit=1100, on_invalid="skip")
    assert seen.data("organize_files")["files"] == 1100


@pytest.mark.parametrize(
    ("files", "options", "why"),
    [
        (".a", {}, "the source has no files (0 files in 0 units, 1 hidden file ignored)"),
        ("a", {"include": ["*.jpg"]}, "no file fits --include (0 files in 0 units)"),
        ("a .b", {"include": ["*.jpg"]}, "no file fits --include (0 files in 0 units, 1 hidden"),
        ("a", {"max_size": "0B"}, "no file fits --max-size"),
        ("a", {"min_size": 2, "max_age": "1d"}, "no file fits --min-size, --max-age"),
    ],
)
def test_no_files(
    write: Callable[..., Path],
    here: Path,
    upload: Callable[..., Any],
    files: str,
    options: Any,
    why: str,
) -> None:
    """An upload of nothing is refused with the reason, and leaves nothing, unless it is allowed."""
    write(files)
    with pytest.raises(StepFailedError, match=re.escape(why)) as caught:
        upload(**options)
    error = caught.value.__cause__
    assert isinstance(error, SourceError)
    assert error.ways_out[-1].endswith("--allow-nothing")
    assert ("--hidden" in error.ways_out[0]) == (files == ".a")
    assert [each.name for each in here.iterdir()] == ["src"]
    assert upload(**options, allow_nothing=True)["success"]


def test_metadata_of_no_file(
    write: Callable[..., Path], here: Path, upload: Callable[..., Any], seen: Any
) -> None:
    """Rows whose file is not there are told with their lines, and files without a row counted."""
    write("a b/c d")
    (here / "sheet.csv").write_text("file,n\na,1\nc,2\nmisspelt,3\n")
    upload(metadata_file="sheet.csv")
    assert seen.logs("metadata_without_file") == [("misspelt", "line 4 of the metadata")]
    data = seen.data("organize_files")
    assert (data["metadata_without_file"], data["files_without_metadata"]) == (1, 1)


@pytest.mark.parametrize("allowance", [{"on_invalid": "skip"}, {"max_failed_files": "100%"}])
def test_nothing_left_to_upload(
    write: Callable[..., Path], here: Path, upload: Callable[..., Any], allowance: Any
) -> None:
    """An upload of which all files are left out is one of nothing, too."""
    write("a")
    (here / "list").write_text("gone\n")
    with pytest.raises(StepFailedError, match="would be left out, such as gone: it is listed"):
        upload(files_from="list", **allowance)
    assert not (here / "out").exists()
    assert upload(files_from="list", allow_nothing=True, **allowance)["uploaded_files"] == 0


def test_many_that_are_left_alone(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    seen: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are noted in pages: one by one, that takes as long as all the rest."""
    write({"a": "a"} | {f".{number}": "" for number in range(2001)})
    noted = list[int]()
    note_many = Manifest.note_many

    def counting(self: Manifest, notes: list[tuple[str, str, str]]) -> None:
        noted.append(len(notes))
        note_many(self, notes)

    monkeypatch.setattr(Manifest, "note_many", counting)
    upload()
    assert noted == [1000, 1000, 1]
    assert seen.data("organize_files")["left"] == {"hidden": 2001}


def test_nothing_to_upload(
    write: Callable[..., Path], upload: Callable[..., Any], stored: Callable[..., list[str]]
) -> None:
    """An empty source is a mistake, such as a disk that is not mounted, unless it is allowed."""
    write("")
    with pytest.raises(ParamsError, match=r"the folder src is empty; check .*allow-nothing"):
        upload()
    result = upload(allow_nothing=True)
    assert (result["success"], result["uploaded_files"], result["data_units"]) == (True, 0, 0)
    assert result["summary"] == "uploaded 0 new to out · 0 B · 0 units in out.db"
    assert stored() == []


@pytest.mark.parametrize(
    ("kind", "told"), [("missing", "there is no folder src"), ("file", "src is no folder")]
)
def test_no_source(
    here: Path, upload: Callable[..., Any], world: Callable[[], Any], kind: str, told: str
) -> None:
    """Without a source folder nothing is made at all."""
    if kind == "file":
        (here / "src").write_text("x")
    before = world()
    with pytest.raises(ParamsError, match=f"source: {told}"):
        upload()
    assert world() == before
