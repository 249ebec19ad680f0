"""Plots, tables, texts and pictures that a step attaches to its run, for people to see.

`context.attach("curves", Plot("line", {"loss": [0.9, 0.4, 0.2]}))` keeps one in the journal, where
`handrail show`, reports and pages find it. Each is small and has a JSON form; none has code.
"""

from __future__ import annotations

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from handrail.errors import AttachmentError
from handrail.frozen import as_json, frozen
from handrail.redact import KNOWN

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = ["Attachable", "Markdown", "Picture", "Plot", "Table", "attachment_from"]

PlotKind = Literal["line", "scatter", "bar", "heatmap"]
MediaType = Literal["image/png", "image/jpeg", "image/webp", "image/svg+xml"]
Number = int | float
Point = tuple[Number | str, Number | None]
Cell = str | int | float | bool | None

LARGEST = 64_000  # Characters of JSON.
LARGEST_PICTURE = 256_000  # Bytes.
MOST_ROWS = 1_000
LONGEST_CELL = 1_000
LONGEST_NAME = 100

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
    """A table of up to 1,000 rows.

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
            rows: Its rows, each with one cell for each column; of more than 1,000, the first. Cells
                that are no text, number, truth value or None become text; NaN becomes None.
            total: How many rows there were, if these are only some of them.

        Raises:
            AttachmentError: A row has another number of cells.
        """
        names = tuple(str(each) for each in columns)
        left, kept = iter(rows), list[tuple[Cell, ...]]()
        for row in islice(left, MOST_ROWS):
            cells = tuple(_cell(each) for each in row)
            if len(cells) != len(names):
                raise AttachmentError(
                    f"row {len(kept) + 1} of a table has {len(cells)} cells for its "
                    f"{len(names)} columns"
                )
            kept.append(cells)
        count = len(kept) + sum(1 for _ in left)
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


Attachable: TypeAlias = Plot | Table | Markdown | Picture
"""What can be attached to a step."""

KINDS = (Plot, Table, Markdown, Picture)


def check_attachment(name: object, value: object) -> None:
    """Check what a step attaches.

    Raises:
        AttachmentError: The name is none, or the value is no attachment.
    """
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise AttachmentError(
            f"the name of an attachment is a text of 1 to {LONGEST_NAME} characters"
        )
    if not isinstance(value, KINDS):
        kinds = ", ".join(each.__name__ for each in KINDS)
        raise AttachmentError(
            f"'{name}' cannot be attached: it is {_a(value)}, and none of {kinds}",
            ways_out=(f"context.attach({name!r}, Table(columns, rows))",),
        )


def attachment_from(values: Mapping[str, Any]) -> Attachable:
    """Return the attachment with this JSON form.

    Raises:
        ValueError: It is not one that `to_dict` returns.
    """
    given = dict(values)
    kind = given.pop("type", None)
    try:
        if kind == "picture":
            return Picture(b64decode(given.pop("data"), validate=True), **given)
        kinds: Mapping[Any, Any] = {"plot": Plot, "table": Table, "markdown": Markdown}
        return cast("Attachable", kinds[kind](**given))
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"this is no attachment: {kind!r}") from error


def encoded(value: Attachable) -> str:
    """Return an attachment as JSON; of a long table, the first rows, and of long cells the begin.

    Raises:
        AttachmentError: It is too large.
    """
    encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
    if isinstance(value, Picture):
        if len(value.data) > LARGEST_PICTURE:
            raise AttachmentError(_too_large(len(value.data), LARGEST_PICTURE, "save it smaller"))
        return encode(value.to_dict())
    if isinstance(value, Table):
        return encode(_fitted(value, encode).to_dict())
    text = encode(value.to_dict())
    if len(text) > LARGEST:
        hint = "plot fewer points" if isinstance(value, Plot) else "attach the part that matters"
        raise AttachmentError(_too_large(len(text), LARGEST, hint))
    return text


def _too_large(size: int, largest: int, hint: str) -> str:
    return f"it has {size / 1000:,.0f} kB, and {largest // 1000} kB are kept: {hint}"


def _fitted(table: Table, encode: Any) -> Table:
    """Return as much of a table as is kept."""
    columns = tuple(_cut(each) for each in table.columns)
    room = LARGEST - len(encode(columns)) - 100
    kept: list[tuple[Cell, ...]] = []
    for row in table.rows:
        cells = tuple(_cut(each) if isinstance(each, str) else each for each in row)
        room -= len(encode(cells)) + 1
        if room < 0:
            break
        kept.append(cells)
    return Table(columns, kept, table.total)


def _cut(text: str) -> str:
    # A secret that was cut in two would not be found any more.
    return text if len(text) <= LONGEST_CELL else f"{KNOWN(text)[: LONGEST_CELL - 1]}…"


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
