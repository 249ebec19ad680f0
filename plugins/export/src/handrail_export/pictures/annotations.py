"""The strategy of `convert_data`: finds the objects in a picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

from handrail_export.errors import InvalidPicturesError
from handrail_export.formats.format import Shape
from handrail_export.pictures.image import MaskImage
from handrail_export.pictures.shapes import patches
from handrail_export.pictures.units import Unit

KEY = "annotations"
"""The key of the metadata of a unit under which its shapes may be."""

Read = Callable[[str], bytes]


class Annotations(Protocol):
    """The strategy of `convert_data`: finds the objects in a picture."""

    def shapes(self, unit: Unit, size: tuple[int, int], read: Read) -> Iterable[Shape]:
        """Return the objects in the picture of a unit.

        Args:
            unit: The unit.
            size: Width and height of its picture.
            read: Returns the content of the unit's file of a role.

        Raises:
            InvalidPicturesError: The objects cannot be determined.
        """
        ...


class CatalogueAnnotations:
    """Takes the shapes in the metadata under `annotations`, or else those of the mask.

    Each of them in the metadata is an object with `category` and `bbox` (left, top, width, height
    in pixels). In a mask each patch of one number is a shape; 0 is the background, and the numbers
    from 1 are the categories.

    Args:
        masks: The role of the masks, or None without any.
        categories: The names of the numbers from 1; others are called by their number.
    """

    def __init__(self, masks: str | None = None, categories: Sequence[str] = ()) -> None:
        self.masks = masks
        self.categories = categories

    def shapes(self, unit: Unit, size: tuple[int, int], read: Read) -> Iterable[Shape]:
        listed: object = unit.metadata.get(KEY)
        if isinstance(listed, list):
            return [_shape(unit, each) for each in cast("list[object]", listed)]
        if self.masks is None or self.masks not in unit.files:
            return []
        mask = MaskImage.of(read(self.masks))
        if mask.size != size:
            raise InvalidPicturesError(
                f"the mask of {unit.name} has {mask.size[0]} x {mask.size[1]} pixels, and its "
                f"picture {size[0]} x {size[1]}"
            )
        return self._patches(mask)

    def _patches(self, mask: MaskImage) -> Iterator[Shape]:
        for patch in patches(mask.rows()):
            known = patch.number <= len(self.categories)
            name = self.categories[patch.number - 1] if known else str(patch.number)
            yield Shape(category=name, box=patch.box, area=patch.area, outline=patch.outline())


def _shape(unit: Unit, told: object) -> Shape:
    given: Mapping[str, Any] = {}
    if isinstance(told, Mapping):
        given = cast("Mapping[str, Any]", told)
    box = given.get("bbox")
    try:
        left, top, width, height = (float(value) for value in cast("Sequence[Any]", box))
        return Shape(
            category=str(given["category"]),
            box=(left, top, width, height),
            area=float(given.get("area", width * height)),
        )
    except (TypeError, ValueError, KeyError):
        raise InvalidPicturesError(
            f"an annotation of {unit.name} makes no sense: {json.dumps(told)[:80]}",
            ways_out=('each is like {"category": "cat", "bbox": [left, top, width, height]}',),
        ) from None
