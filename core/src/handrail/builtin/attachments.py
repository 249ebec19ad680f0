"""The plots, tables, texts and pictures of Handrail that steps attach to their runs."""

from __future__ import annotations

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast, get_args

from handrail.errors import AttachmentError
from handrail.frozen import as_json, frozen
from handrail.redact import KNOWN

PlotKind = Literal["line", "scatter", "bar", "heatmap"]
MediaType = Literal["image/png", "image/jpeg", "image/webp", "image/svg+xml"]
Number = int | float
Point = tuple[Number | str, Number | None]
Cell = str | int | float | bool | None

MOST_ROWS = 1_000
LARGEST_ROWS = 64_000  # Characters of JSON of all rows of a table.

_KINDS: tuple[PlotKind, ...] = get_args(PlotKind)
_MEDIA_TYPES: tuple[MediaType, ...] = get_args(MediaType)
_LABELLED = ("bar", "heatmap")  # Kinds whose x are labels.


@frozen
class Plot:
    """A plot of one or more series of numbers.

    Attributes:
        kind: `line`, `scatter`, `bar` or `heatmap`.
        series: For each series, by its name, its points: pairs of x and y. The x of bars and heat
            maps are labels, of a heat map those of its columns; each series is one of its rows. A y
            that is None is a gap.
        x: What the x axis shows, with its unit.
        y: What the y axis shows, with its unit; in a heat map, what the rows are.
        title: Its title; if empty, the name of the attachment.
        log_x: Whether the x axis is logarithmic.
        log_y: Whether the y axis is logarithmic.
    """

    kind: PlotKind
    series: Mapping[str, tuple[Point, ...]]
    x: str
    y: str
    title: str
    log_x: bool
    log_y: bool

    def __init__(
        self,
        kind: PlotKind,
        series: Mapping[str, Iterable[Any] | Mapping[Any, Any]],
        x: str = "",
        y: str = "",
        *,
        title: str = "",
        log_x: bool = False,
        log_y: bool = False,
    ) -> None:
        """Make a plot.

        Args:
            kind: `line`, `scatter`, `bar` or `heatmap`.
            series: For each series, by its name, its points: numbers, which get an x of 0, 1, 2 and
                so on; or pairs of x and y; or a mapping from x to y. NaN and infinity are gaps.
            x: What the x axis shows, with its unit.
            y: What the y axis shows, with its unit.
            title: Its title.
            log_x: Whether the x axis is logarithmic.
            log_y: Whether the y axis is logarithmic.

        Raises:
            AttachmentError: A value is not of these types.
        """
        if kind not in _KINDS:
            raise AttachmentError(f"a plot is of kind {', '.join(_KINDS)}; not {kind!r}")
        if not isinstance(cast("object", series), Mapping):
            raise AttachmentError(f"the series of a plot are a mapping by name, not {_a(series)}")
        points = {str(name): _points(kind, str(name), each) for name, each in series.items()}
        texts = _texts("a plot", x=x, y=y, title=title)
        _set(self, kind=kind, series=points, log_x=bool(log_x), log_y=bool(log_y), **texts)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "plot", **as_json(self)}


@frozen
class Table:
    """A table of up to 1,000 rows, and 64 kB of them in JSON.

    Attributes:
        columns: The names of its columns.
        rows: Its rows, with one cell for each column.
        total: How many rows there were, which is more if it was cut.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: int

    def __init__(
        self, columns: Iterable[str], rows: Iterable[Iterable[Any]], total: int | None = None
    ) -> None:
        """Make a table.

        Args:
            columns: The names of its columns.
            rows: Its rows, each with one cell for each column; of more than it takes, the first.
                Cells that are no text, number, truth value or None become text; NaN becomes None.
            total: How many rows there were, if these are only some of them.

        Raises:
            AttachmentError: A row has another number of cells.
        """
        names = tuple(str(each) for each in columns)
        left, kept, room = iter(rows), list[tuple[Cell, ...]](), LARGEST_ROWS
        count = 0
        for count, row in enumerate(left, 1):
            cells = tuple(_cell(each) for each in row)
            if len(cells) != len(names):
                raise AttachmentError(
                    f"row {count} of a table has {len(cells)} cells for its {len(names)} columns"
                )
            room -= len(json.dumps(cells))
            if room < 0 or count > MOST_ROWS:
                break
            kept.append(cells)
        count += sum(1 for _ in left)
        _set(self, columns=names, rows=tuple(kept), total=max(count, total or 0))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "table", **as_json(self)}


@frozen
class Markdown:
    """A text in Markdown.

    Attributes:
        text: The text; HTML in it is shown as text.
    """

    text: str

    def __init__(self, text: str) -> None:
        """Make a text, or raise AttachmentError."""
        _set(self, **_texts("Markdown", text=text))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "markdown", "text": self.text}


@frozen
class Picture:
    """A picture: PNG, JPEG, WebP or SVG.

    An SVG is only ever shown as an image, so that what is in it cannot act on the page.

    Attributes:
        data: The content of its file.
        media_type: `image/png`, `image/jpeg`, `image/webp` or `image/svg+xml`.
        alt: What it shows, in words, for those who cannot see it.
    """

    data: bytes
    media_type: MediaType
    alt: str

    def __init__(self, data: bytes, media_type: str | None = None, alt: str = "") -> None:
        """Make a picture.

        Args:
            data: The content of its file.
            media_type: Its type; by default, that of its content.
            alt: What it shows, in words.

        Raises:
            AttachmentError: The content is none of these, or of another type.
        """
        if not isinstance(cast("object", data), bytes | bytearray | memoryview):
            raise AttachmentError(f"a picture is the bytes of its file, not {_a(data)}")
        content = bytes(data)
        found = _media_type_of(content)
        if found is None:
            raise AttachmentError("a picture is a PNG, JPEG, WebP or SVG; this is none of them")
        if media_type not in (None, found):
            raise AttachmentError(f"the picture is {found}, not {media_type}")
        if found == "image/svg+xml":  # A text, in which secrets can be hidden.
            text = KNOWN(content.decode(errors="surrogateescape"))
            content = text.encode(errors="surrogateescape")
        _set(self, data=content, media_type=found, **_texts("a picture", alt=alt))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, with the content in base64."""
        content = b64encode(self.data).decode("ascii")
        return {
            "type": "picture",
            "media_type": self.media_type,
            "alt": self.alt,
            "data": content,
        }


def attachment_from(values: Mapping[str, Any]) -> Plot | Table | Markdown | Picture | None:
    """Return the attachment with this JSON form, or None if it is of a kind of others.

    Raises:
        ValueError: It is of a kind of Handrail, and none that `to_dict` returns.
    """
    given = dict(values)
    kind = given.pop("type", None)
    kinds: Mapping[Any, Any] = {"plot": Plot, "table": Table, "markdown": Markdown}
    try:
        if kind == "picture":
            return Picture(b64decode(given.pop("data"), validate=True), **given)
        return kinds[kind](**given) if kind in kinds else None
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"this is no attachment: {kind!r}") from error


def _points(kind: PlotKind, name: str, given: Any) -> tuple[Point, ...]:
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise AttachmentError(f"the series '{name}' of a plot has points, and is {_a(given)}")
    pairs = cast("Any", given)
    if isinstance(pairs, Mapping):
        pairs = cast("Any", pairs).items()
    points: list[Point] = []
    for place, each in enumerate(pairs):
        x, y = each if _is_pair(each) else (place, each)
        number = _number(y, f"a y of the series '{name}'")
        if kind in _LABELLED:
            points.append((str(x), number))
            continue
        at = _number(x, f"an x of the series '{name}'")
        if at is None:
            raise AttachmentError(f"an x of the series '{name}' of a plot is no finite number")
        points.append((at, number))
    return tuple(points)


def _is_pair(value: Any) -> bool:
    try:
        return not isinstance(value, str) and len(value) == 2
    except TypeError:
        return False


def _number(value: Any, what: str) -> Number | None:
    """Return a number, also one of other libraries; None for None, NaN and infinity."""
    if value is None or isinstance(value, int):
        return value
    if hasattr(value, "__index__"):
        return int(value)
    if not hasattr(value, "__float__"):
        raise AttachmentError(f"{what} of a plot is a number or None, not {_a(value)}")
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise AttachmentError(f"{what} of a plot is no number: {error}") from error
    return found if math.isfinite(found) else None


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, str | int):
        return value
    try:
        return _number(value, "")
    except AttachmentError:
        return str(value)


def _texts(what: str, **texts: object) -> dict[str, Any]:
    for name, text in texts.items():
        if not isinstance(text, str):
            raise AttachmentError(f"the {name} of {what} is text, not {_a(text)}")
    return texts


def _a(value: object) -> str:
    return type(value).__name__


def _media_type_of(content: bytes) -> MediaType | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    start = content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith((b"<svg", b"<?xml", b"<!--", b"<!DOCTYPE svg")) and b"<svg" in start:
        return "image/svg+xml"
    return None


def _set(value: object, **fields: Any) -> None:
    for name, each in fields.items():
        object.__setattr__(value, name, each)
