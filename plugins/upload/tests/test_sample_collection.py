"""The sample collection: it is what its script draws, and what its specification says."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path

import pytest

from handrail_upload.metadata import SheetMetadata
from handrail_upload.specification import read_specification

SAMPLE = Path(__file__).parents[3] / "examples" / "sample_collection"
PICTURES = SAMPLE / "files"
FILES = sorted([*PICTURES.glob("*/*.png"), SAMPLE / "metadata.csv"])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw the collection again, into a folder of its own."""
    folder = tmp_path_factory.mktemp("drawn")
    subprocess.run([sys.executable, SAMPLE / "make.py", folder], check=True, timeout=120)
    return folder


def chunks(path: Path) -> list[tuple[bytes, bytes]]:
    """Return kind and content of each part of a PNG, the pixels unpacked."""
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    found: list[tuple[bytes, bytes]] = []
    at = 8
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + size)
        assert checksum == zlib.crc32(kind + content)
        # Another zlib may pack the same pixels into other bytes.
        found.append((kind, zlib.decompress(content) if kind == b"IDAT" else content))
        at += 12 + size
    return found


def test_same_files(drawn: Path) -> None:
    """The script writes exactly the files that are there."""
    again = sorted(path.relative_to(drawn) for path in drawn.rglob("*.*"))
    assert again == [path.relative_to(SAMPLE) for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_same_content(drawn: Path, path: Path) -> None:
    """Each file has the same pixels, or the same text, as the one that is drawn again."""
    again = drawn / path.relative_to(SAMPLE)
    if path.suffix == ".png":
        assert chunks(again) == chunks(path)
    else:
        assert again.read_bytes() == path.read_bytes()


def test_specification() -> None:
    """Each picture and its mask are one data unit, and nothing else is part of the collection."""
    found = read_specification(SAMPLE / "collection.toml")
    units: dict[str, list[str]] = {}
    for path in sorted(PICTURES.rglob("*.*")):
        name = path.relative_to(PICTURES).as_posix()
        place = found.place(name)
        assert place is not None
        role, unit = place
        assert found.role(role).problems(name, path.stat().st_size) == []
        units.setdefault(unit, []).append(role)
    assert units == {f"scene_{n:02}": ["image_1", "mask_1"] for n in range(1, 13)}


def test_metadata_says_what_is_in_the_masks() -> None:
    """Each picture has a row, and the shapes that it counts are the patches of its mask."""
    rows = {row.name: row.values for row in SheetMetadata().rows(SAMPLE / "metadata.csv")}
    assert sorted(rows) == [f"image_1/scene_{n:02}.png" for n in range(1, 13)]
    for name, values in rows.items():
        found = patches(PICTURES / name.replace("image_1", "mask_1"))
        counted = {n: int(str(values[key])) for n, key in enumerate(KINDS, 1)}
        assert found == Counter({n: count for n, count in counted.items() if count})
        assert int(str(values["count"])) == found.total()


KINDS = ("circles", "squares", "triangles")


def patches(path: Path) -> Counter[int]:
    """Count the connected patches of each number in a mask."""
    parts = dict(chunks(path))
    width, height = struct.unpack_from(">II", parts[b"IHDR"])
    lines = [parts[b"IDAT"][y * (width + 1) + 1 : (y + 1) * (width + 1)] for y in range(height)]
    left = {(x, y): lines[y][x] for y in range(height) for x in range(width) if lines[y][x]}
    found: Counter[int] = Counter()
    while left:
        place, kind = left.popitem()
        found[kind] += 1
        waiting = [place]
        while waiting:
            x, y = waiting.pop()
            for near in ((x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)):
                if left.get(near) == kind:
                    del left[near]
                    waiting.append(near)
    return found


def test_size() -> None:
    """The samples stay small enough for a repository."""
    assert sum(path.stat().st_size for path in FILES) < 250_000
