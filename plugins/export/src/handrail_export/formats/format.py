"""What a format is; packs derive theirs from one of the two classes here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pathlib import Path

    from handrail_export.rows import Column, Rows


class Format(ABC):  # noqa: B024 - what it has to do is in the two kinds of it
    """Something that an export can be written as.

    A format is offered by an entry point of the group `handrail_export.formats`, under the
    name that `--format` takes; it leads to a class that needs no arguments, or to an object.
    """


class RowFormat(Format):
    """A format whose files hold rows.

    Attributes:
        ending: What the names of its files end with, such as `.parquet`.
        partitions: Whether `write` can split the rows by the values of columns.
        grows: Whether `write` makes text, from its beginning to its end, so that the checksum is
            taken meanwhile; else the file is read again for it.
    """

    ending: ClassVar[str]
    partitions: ClassVar[bool] = False
    grows: ClassVar[bool] = False

    def check(self, columns: Sequence[Column]) -> None:
        """Refuse what cannot be written, before anything is.

        Raises:
            FormatError: A column has a type that the format has no form for.
        """

    @abstractmethod
    def write(self, rows: Rows, path: Path, partition_by: Sequence[str] = ()) -> int:
        """Write the rows to a file that is not there yet, a batch at a time.

        Args:
            rows: The rows; see `Rows.batches`.
            path: The file; with `partition_by` a folder, in which it makes `NAME=VALUE` folders.
            partition_by: Columns whose values split the rows; only where `partitions` is true.

        Returns:
            How many rows there are.
        """

    def count(self, path: Path) -> int:
        """Return how many rows a file has that `write` has made; only for partitions."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Something that is in a picture.

    Attributes:
        category: What it is.
        box: Left, top, width and height in pixels.
        area: How many pixels it has.
        outline: The corners of its outer border, x and y in turn; empty where only the box is
            known.
    """

    category: str
    box: tuple[float, float, float, float]
    area: float
    outline: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that is exported.

    Attributes:
        path: Where it will be below the target, such as `images/train/scene_01.png`.
        split: Which part of the collection it belongs to; empty where it is not split.
        width: Pixels.
        height: Pixels.
        shapes: What is in it.
        metadata: What the catalogue says about its data unit.
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
            folder: Stands for the target, and is empty.
            categories: Names of categories that come first, in this order; others follow as they
                are met.
        """
