"""Catalogues that handrail-upload itself has made, where that pack is installed."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("handrail_upload") is None, reason="handrail-upload is not installed"
)

SAMPLE = Path(__file__).parents[3] / "examples" / "sample_collection"
NAMES = ["circle", "square", "triangle"]


@pytest.fixture(params=["sqlite", "postgres"])
def catalogue_url(request, here):
    """Upload the sample collection; return the catalogue."""
    from handrail_upload import DefaultUploadAction

    url = "shapes.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    params = {
        "source": SAMPLE / "files",
        "target": "store",
        "specification": SAMPLE / "collection.toml",
        "metadata_file": SAMPLE / "metadata.csv",
        "catalogue": url,
    }
    DefaultUploadAction(params, packs=()).run()
    return url


def test_coco(catalogue_url, export, here):
    """The pictures arrive with their metadata, and the shapes are those that were drawn."""
    done = export(catalogue_url, "out", format="coco", categories=NAMES)
    told = json.loads((here / "out" / "annotations" / "instances.json").read_text())
    assert done.result["exported_count"] == 12
    for image in told["images"]:
        original = SAMPLE / "files" / "image_1" / image["file_name"]
        assert (here / "out" / "images" / image["file_name"]).read_bytes() == original.read_bytes()
        mine = [each for each in told["annotations"] if each["image_id"] == image["id"]]
        for number, name in enumerate(("circles", "squares", "triangles"), 1):
            count = sum(each["category_id"] == number for each in mine)
            assert count == int(image["metadata"][name]), image["file_name"]


def test_rows(catalogue_url, export, here):
    """As rows, it has a row for each file, by unit."""
    export(catalogue_url, "out.jsonl", where="role = 'image_1'", columns=["unit", "size", "key"])
    rows = [json.loads(line) for line in (here / "out.jsonl").read_text().splitlines()]
    assert [each["unit"] for each in rows] == [f"scene_{number:02}" for number in range(1, 13)]
    assert all(each["size"] == (here / "store" / each["key"]).stat().st_size for each in rows)
