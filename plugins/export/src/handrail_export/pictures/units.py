"""The data units of a catalogue, built from the rows of its files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any, cast

from handrail.frozen import frozen
from handrail_export.errors import ChoiceError, SourceError
from handrail_export.names import listed
from handrail_export.sources.catalogue import COLUMNS

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


@frozen
class CatalogueFile:
    """A file of the catalogue.

    Attributes:
        unit: Name of its data unit.
        metadata: The metadata of its data unit, as JSON.
        role: Its role in the unit.
        name: Its path below the source of the upload.
        location: Its location in the storage.
        size: Bytes.
        sha256: SHA-256 of its content, or "" if the upload did not record it.
    """

    unit: str
    metadata: str
    role: str
    name: str
    location: str
    size: int
    sha256: str

    @property
    def ending(self) -> str:
        """The end of its name, such as `.png`, in lower case."""
        base = self.name.rpartition("/")[2]
        return f".{base.rpartition('.')[2].lower()}" if "." in base else ""


@frozen
class Unit:
    """A data unit.

    Attributes:
        name: Its name, unique within the collection.
        metadata: Its metadata.
        files: Its files by role.
    """

    name: str
    metadata: Mapping[str, Any]
    files: Mapping[str, CatalogueFile]


def units_of(rows: Iterable[tuple[Any, ...]]) -> Iterator[Unit]:
    """Yield the units of rows that have the `COLUMNS` of a catalogue, in the order of their names.

    Raises:
        SourceError: The metadata of a unit is not an object of JSON.
    """
    files = (CatalogueFile(**dict(zip(COLUMNS, row, strict=True))) for row in rows)
    for name, group in groupby(files, attrgetter("unit")):
        by_role = {each.role: each for each in group}
        first = next(iter(by_role.values()))
        yield Unit(name=name, metadata=_metadata(first), files=by_role)


def _metadata(file: CatalogueFile) -> Mapping[str, Any]:
    try:
        found: object = json.loads(file.metadata)
    except ValueError as error:
        raise SourceError(f"the metadata of {file.unit} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise SourceError(f"the metadata of {file.unit} is not an object of JSON")
    return cast("Mapping[str, Any]", found)


def choose_roles(unit: Unit, pictures: str | None, masks: str | None) -> tuple[str, str | None]:
    """Return the roles of pictures and masks: as given, else guessed from the first unit.

    Raises:
        ChoiceError: No role could be the pictures, or several could.
    """
    fitting = [role for role, file in unit.files.items() if file.ending in ENDINGS]
    if masks is None:
        named = [role for role in fitting if role.startswith("mask") and role != pictures]
        masks = named[0] if len(named) == 1 else None
    if pictures is None:
        left = [role for role in fitting if role != masks]
        named = [role for role in left if role.startswith("image")] or left
        if len(named) != 1:
            what = f"several: {listed(named)}" if named else f"none: {listed(unit.files)}"
            raise ChoiceError(
                f"which role has the pictures is not clear, as {unit.name} has {what}",
                ways_out=("--pictures ROLE",),
            )
        pictures = named[0]
    return pictures, masks
