"""process_metadata: what a sheet says about files ends up with their units."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handrail import StepFailedError
from handrail_upload.errors import MetadataError


@pytest.fixture
def sheet(here: Path) -> Callable[[str], str]:
    """Return a function that writes a sheet and returns its name."""

    def _sheet(text: str, name: str = "sheet.csv") -> str:
        (here / name).write_text(text)
        return name

    return _sheet


def test_metadata_of_units(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    units: Callable[..., Any],
    sheet: Callable[..., str],
) -> None:
    """A row tells about a file by its path, or by its bare name; all else has none."""
    write("a.png sub/a.png sub/b.png c.png")
    upload(metadata_file=sheet("file,x,y\na.png,1,\nsub/a.png,2,z\nb.png,3,\n"))
    assert {name: metadata for name, (metadata, _) in units().items()} == {
        "a.png": {"x": "1"},
        "c.png": {},
        "sub/a.png": {"x": "2", "y": "z"},
        "sub/b.png": {"x": "3"},
    }


def test_metadata_of_several_files(
    write: Callable[..., Path],
    here: Path,
    upload: Callable[..., Any],
    units: Callable[..., Any],
    sheet: Callable[..., str],
) -> None:
    """A unit knows what the rows of all its files say."""
    write("image/a.png mask/a.png")
    (here / "s.toml").write_text("[files.image]\n[files.mask]\n")
    rows = "file,x,y\nimage/a.png,1,\nmask/a.png,,2\n"
    upload(metadata_file=sheet(rows), specification="s.toml")
    assert units()["a"][0] == {"x": "1", "y": "2"}


def test_metadata_by_role(
    sample: Path, upload: Callable[..., Any], units: Callable[..., Any]
) -> None:
    """With a source for each role, a sheet names files by role and path."""
    sources = {role: str(sample / "files" / role) for role in ("image_1", "mask_1")}
    upload(
        sources=sources,
        specification=str(sample / "collection.toml"),
        metadata_file=str(sample / "metadata.csv"),
    )
    found = units(collection="shapes")
    assert len(found) == 12
    assert all(metadata["split"] for metadata, _ in found.values())


def test_another_column(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    units: Callable[..., Any],
    sheet: Callable[..., str],
) -> None:
    """The column with the names can be given; one that is not there is refused."""
    write("a")
    rows = sheet("file,picture\nb,a\n")
    upload(metadata_file=rows, metadata_key="picture")
    assert units() == {"a": ({"file": "b"}, units()["a"][1])}
    with pytest.raises(StepFailedError, match="there is no column 'pictur'") as caught:
        upload(metadata_file=rows, metadata_key="pictur")
    assert caught.value.__cause__.ways_out == ("did you mean picture?",)


def test_one_name_twice(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    sheet: Callable[..., str],
    world: Callable[[], Any],
) -> None:
    """A name that comes twice is refused with both its lines, near each other or far apart."""
    write("a b")
    for between in (0, 2500):
        rows = "".join(f"f{n},0\n" for n in range(between))
        name = sheet(f"file,x\na,1\n{rows}a,2\n")
        before = world()
        lines = f"a is there twice, on lines 2 and {between + 3}"
        with pytest.raises(StepFailedError, match=lines) as caught:
            upload(metadata_file=name)
        assert isinstance(caught.value.__cause__, MetadataError)
        assert world() == before


def test_values_with_types(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    units: Callable[..., Any],
    sheet: Callable[..., str],
) -> None:
    """JSONL keeps numbers, lists and null."""
    write("a")
    rows = '{"file": "a", "n": 1, "tags": ["x"], "none": null}\n'
    upload(metadata_file=sheet(rows, "sheet.jsonl"))
    assert units()["a"][0] == {"n": 1, "tags": ["x"], "none": None}


def test_changed_metadata(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    seen: Any,
    units: Callable[..., Any],
    sheet: Callable[..., str],
) -> None:
    """When only the sheet has changed, nothing is sent, and the units are changed."""
    write("a b")
    upload(metadata_file=sheet("file,x\na,1\nb,1\n"))
    result = upload(metadata_file=sheet("file,x\na,1\nb,2\n"))
    assert (result["uploaded_files"], result["data_units"]) == (0, 0)
    told = seen.data("generate_data_units")
    assert (told["added"], told["changed"], told["unchanged"]) == (0, 1, 1)
    assert units()["b"][0] == {"x": "2"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("file,x\n\xff", None),
        ("a.png,1\nb.png,2\n", "the header is missing"),
        (None, "No such file"),
    ],
)
def test_a_sheet_that_cannot_be_read(
    write: Callable[..., Path], upload: Callable[..., Any], here: Path, text: str, told: str | None
) -> None:
    """A sheet that makes no sense stops the run before anything is sent, and is named."""
    write("a")
    if text is not None:
        (here / "sheet.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(StepFailedError, match=told or "sheet.csv") as caught:
        upload(metadata_file="sheet.csv")
    assert caught.value.step == "process_metadata"
    assert not (here / "out").exists()


def test_skipped_without_a_sheet(
    write: Callable[..., Path], upload: Callable[..., Any], seen: Any
) -> None:
    """Without a sheet the step is skipped, and counts for the progress all the same."""
    write("a")
    result = upload()
    assert (result["steps_executed"], result["steps_total"]) == (7, 8)
    assert [each["step"] for each in seen.told("StepSkipped")] == ["process_metadata"]
