"""Format: the base classes of formats; packs derive theirs from one of the two here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar

from handrail.frozen import frozen

if TYPE_CHECKING:
    from pathlib import Path

    from handrail_export.rows import Column, Rows


class Format(ABC):  # noqa: B024 - the methods are in its two kinds
    """Something that an export can be written as.

    A format is offered by an entry point of the group `handrail_export.formats`, under the
    name that `--format` takes; it leads to a class that needs no arguments, or to an object.
    """


class RowFormat(Format):
    """A format for rows.

    Attributes:
        ending: The end of the names of its files, such as `.parquet`.
        partitions: Whether `write` can split the rows by the values of columns.
    """

    ending: ClassVar[str]
    partitions: ClassVar[bool] = False

    def check(self, columns: Sequence[Column]) -> None:
        """Check that all columns can be written, before anything is.

        Raises:
            FormatError: The format does not support the type of a column.
        """

    @abstractmethod
    def write(self, rows: Rows, path: Path, partition_by: Sequence[str] = ()) -> int:
        """Write the rows to a new file, a batch at a time.

        Args:
            rows: The rows; see `Rows.batches`.
            path: The file; with `partition_by` a folder, for the folders `NAME=VALUE`.
            partition_by: Columns whose values split the rows; only if `partitions` is true.

        Returns:
            The number of rows.
        """

    def count(self, path: Path) -> int:
        """Return the number of rows in a file written by `write`; only for partitions."""
        raise NotImplementedError


@frozen
class Shape:
    """An object in a picture.

    Attributes:
        category: Its category.
        box: Left, top, width and height in pixels.
        area: Its number of pixels.
        outline: The corners of its outer border, x and y in turn; empty if only the box is known.
    """

    category: str
    box: tuple[float, float, float, float]
    area: float
    outline: tuple[float, ...] = ()


@frozen
class Picture:
    """A picture that is exported.

    Attributes:
        path: Its future path below the target, such as `images/train/scene_01.png`.
        split: The part of the collection that it belongs to; empty without splits.
        width: Pixels.
        height: Pixels.
        shapes: The objects in it.
        metadata: The metadata of its data unit in the catalogue.
    """

    path: str
    split: str
    width: int
    height: int
    shapes: Sequence[Shape] = ()
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


class CollectionFormat(Format):
    """A format for collections of pictures; the pictures themselves are copied by the export.

    Attributes:
        default_split: The split of all pictures where the collection is not split.
    """

    default_split: ClassVar[str] = ""

    @abstractmethod
    def write(self, pictures: Iterable[Picture], folder: Path, categories: Sequence[str]) -> None:
        """Write the files that describe the pictures.

        Args:
            pictures: The pictures, one at a time; there may be millions.
            folder: An empty folder in place of the target.
            categories: Names of categories that come first, in this order; others follow in the
                order of use.
        """
