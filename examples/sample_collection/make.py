"""Draws the sample collection: pictures of coloured shapes, and what is what in each pixel.

    python make.py [FOLDER]

writes `files/` and `metadata.csv` into FOLDER, by default the one of this script. All is drawn from
one seed with whole numbers, so that every Python draws the same pixels. Only the compressed bytes
of a PNG may differ where zlib is another one.

A pixel of a mask is 0 for the background, 1 for a circle, 2 for a square, 3 for a triangle. Shapes
never touch, so each patch of one number is one shape.
"""

from __future__ import annotations

import csv
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

SEED = 20260301
SCENES = 12
WIDTH, HEIGHT = 160, 120
FINE = 4  # Samples of a pixel in each direction; they make the edges smooth.
MARGIN = 5

Colour = tuple[int, int, int]

SHAPES = ("circle", "square", "triangle")
COLOURS: dict[str, Colour] = {
    "red": (214, 69, 65),
    "orange": (235, 149, 50),
    "green": (63, 155, 94),
    "blue": (52, 104, 192),
    "purple": (136, 78, 160),
}
BACKGROUNDS: dict[str, tuple[Colour, Colour]] = {
    "sand": ((250, 243, 224), (226, 209, 172)),
    "sky": ((235, 245, 252), (183, 208, 230)),
    "mint": ((238, 249, 240), (187, 220, 199)),
}
PALETTE: tuple[Colour, ...] = ((32, 34, 40), (231, 111, 81), (42, 157, 143), (233, 196, 106))
# Cosine and sine as fractions with one denominator: turns without a float.
TURNS = ((1, 0, 1), (12, 5, 13), (4, 3, 5), (3, 4, 5), (5, 12, 13), (12, -5, 13), (4, -3, 5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One shape; x, y and radius are in samples."""

    kind: str
    colour: str
    x: int
    y: int
    radius: int
    turn: tuple[int, int, int]

    def has(self, x: int, y: int) -> bool:
        """Whether a sample lies in it."""
        cosine, sine, one = self.turn
        dx, dy, size = x - self.x, y - self.y, self.radius * one
        across, down = cosine * dx + sine * dy, cosine * dy - sine * dx
        if self.kind == "circle":
            return across * across + down * down <= size * size
        if self.kind == "square":
            return max(abs(across), abs(down)) * 10 <= size * 7
        return down * 2 <= size and abs(across) * 26 <= (down + size) * 15  # Equal sides.

    def keeps_away_from(self, other: Shape) -> bool:
        apart = self.radius + other.radius + MARGIN * FINE
        return (self.x - other.x) ** 2 + (self.y - other.y) ** 2 > apart * apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is in one picture."""

    name: str
    background: str
    shapes: tuple[Shape, ...]


def scenes() -> Iterator[Scene]:
    """Yield the scenes, always the same."""
    random = Random(SEED)
    for number in range(1, SCENES + 1):
        background = choice(random, tuple(BACKGROUNDS))
        wanted = whole(random, 1, 4)
        shapes: list[Shape] = []
        while len(shapes) < wanted:
            shape = any_shape(random)
            if all(shape.keeps_away_from(other) for other in shapes):
                shapes.append(shape)
        yield Scene(name=f"scene_{number:02}", background=background, shapes=tuple(shapes))


def any_shape(random: Random) -> Shape:
    radius = whole(random, 14 * FINE, 27 * FINE)
    room = radius + MARGIN * FINE
    return Shape(
        kind=choice(random, SHAPES),
        colour=choice(random, tuple(COLOURS)),
        x=whole(random, room, WIDTH * FINE - room),
        y=whole(random, room, HEIGHT * FINE - room),
        radius=radius,
        turn=TURNS[whole(random, 0, len(TURNS) - 1)],
    )


def choice(random: Random, names: tuple[str, ...]) -> str:
    return names[whole(random, 0, len(names) - 1)]


def whole(random: Random, low: int, high: int) -> int:
    """Return a number from `low` up to `high`; only `random()` is promised to stay the same."""
    return low + int(random.random() * (high - low + 1))


def picture(scene: Scene) -> list[bytes]:
    """Return the rows of the colour picture, three bytes a pixel."""
    top, bottom = BACKGROUNDS[scene.background]
    rows: list[bytes] = []
    for y in range(HEIGHT):
        ground = blend(top, bottom, y, HEIGHT - 1)
        row = bytearray()
        for x in range(WIDTH):
            pixel = ground
            for shape in scene.shapes:  # The shadow lies below and to the right.
                pixel = blend(pixel, blend(ground, (0, 0, 0), 1, 4), covered(shape, x - 2, y - 3))
            for shape in scene.shapes:
                light = max(0, shape.y + shape.radius - y * FINE)
                colour = blend(COLOURS[shape.colour], (255, 255, 255), light, shape.radius * 8)
                pixel = blend(pixel, colour, covered(shape, x, y))
            row += bytes(pixel)
        rows.append(bytes(row))
    return rows


def covered(shape: Shape, x: int, y: int) -> int:
    """Return how many of the samples of a pixel lie in `shape`."""
    left, top = x * FINE, y * FINE
    if max(abs(left - shape.x), abs(top - shape.y)) > shape.radius + FINE:
        return 0
    return sum(shape.has(left + i, top + j) for i in range(FINE) for j in range(FINE))


def blend(first: Colour, second: Colour, part: int, of: int = FINE * FINE) -> Colour:
    red, green, blue = (a + (b - a) * part // of for a, b in zip(first, second, strict=True))
    return red, green, blue


def mask(scene: Scene) -> list[bytes]:
    """Return the rows of the mask, one byte a pixel."""
    rows: list[bytes] = []
    for y in range(HEIGHT):
        row = bytearray(WIDTH)
        for x in range(WIDTH):
            for shape in scene.shapes:
                if covered(shape, x, y) * 2 >= FINE * FINE:
                    row[x] = SHAPES.index(shape.kind) + 1
        rows.append(bytes(row))
    return rows


def png(rows: list[bytes], palette: tuple[Colour, ...] = ()) -> bytes:
    """Return a PNG: colours of 8 bits, or numbers into a palette (W3C, PNG specification)."""
    kind = 3 if palette else 2
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, kind, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header)]
    if palette:
        parts.append(chunk(b"PLTE", bytes(value for colour in palette for value in colour)))
    lines: list[bytes] = []
    above = bytes(len(rows[0]))
    for row in rows:
        # Differences to the line above (filter 2) compress well, but not numbers of a palette.
        lines.append(b"\0" + row if palette else b"\2" + difference(row, above))
        above = row
    parts.append(chunk(b"IDAT", zlib.compress(b"".join(lines), 9)))
    return b"".join((*parts, chunk(b"IEND", b"")))


def difference(row: bytes, above: bytes) -> bytes:
    return bytes((a - b) % 256 for a, b in zip(row, above, strict=True))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def facts(scene: Scene, number: int) -> dict[str, object]:
    """Return the line of the sheet for the picture of `scene`."""
    kinds = [shape.kind for shape in scene.shapes]
    largest = max(scene.shapes, key=lambda shape: shape.radius)
    return {
        "file": f"image_1/{scene.name}.png",
        "shapes": ", ".join(kind for kind in SHAPES if kind in kinds),
        "largest": largest.kind,
        "colour": largest.colour,
        "count": len(kinds),
        **{f"{kind}s": kinds.count(kind) for kind in SHAPES},
        "background": scene.background,
        "split": "test" if number % 4 == 0 else "train",
    }


def make(folder: Path) -> None:
    """Write the collection into `folder`."""
    files = folder / "files"
    for role in ("image_1", "mask_1"):
        (files / role).mkdir(parents=True, exist_ok=True)
    lines: list[dict[str, object]] = []
    for number, scene in enumerate(scenes(), 1):
        (files / "image_1" / f"{scene.name}.png").write_bytes(png(picture(scene)))
        (files / "mask_1" / f"{scene.name}.png").write_bytes(png(mask(scene), PALETTE))
        lines.append(facts(scene, number))
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
