"""YOLO: a text file for each picture, as in https://docs.ultralytics.com/datasets/detect."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from handrail_export.errors import FormatError
from handrail_export.formats.categories import Categories
from handrail_export.formats.format import CollectionFormat, Picture, Shape


class YoloFormat(CollectionFormat):
    """YOLO detection: `labels/SPLIT/NAME.txt` beside `images/SPLIT/NAME.png`, and `data.yaml`.

    Each line has the number of the category, from 0, and the centre, width and height of the box as
    parts of those of the picture.
    """

    default_split: ClassVar[str] = "train"

    def write(self, pictures: Iterable[Picture], folder: Path, categories: Sequence[str]) -> None:
        known = Categories(categories)
        splits: dict[str, None] = {}
        for picture in pictures:
            splits[picture.split] = None
            label = Path(picture.path.replace("images/", "labels/", 1)).with_suffix(".txt")
            path = folder / label
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = (_line(shape, picture, known) for shape in picture.shapes)
            try:
                with open(path, "x", encoding="utf-8") as file:
                    file.writelines(lines)
            except FileExistsError:
                raise FormatError(
                    f"another picture is called like {picture.path}, and YOLO does not tell "
                    "endings apart",
                    ways_out=("leave one out, such as --where \"name NOT LIKE '%.jpg'\"",),
                ) from None
        if not splits:
            return
        with open(folder / "data.yaml", "x", encoding="utf-8") as file:
            file.writelines(_data(list(splits), known))


def _line(shape: Shape, picture: Picture, known: Categories) -> str:
    left, top, width, height = shape.box
    parts = (
        (left + width / 2) / picture.width,
        (top + height / 2) / picture.height,
        width / picture.width,
        height / picture.height,
    )
    return f"{known.number(shape.category)} {' '.join(f'{part:.6f}' for part in parts)}\n"


def _data(splits: list[str], known: Categories) -> list[str]:
    # Training needs both: another split replaces a missing one.
    other = "train" if "train" in splits else splits[0]
    named = {"train": other, "val": other, **{each: each for each in splits}}
    # JSON is YAML, so this quotes any name.
    places = [f"{name}: {json.dumps(f'images/{split}')}\n" for name, split in named.items()]
    return [
        "path: .\n",
        *places,
        "names:\n",
        *(f"  {number}: {json.dumps(name)}\n" for number, name in enumerate(known.names)),
    ]
