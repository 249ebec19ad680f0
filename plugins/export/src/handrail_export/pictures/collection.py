"""The pictures of a collection, with names, sizes and annotations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from handrail.frozen import frozen, replace
from handrail_export.errors import InvalidPicturesError, StorageError
from handrail_export.formats.format import Picture
from handrail_export.pictures.annotations import Annotations, CatalogueAnnotations
from handrail_export.pictures.image import picture_size
from handrail_export.pictures.units import CatalogueFile, Unit, choose_roles
from handrail_storage import Reader
from handrail_storage.containment import key

_PAGE = 64  # Units that are looked at at a time.


@frozen
class Found:
    """A picture of the collection.

    Attributes:
        unit: Name of its data unit.
        file: The file, or None if the unit has no picture.
        picture: The description to be written; None if it is not valid.
        problem: The reason if it is not valid; otherwise empty.
    """

    unit: str
    file: CatalogueFile | None
    picture: Picture | None = None
    problem: str = ""


class Collection:
    """The pictures of a collection, in the order of the names of their units.

    Args:
        units: The units.
        reader: Reads the files.
        pictures: Role of the pictures, or None to guess.
        masks: Role of the masks, or None to guess.
        categories: Names of the numbers in masks, from 1.
        split_by: Keys of the metadata whose values define the split.
        default_split: The split of all pictures without such keys.
        annotations: The strategy to find shapes; the masks or the metadata unless given.
        workers: Number of pictures read at a time.
    """

    def __init__(
        self,
        units: Iterable[Unit],
        reader: Reader,
        *,
        pictures: str | None = None,
        masks: str | None = None,
        categories: Sequence[str] = (),
        split_by: Sequence[str] = (),
        default_split: str = "",
        annotations: Annotations | None = None,
        workers: int = 8,
    ) -> None:
        self._units = units
        self._reader = reader
        self._pictures, self._masks = pictures, masks
        self._categories = categories
        self._split_by = split_by
        self._default_split = default_split
        self._annotations = annotations
        self._workers = workers

    def __iter__(self) -> Iterator[Found]:
        units = iter(self._units)
        with ThreadPoolExecutor(self._workers, thread_name_prefix="handrail-export") as pool:
            while page := list(islice(units, _PAGE)):
                if self._annotations is None or self._pictures is None:
                    self._choose(page[0])
                yield from pool.map(self._look, page)

    def _choose(self, unit: Unit) -> None:
        self._pictures, masks = choose_roles(unit, self._pictures, self._masks)
        if self._annotations is None:
            self._annotations = CatalogueAnnotations(masks, self._categories)

    def _look(self, unit: Unit) -> Found:
        file = unit.files.get(self._pictures or "")
        found = Found(unit=unit.name, file=file)
        if file is None:
            return replace(found, problem=f"{unit.name} has no {self._pictures}")
        try:
            return replace(found, picture=self._picture(unit, file))
        except (InvalidPicturesError, StorageError) as error:
            if isinstance(error, StorageError) and error.passing:
                raise
            return replace(found, problem=f"{file.name}: {error.message}")

    def _picture(self, unit: Unit, file: CatalogueFile) -> Picture:
        split = self._split(unit)
        # The name of a unit of a single file includes the ending.
        named = file.ending and unit.name.lower().endswith(file.ending)
        name = unit.name if named else f"{unit.name}{file.ending}"
        path = "/".join(part for part in ("images", split, name) if part)
        try:
            key(path)
        except ValueError as error:
            raise InvalidPicturesError(f"its name cannot be one in the target: {error}") from error
        size = picture_size(lambda most: self._reader.read(file.location, most))
        assert self._annotations is not None

        def read(role: str) -> bytes:
            return self._reader.read(unit.files[role].location)

        return Picture(
            path=path,
            split=split,
            width=size[0],
            height=size[1],
            shapes=tuple(self._annotations.shapes(unit, size, read)),
            metadata=dict(unit.metadata),
        )

    def _split(self, unit: Unit) -> str:
        if not self._split_by:
            return self._default_split
        values = [self._value(unit, key) for key in self._split_by]
        return "_".join(value.replace("/", "_") for value in values)

    @staticmethod
    def _value(unit: Unit, key: str) -> str:
        found: Any = unit.metadata.get(key)
        if found is None or found == "":
            raise InvalidPicturesError(f"the metadata of its unit has no {key}")
        return str(found)
