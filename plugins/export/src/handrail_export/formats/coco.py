"""COCO: one JSON file for each split, as https://cocodataset.org/#format-data describes it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from handrail_export.formats.categories import Categories
from handrail_export.formats.format import CollectionFormat, Picture, Shape


class CocoFormat(CollectionFormat):
    """COCO object detection: `annotations/instances.json`, or one for each split.

    The names of images are paths below `images`, or below the folder of their split in it. Boxes
    and areas are in pixels, outlines are polygons, ids begin with 1. The catalogue's metadata of a
    picture is under `metadata` of its image.
    """

    def write(self, pictures: Iterable[Picture], folder: Path, categories: Sequence[str]) -> None:
        known = Categories(categories)
        files: dict[str, _Instances] = {}
        with ExitStack() as opened:
            for picture in pictures:
                if picture.split not in files:
                    end = f"_{picture.split}" if picture.split else ""
                    path = folder / "annotations" / f"instances{end}.json"
                    path.parent.mkdir(exist_ok=True)
                    files[picture.split] = _Instances(path, opened)
                files[picture.split].add(picture, known)
            for each in files.values():
                each.finish(known)


class _Instances:
    """One JSON file that grows: its images at once, its annotations beside it until the end."""

    def __init__(self, path: Path, opened: ExitStack) -> None:
        self._images = 0
        self._annotations = 0
        self._file = opened.enter_context(path.open("x", encoding="utf-8"))
        self._beside = opened.enter_context(
            tempfile.TemporaryFile("w+", encoding="utf-8", dir=path.parent)  # noqa: SIM115
        )
        self._file.write('{"info": {"description": "exported by handrail-export"}, "licenses": [],')
        self._file.write('\n"images": [')

    def add(self, picture: Picture, known: Categories) -> None:
        self._images += 1
        image = {
            "id": self._images,
            "file_name": _name(picture),
            "width": picture.width,
            "height": picture.height,
            "metadata": picture.metadata,
        }
        self._file.write(f"{',' if self._images > 1 else ''}\n{json.dumps(image)}")
        for shape in picture.shapes:
            self._annotations += 1
            told = _annotation(shape, self._annotations, self._images, known)
            self._beside.write(f"{',' if self._annotations > 1 else ''}\n{json.dumps(told)}")

    def finish(self, known: Categories) -> None:
        self._file.write('\n],\n"annotations": [')
        self._beside.seek(0)
        for block in iter(lambda: self._beside.read(1 << 20), ""):
            self._file.write(block)
        named = [{"id": number + 1, "name": name} for number, name in enumerate(known.names)]
        self._file.write(f'\n],\n"categories": {json.dumps(named)}}}\n')


def _name(picture: Picture) -> str:
    """Return the path of a picture below the folder of its split, as COCO has it."""
    above = f"images/{picture.split}/" if picture.split else "images/"
    return picture.path.removeprefix(above)


def _annotation(shape: Shape, number: int, image: int, known: Categories) -> dict[str, object]:
    return {
        "id": number,
        "image_id": image,
        "category_id": known.number(shape.category) + 1,
        "bbox": list(shape.box),
        "area": shape.area,
        "segmentation": [list(shape.outline)] if shape.outline else [],
        "iscrowd": 0,
    }
