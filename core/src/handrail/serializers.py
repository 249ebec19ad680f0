"""Serializer: keeps values of one type that JSON lacks, such as tables, in the results of steps.

A pack offers one with an entry point in the group `handrail.serializers`. Its name is the full name
of the type, module and class, so that neither the pack nor the library of the type is imported
before a step returns such a value; subclasses are included. It leads to an object with the
attributes of `Serializer`, such as an instance of a class, or a module:

    [project.entry-points."handrail.serializers"]
    "shapely.geometry.polygon.Polygon" = "acme_maps.shapes:polygons"
"""

from __future__ import annotations

from typing import Any, BinaryIO, Protocol, runtime_checkable

from handrail.frozen import frozen

__all__ = ["Serializer"]


@runtime_checkable
class Serializer(Protocol):
    """Writes values of one type to a file, and reads them again.

    What is read is used by another process, perhaps with a newer version of the pack: use a format
    that is specified, and never pickle, which executes code of whoever wrote the file.

    Attributes:
        media_type: The media type of the files, such as `application/vnd.apache.parquet`.
        suffix: The ending of their names, such as `.parquet`.
    """

    media_type: str
    suffix: str

    def dump(self, value: Any, file: BinaryIO) -> None:
        """Write `value` to `file`, which is empty and can be sought.

        Raises:
            Exception: The value cannot be represented; the message says why.
        """
        ...

    def load(self, file: BinaryIO) -> Any:
        """Return the value that was written to `file`."""
        ...

    def describe(self, value: Any) -> str:
        """Return a few words about `value`, such as `table 1,000 x 5`, without its contents."""
        ...


@frozen
class Found:
    """A serializer, and where it is from.

    Attributes:
        type: The full name of the type that it is for.
        pack: The id of the pack.
        serializer: The serializer.
    """

    type: str
    pack: str
    serializer: Serializer
