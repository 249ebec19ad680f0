"""The pictures: what a step costs, and where 1 ms of work hides it; how long a transfer takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from summary import Row

SANS = "system-ui,-apple-system,Segoe UI,Roboto,sans-serif"
INK, GREY, RULE = "#1f2933", "#52606d", "#d5dce3"
GROUND = "#f8fafb"
OURS, PEERS, FLOORS = "#1f7a4d", "#3d6aa5", "#7b8794"
WIDTH, LEFT, RIGHT = 760, 252, 700
LINE, HEAD = 21, 34
TOP = 96
# One per cent of a millisecond, and all of it, in microseconds.
HIDDEN, WORK = 10.0, 1000.0

Groups = Sequence[tuple[str, Sequence[Row]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A logarithmic scale, and the words above it.

    Attributes:
        title: What is drawn.
        about: Two more lines.
        least: Power of ten at which it begins, in microseconds.
        ticks: What is written at each power of ten.
        beside_work: Whether to show 1 ms of work, and the part that is hidden in it.
    """

    title: str
    about: tuple[str, str]
    least: int
    ticks: Sequence[str]
    beside_work: bool = False

    def place(self, value: float) -> float:
        """Return where that many microseconds are, from the left."""
        powers = len(self.ticks) - 1
        power = min(max(math.log10(value) - self.least, 0), powers)
        return round(LEFT + power / powers * (RIGHT - LEFT), 1)


TEN_TIMES = "each line is ten times the last"
STEPS = Scale(
    title="What a step costs",
    about=("beside its own work;", TEN_TIMES),
    least=-2,
    ticks=("10 ns", "100 ns", "1 us", "10 us", "100 us", "1 ms", "10 ms", "100 ms", "1 s"),
    beside_work=True,
)
TRANSFERS = Scale(
    title="How long a transfer takes",
    about=("and taking it back;", TEN_TIMES),
    least=4,
    ticks=("10 ms", "100 ms", "1 s", "10 s", "100 s"),
)


def text(x: float, y: float, words: str, **more: str | int) -> str:
    """Return a line of text."""
    style = {"font-size": 12, "font-weight": 400, "fill": INK, "text-anchor": "start"}
    style |= {name.replace("_", "-"): str(value) for name, value in more.items()}
    attributes = " ".join(f'{name}="{value}"' for name, value in style.items())
    return f'<text x="{x:g}" y="{y:g}" font-family="{SANS}" {attributes}>{escape(words)}</text>'


def amount(value: float) -> str:
    """Return that many microseconds in the unit that people would say."""
    for unit, size in (("s", 1e6), ("ms", 1e3), ("us", 1.0)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e3:.0f} ns"


def colour(row: Row) -> str:
    """Return the colour of ours, of a peer, or of a floor."""
    if row.label.startswith("handrail"):
        return OURS
    floor = ("plain", "loop", "guarded", "sqlite3", "cp", "obstore", "boto3")
    return FLOORS if row.label.startswith(floor) else PEERS


def bar(row: Row, y: float, scale: Scale) -> list[str]:
    """Return the line of one contender."""
    drawn = colour(row)
    weight = 600 if drawn == OURS else 400
    label = text(LEFT - 12, y, row.label, text_anchor="end", font_weight=weight)
    if row.each is None:
        return [label, text(LEFT + 6, y, row.remark, fill=GREY, font_style="italic")]
    x = scale.place(row.each)
    # Figures stand on lines of the scale; a rim in the colour of the ground keeps them apart.
    halo: dict[str, str | int] = {"stroke": GROUND, "stroke_width": 4, "paint_order": "stroke"}
    if scale.beside_work and row.each < HIDDEN:
        halo = {}
    return [
        label,
        f'<path d="M{LEFT} {y - 4:g}L{x:g} {y - 4:g}" stroke="{drawn}" stroke-width="2"/>',
        f'<circle cx="{x:g}" cy="{y - 4:g}" r="5" fill="{drawn}"/>',
        text(x + 10, y, amount(row.each), fill=drawn, font_weight=weight, **halo),
    ]


def axis(scale: Scale, bottom: float) -> list[str]:
    """Return the lines of the scale, and what is behind and before them."""
    behind, before = beside_work(scale, bottom) if scale.beside_work else ([], [])
    lines: list[str] = []
    for number, tick in enumerate(scale.ticks):
        x = scale.place(10.0 ** (scale.least + number))
        lines += [
            f'<path d="M{x:g} {TOP - 12}L{x:g} {bottom:g}" stroke="{RULE}"/>',
            text(x, bottom + 18, tick, fill=GREY, text_anchor="middle"),
        ]
    return [*behind, *lines, *before]


def beside_work(scale: Scale, bottom: float) -> tuple[list[str], list[str]]:
    """Return the part in which a step is hidden, and the line of the work itself."""
    hidden, work = scale.place(HIDDEN), scale.place(WORK)
    height = bottom - TOP + 12
    behind = [
        f'<rect x="{LEFT}" y="{TOP - 12}" width="{hidden - LEFT:g}" height="{height:g}"'
        ' fill="#e4f3ea"/>',
        text(LEFT + 4, TOP - 40, "under 1 % of a step that", fill=OURS),
        text(LEFT + 4, TOP - 25, "works for 1 ms", fill=OURS),
        text(work, TOP - 40, "as long as 1 ms", fill="#a8442a", text_anchor="middle"),
        text(work, TOP - 25, "of work itself", fill="#a8442a", text_anchor="middle"),
    ]
    before = (
        f'<path d="M{work:g} {TOP - 18}L{work:g} {bottom:g}" stroke="#a8442a"'
        ' stroke-width="1.5" stroke-dasharray="5 4"/>'
    )
    return behind, [before]


def draw(groups: Groups, scale: Scale) -> str:
    """Return the picture of those tables; a title ends at its colon."""
    body: list[str] = []
    y = float(TOP)
    for title, rows in groups:
        y += 8
        body.append(
            text(LEFT - 12, y, heading(title), text_anchor="end", font_weight=600, fill=GREY)
        )
        for row in rows:
            y += LINE
            body += bar(row, y, scale)
        y += HEAD - 8
    bottom = y - 8
    height = bottom + 36
    described = "; ".join(
        f"{heading(title)}: "
        + ", ".join(f"{row.label} {amount(row.each) if row.each else row.remark}" for row in rows)
        for title, rows in groups
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img"'
            ' aria-labelledby="t d">',
            f'<title id="t">{escape(scale.title)}</title>',
            f'<desc id="d">{escape(described)}.</desc>',
            f'<rect width="{WIDTH}" height="{height:g}" rx="12" fill="{GROUND}"/>',
            text(24, 38, scale.title, font_size=14, font_weight=600),
            text(24, 56, scale.about[0], fill=GREY),
            text(24, 71, scale.about[1], fill=GREY),
            *axis(scale, bottom),
            *body,
            "</svg>\n",
        ]
    )


def heading(title: str) -> str:
    """Return the short name of a table."""
    return title.split(":", maxsplit=1)[0]
