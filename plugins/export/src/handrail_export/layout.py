"""The layout of the target of an export: a single file, or a folder of files."""

from __future__ import annotations

from handrail.errors import HandrailError
from handrail.frozen import frozen
from handrail_export.errors import FormatError
from handrail_export.formats import CollectionFormat, Format, RowFormat, find_format
from handrail_export.formats.registry import ending_of
from handrail_export.target import parse_target
from handrail_storage import Place

DEFAULT_FORMAT = "parquet"


@frozen
class Layout:
    """The layout of the files of an export.

    Attributes:
        format: Name of the format.
        place: The folder of all keys.
        file: The key of the only file; empty if the export is the whole folder.
        output: The location of the result, for people.
    """

    format: str
    place: Place
    file: str
    output: str

    @property
    def folder(self) -> str:
        """The folder of all keys, independent of the working folder."""
        return self.place.address

    @property
    def shown(self) -> str:
        """The folder that all keys are below, as people write it."""
        return self.place.shown


def format_name(given: str | None, target: str) -> str:
    """Return the name of the format: as given, that of the ending of the target, or Parquet.

    Raises:
        FormatError: The target has the ending of a file, but of no known format.
    """
    if given is not None:
        return given
    place = parse_target(target)
    if place.folder or "." not in place.name:
        return DEFAULT_FORMAT
    found = ending_of(place.name)
    if found is None:
        ending = place.name.rpartition(".")[2]
        raise FormatError(
            f"there is no format for files that end in .{ending}",
            ways_out=("--format NAME", "handrail export formats lists them"),
        )
    return found


def lay_out(given: str | None, target: str, partitioned: bool) -> tuple[Layout, Format]:
    """Return the layout of the target, and the format.

    A row format writes one file if the target ends like a file and the rows are not partitioned;
    everything else is a folder.

    Raises:
        FormatError: There is no such format, or it does not support partitions.
    """
    name = format_name(given, target)
    found = find_format(name)
    if isinstance(found, RowFormat) and partitioned and not found.partitions:
        raise FormatError(
            f"the format {name} cannot be partitioned", ways_out=("leave out --partition-by",)
        )
    whole = partitioned or isinstance(found, CollectionFormat)
    return _laid_out(name, parse_target(target), whole), found


def layout_to_undo(given: str | None, target: str, partitioned: bool) -> Layout:
    """Return the layout of a target, even if its format is not there any more."""
    try:
        return lay_out(given, target, partitioned)[0]
    except HandrailError:
        # Formats of packs are next to always those of rows.
        return _laid_out(given or "", parse_target(target), partitioned)


def _laid_out(name: str, place: Place, whole: bool) -> Layout:
    if whole or place.folder or "." not in place.name:
        return Layout(format=name, place=place, file="", output=place.shown)
    return Layout(format=name, place=place.parent(), file=place.name, output=place.shown)
