"""Collections of pictures as COCO and YOLO: what is written, and what becomes of broken ones."""

from __future__ import annotations

import json
import os

import pytest

from handrail_export import ConvertDataStep, DefaultExportAction, Shape
from handrail_export.errors import InvalidPicturesError

NAMES = ["circle", "square", "triangle"]
BOXES = [[1, 1, 2, 2], [5, 1, 2, 2], [3, 4, 3, 1]]


def coco(here, name="instances"):
    return json.loads((here / "out" / "annotations" / f"{name}.json").read_text())


def test_coco(shapes, export, here):
    """Each patch of a mask is an annotation; the pictures are copied as they are."""
    done = export("shapes.db", "out", format="coco", categories=NAMES)
    told = coco(here)
    assert [each["file_name"] for each in told["images"]] == [
        "deep/scene_3.png",
        "scene_1.png",
        "scene_2.png",
    ]
    assert {(each["width"], each["height"]) for each in told["images"]} == {(8, 6)}
    assert told["images"][0]["metadata"] == {"split": "train", "note": "ünïcödé 🎨"}
    assert told["categories"] == [{"id": n, "name": name} for n, name in enumerate(NAMES, 1)]
    first = [each for each in told["annotations"] if each["image_id"] == 1]
    assert [each["bbox"] for each in first] == BOXES
    assert [each["area"] for each in first] == [4, 4, 3]
    assert first[2]["segmentation"] == [[3, 4, 6, 4, 6, 5, 3, 5]]
    assert [each["id"] for each in told["annotations"]] == list(range(1, 10))
    for name in ("scene_1", "deep/scene_3"):
        copy, original = here / "out" / "images", shapes.store / "image_1"
        assert (copy / f"{name}.png").read_bytes() == (original / f"{name}.png").read_bytes()
    assert done.result["exported_count"] == done.result["total_count"] == 3
    assert done.result["summary"].startswith("exported 3 pictures to out · 4 files, ")


def test_coco_in_splits(shapes, export, here):
    """A key of the metadata splits the collection: a file and a folder for each value."""
    export("shapes.db", "out", format="coco", partition_by=["split"])
    assert [each["file_name"] for each in coco(here, "instances_test")["images"]] == ["scene_2.png"]
    assert len(coco(here, "instances_train")["images"]) == 2
    assert (here / "out" / "images" / "test" / "scene_2.png").is_file()
    # Both files have all categories, with the same numbers.
    categories = [coco(here, f"instances_{name}")["categories"] for name in ("test", "train")]
    assert categories[0] == categories[1]
    assert [each["name"] for each in categories[0]] == ["1", "2", "3"]


def test_yolo(shapes, export, here):
    """A line for each shape, in parts of the picture; the data file names splits and categories."""
    export("shapes.db", "out", format="yolo", categories=NAMES, partition_by=["split"])
    label = (here / "out" / "labels" / "test" / "scene_2.txt").read_text()
    assert label.splitlines() == [
        "0 0.250000 0.333333 0.250000 0.333333",
        "1 0.750000 0.333333 0.250000 0.333333",
        "2 0.562500 0.750000 0.375000 0.166667",
    ]
    assert (here / "out" / "images" / "train" / "deep" / "scene_3.png").is_file()
    assert (here / "out" / "data.yaml").read_text() == (
        'path: .\ntrain: "images/train"\nval: "images/train"\ntest: "images/test"\n'
        'names:\n  0: "circle"\n  1: "square"\n  2: "triangle"\n'
    )


def test_yolo_without_splits(shapes, export, here):
    """All of it is for training where nothing splits it."""
    export("shapes.db", "out", format="yolo")
    assert len(list((here / "out" / "labels" / "train").rglob("*.txt"))) == 3


def test_shapes_of_the_metadata(catalogue, export, here):
    """The metadata may list the shapes; then the mask is not looked at."""
    listed = [{"category": "cat", "bbox": [1, 2, 3, 1.5]}]
    catalogue.scene("scene_1", annotations=listed)
    export("shapes.db", "out", format="coco")
    [told] = coco(here)["annotations"]
    assert (told["bbox"], told["area"], told["segmentation"]) == ([1, 2, 3, 1.5], 4.5, [])
    assert coco(here)["categories"] == [{"id": 1, "name": "cat"}]


def test_filter_and_limit(shapes, export, here):
    """A filter may look into the metadata, and a limit counts pictures."""
    where = "metadata->>'split' = 'train'"
    export("shapes.db", "out", format="coco", where=where, limit=1)
    assert [each["file_name"] for each in coco(here)["images"]] == ["deep/scene_3.png"]


def test_rows_of_a_catalogue(shapes, export, here):
    """As rows, a catalogue has one for each file, unit by unit."""
    done = export("shapes.db", "out.csv", columns=["unit", "role"])
    assert done.result["exported_count"] == 6
    assert (here / "out.csv").read_text().splitlines()[:3] == [
        "unit,role",
        "deep/scene_3,image_1",
        "deep/scene_3,mask_1",
    ]


def test_one_of_several_collections(shapes, export, here):
    """Where a catalogue has several, the name says which."""
    shapes.add("x", {"file": ("x.png", b"1")}, collection="other")
    done = export("shapes.db", "out.csv", fails=True)
    assert done.message == "shapes.db has the collections other, shapes"
    done = export("shapes.db", "out.csv", collection="othr", fails=True)
    assert "did you mean other?" in done.message
    assert export("shapes.db", "out.csv", collection="other").result["exported_count"] == 1


def test_files_that_are_units_of_their_own(catalogue, export, draw, here):
    """A unit that is called like its file gives the picture that name, without a second ending."""
    files = {"a.png": "a.png", "deep/b.PNG": "deep/b.PNG", "c.v2": "c.v2.png"}
    for name, file in files.items():
        catalogue.add(name, {"image_1": (file, draw.png())})
    export("shapes.db", "out", format="coco")
    found = sorted(path.name for path in (here / "out" / "images").rglob("*") if path.is_file())
    assert found == ["a.png", "b.PNG", "c.v2.png"]


def test_two_pictures_of_one_name(catalogue, export, draw, world):
    """Two pictures that would be one are refused by name, or one of them is left out."""
    catalogue.add("a", {"image_1": ("1/a.png", draw.png())})
    catalogue.add("a.png", {"image_1": ("2/a.png", draw.png())})
    before = world()
    done = export("shapes.db", "out", format="coco", fails=True)
    assert done.message == "a.png: there is another picture images/a.png"
    assert world() == before
    done = export("shapes.db", "out", format="coco", on_invalid="skip")
    assert (done.result["exported_count"], done.result["failed_count"]) == (1, 1)


def test_two_pictures_of_one_label(catalogue, export, draw, world):
    """YOLO has one label for pictures that differ in their ending only; it is told which."""
    for name in ("a.jpg", "a.png"):
        catalogue.add(name, {"image_1": (name, draw.png())})
    before = world()
    done = export("shapes.db", "out", format="yolo", fails=True)
    assert done.message.startswith("another picture is called like images/train/a.png")
    assert world() == before
    export("shapes.db", "out", format="yolo", where="name NOT LIKE '%.jpg'")


BROKEN = {
    "garbage": b"this is no picture at all",
    "nothing": b"",
    "cut off": None,
}


@pytest.mark.parametrize("kind", [*BROKEN, "gone", "no picture", "strange name", "bad mask"])
@pytest.mark.parametrize("on_invalid", ["fail", "skip"])
def test_broken_pictures(shapes, export, draw, here, world, seen, kind, on_invalid):
    """A broken picture is told by its name; it fails the export, or is left out and counted."""
    content = {**BROKEN, "cut off": draw.png()[:20]}.get(kind, draw.png())
    name, other = "image_1/zz.png", "mask_1/zz.png"
    files = {"image_1": (name, content), "mask_1": (other, draw.mask())}
    if kind == "no picture":
        del files["image_1"]
    if kind == "bad mask":
        files["mask_1"] = (other, draw.mask(("01", "10")))
    shapes.add("../zz" if kind == "strange name" else "zz", files, {"split": "train"})
    if kind == "gone":
        os.unlink(shapes.store / name)
    before = world()
    done = export(
        "shapes.db", "out", format="coco", on_invalid=on_invalid, fails=on_invalid == "fail"
    )
    assert [file for event, _, file in seen.logged if event == "invalid"] == [
        "../zz" if kind == "strange name" else "zz"
    ]
    if on_invalid == "fail":
        assert "zz" in done.message
        assert "--on-invalid skip" in done.ways_out
        assert world() == before
        return
    counts = {"exported_count": 3, "failed_count": 1, "total_count": 4}
    assert {**done.result, **counts} == done.result
    assert "3 pictures, 1 left out" in done.result["summary"]
    assert len(coco(here)["images"]) == 3


def test_only_broken_pictures(catalogue, export, world):
    """Where none is valid nothing is written, and the line says how many were left out."""
    catalogue.add("a", {"image_1": ("a.png", b"garbage")})
    done = export("shapes.db", "out", format="yolo", on_invalid="skip")
    told = "nothing to export: shapes.db has no such pictures, 1 left out"
    assert done.result["summary"] == told
    assert "out/images" not in world()


def test_content_that_has_changed(shapes, export, world):
    """A picture is compared with what the catalogue says about it while it is copied."""
    path = shapes.store / "image_1" / "scene_2.png"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    before = world()
    done = export("shapes.db", "out", format="coco", fails=True)
    assert f"{path} is not what was uploaded" in done.message
    assert world() == before


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"annotations": [{"bbox": [1, 2]}]}, "an annotation of zz makes no sense"),
        ({"annotations": ["cat"]}, "an annotation of zz makes no sense"),
        ("[1]", "the metadata of zz is not an object of JSON"),
        ("{", "the metadata of zz is not JSON"),
    ],
)
def test_metadata_that_makes_no_sense(shapes, export, draw, metadata, told):
    shapes.add("zz", {"image_1": ("zz.png", draw.png())}, metadata)
    assert told in export("shapes.db", "out", format="coco", fails=True).message


def test_split_by_what_is_not_there(shapes, export):
    done = export("shapes.db", "out", format="yolo", partition_by=["splt"], fails=True)
    assert "the metadata of its unit has no splt, and 2 more pictures" in done.message


def test_roles_that_are_not_clear(catalogue, export, draw):
    """Where several roles have pictures, which one is asked for, and the option is named."""
    catalogue.add("a", {"left": ("l/a.png", draw.png()), "right": ("r/a.png", draw.png())})
    done = export("shapes.db", "out", format="coco", fails=True)
    assert "several: left, right" in done.message
    assert done.ways_out == "--pictures ROLE"
    assert export("shapes.db", "out", format="coco", pictures="left").result["exported_count"] == 1


def test_annotations_of_ones_own(shapes, export, here):
    """What tells the shapes is a strategy of `convert_data`."""

    class Whole:
        def shapes(self, unit, size, read):
            if unit.name == "scene_2":
                raise InvalidPicturesError("not that one")
            yield Shape(category=unit.metadata["split"], box=(0, 0, *size), area=size[0] * size[1])

    class Labelled(DefaultExportAction):
        def setup_steps(self, registry):
            super().setup_steps(registry)
            registry.replace("convert_data", ConvertDataStep(Whole()))

    export("shapes.db", "out", format="coco", on_invalid="skip", action=Labelled)
    assert [each["bbox"] for each in coco(here)["annotations"]] == [[0, 0, 8, 6]] * 2
