"""What the tests of exports share: a folder to work in, sources, an export, and what it told."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from handrail import RuntimeContext, StepFailedError
from handrail_export import DefaultExportAction

# As handrail-upload documents them; tests/ecosystem exports what that pack itself has made.
CATALOGUE = """
CREATE TABLE handrail_collection (
    id {id}, name TEXT NOT NULL UNIQUE, created TEXT NOT NULL, run TEXT NOT NULL);
CREATE TABLE handrail_data_unit (
    id {id}, collection {int} NOT NULL, name TEXT NOT NULL, metadata TEXT NOT NULL,
    published TEXT NOT NULL, run TEXT NOT NULL, UNIQUE (collection, name));
CREATE TABLE handrail_data_file (
    id {id}, unit {int} NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL, location TEXT NOT NULL,
    key TEXT NOT NULL, size {int} NOT NULL, sha256 TEXT NOT NULL, etag TEXT,
    published TEXT NOT NULL, run TEXT NOT NULL, UNIQUE (unit, role));
"""


@dataclass
class Seen:
    """What a run told: its log and its progress."""

    logged: list[tuple[str, dict[str, Any], str | None]] = field(default_factory=list)
    progress: list[tuple[float, float, str | None]] = field(default_factory=list)

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        self.logged.append((event, dict(data), file))

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        self.progress.append((current, total, category))

    def set_metrics(self, value: Any, category: str | None = None) -> None:
        """Exports measure nothing."""


@dataclass
class Done:
    """How an export ended.

    Attributes:
        result: What it returned; empty where it failed.
        error: What it failed with.
    """

    result: dict[str, Any]
    error: StepFailedError | None = None

    @property
    def message(self) -> str:
        assert self.error is not None, self.result
        return str(self.error.__cause__ or self.error)

    @property
    def ways_out(self) -> str:
        assert self.error is not None, self.result
        return "\n".join(getattr(self.error.__cause__, "ways_out", ()))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of this test's own: state and manifests lie in the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def export(seen: Seen) -> Callable[..., Done]:
    """Run an export with no packs; it has to come to its end, unless `fails`."""

    def run(
        source: str,
        target: str = "out.parquet",
        *,
        fails: bool = False,
        action: type[Any] = DefaultExportAction,
        packs: Any = (),
        **options: Any,
    ) -> Done:
        params = {"source": source, "target": target, **options}
        made = action(params, RuntimeContext(logger=seen), packs=packs)
        try:
            done = Done(result=dict(made.run()))
        except StepFailedError as error:
            done = Done(result={}, error=error)
            if not fails:
                raise
        assert fails == (done.error is not None), done.result
        assert done.error is None or not done.error.rollback_errors
        return done

    return run


@pytest.fixture
def table(here: Path) -> Callable[..., str]:
    """Make an SQLite file with one table of so many rows; return its name."""

    def make(rows: int = 10, name: str = "rows.db") -> str:
        with closing(sqlite3.connect(here / name)) as database, database:
            database.execute(
                "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL, kind TEXT)"
            )
            values = ((n, f"item {n}", n / 4, "ab"[n % 2]) for n in range(1, rows + 1))
            database.executemany("INSERT INTO item VALUES (?, ?, ?, ?)", values)
        return name

    return make


class Draw:
    """Pictures and masks, drawn for a test."""

    def png(self, colour: tuple[int, int, int] = (9, 9, 9)) -> bytes:
        return png(colour=colour)

    def mask(self, rows: Sequence[str] | None = None) -> bytes:
        return mask(MASK if rows is None else rows)


@pytest.fixture
def draw() -> Draw:
    return Draw()


def png(size: tuple[int, int] = (8, 6), colour: tuple[int, int, int] = (200, 10, 10)) -> bytes:
    """Return a small picture."""
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def mask(rows: Sequence[str]) -> bytes:
    """Return a mask, drawn with digits."""
    image = Image.frombytes(
        "L", (len(rows[0]), len(rows)), bytes(int(digit) for row in rows for digit in row)
    )
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


MASK = ("00000000", "01100220", "01100220", "00000000", "00033300", "00000000")


@dataclass
class Catalogue:
    """A catalogue in an SQLite file, as an upload would have made it, and the files."""

    path: Path
    store: Path

    def add(
        self,
        unit: str,
        files: Mapping[str, tuple[str, bytes]],
        metadata: Mapping[str, Any] | str | None = None,
        collection: str = "shapes",
        location: Callable[[Path], str] = str,
    ) -> None:
        """Add a unit with a file for each role: its name, and its content."""
        text = metadata if isinstance(metadata, str) else json.dumps(metadata or {})
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute(
                "INSERT OR IGNORE INTO handrail_collection (name, created, run) VALUES (?, '', '')",
                (collection,),
            )
            cursor = database.execute(
                "INSERT INTO handrail_data_unit (collection, name, metadata, published, run)"
                " SELECT id, ?, ?, '', 'r' FROM handrail_collection WHERE name = ?",
                (unit, text, collection),
            )
            for role, (name, content) in files.items():
                path = self.store / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                digest = hashlib.sha256(content).hexdigest()
                database.execute(
                    "INSERT INTO handrail_data_file"
                    " (unit, role, name, location, key, size, sha256, published, run)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, '', 'r')",
                    (cursor.lastrowid, role, name, location(path), name, len(content), digest),
                )

    def scene(self, name: str, split: str = "train", **more: Any) -> None:
        """Add a picture with its mask."""
        files = {
            "image_1": (f"image_1/{name}.png", png(colour=(len(name), 1, 1))),
            "mask_1": (f"mask_1/{name}.png", mask(MASK)),
        }
        self.add(name, files, {"split": split, **more})


@pytest.fixture
def catalogue(here: Path) -> Catalogue:
    """An empty catalogue, `shapes.db`, with its files in `store`."""
    kinds = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "int": "INTEGER"}
    with closing(sqlite3.connect(here / "shapes.db")) as database, database:
        database.executescript(CATALOGUE.format(**kinds))
    return Catalogue(path=here / "shapes.db", store=here / "store")


@pytest.fixture
def shapes(catalogue: Catalogue) -> Catalogue:
    """A catalogue with three pictures and their masks."""
    catalogue.scene("scene_1")
    catalogue.scene("scene_2", split="test")
    catalogue.scene("deep/scene_3", note="ünïcödé 🎨")
    return catalogue


def tree(folder: Path) -> dict[str, str]:
    """Return all that is in a folder, but for what Handrail keeps in `.handrail`."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
        if ".handrail" not in path.relative_to(folder).parts
    }


@pytest.fixture
def world(here: Path) -> Callable[[], dict[str, str]]:
    """Return all that is in the working folder."""
    return lambda: tree(here)
