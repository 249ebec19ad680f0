"""The rows that the catalogue returns, and counts of added, changed and removed ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handrail.frozen import frozen
from handrail_upload.units import DataFile


@frozen
class CatalogueUnit:
    """A data unit that is published.

    Attributes:
        collection: Name of its collection.
        name: Its name, unique in the collection.
        metadata: Values of JSON types, by name.
        run: Id of the run that added or last changed it.
    """

    collection: str
    name: str
    metadata: Mapping[str, Any]
    run: str


@frozen
class CatalogueFile:
    """A data file that is published.

    Attributes:
        collection: Name of the collection of its unit.
        unit: Name of its unit.
        file: The file.
        run: Id of the run that added or last changed it.
    """

    collection: str
    unit: str
    file: DataFile
    run: str


@frozen
class Published:
    """The numbers of data units and files that a run has added or changed.

    A unit is changed when its metadata is, or when a file of it is added or changed.
    """

    units_added: int = 0
    units_changed: int = 0
    files_added: int = 0
    files_changed: int = 0


@frozen
class Removed:
    """The numbers of data units and files of a run that were removed or restored."""

    units_removed: int = 0
    units_restored: int = 0
    files_removed: int = 0
    files_restored: int = 0
