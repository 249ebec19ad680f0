"""What the tests of migrated code share: a client that records, a logger, a source."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from handrail_synapse import RuntimeContext

SPECS = [
    {"name": "image_1", "file_type": "image", "is_required": True, "is_primary": True},
    {"name": "data_meta_1", "file_type": "data", "is_required": False},
]


class RecordingClient:
    """Keeps files and data units in memory, and a list of the calls.

    Args:
        folder: The folder that storage 1 is.

    Attributes:
        calls: The name of each method that was called, with its positional arguments.
        files: The content of each file, by its checksum.
        units: The data units.
        failing: Methods that raise.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.files: dict[str, bytes] = {}
        self.units: list[dict[str, Any]] = []
        self.failing: dict[str, Exception] = {}
        self.specs: list[dict[str, Any]] = [dict(each) for each in SPECS]

    def asked(self, name: str) -> int:
        """How often a method was called."""
        return sum(each == name for each, _ in self.calls)

    def _called(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, arguments))
        if name in self.failing:
            raise self.failing[name]

    def get_storage(self, number: int) -> Any:
        self._called("get_storage", number)
        return SimpleNamespace(provider="local", configuration={"location": str(self.folder)})

    def get_data_collection(self, number: int) -> dict[str, Any]:
        self._called("get_data_collection", number)
        if number == 404:
            raise LookupError("there is no such collection")
        return {"id": number, "name": "pots", "file_specifications": self.specs}

    def get_project(self, number: int) -> dict[str, Any]:
        self._called("get_project", number)
        return {"id": number, "configuration": {"classes": ["pot"]}}

    def upload_data_file(self, group: dict[str, Any], number: int, **options: Any) -> Any:
        self._called("upload_data_file", group, number)
        files = {name: self._take(path) for name, path in group["files"].items()}
        unit = {"data_collection": number, "files": files, "meta": group.get("meta", {})}
        return {**unit, "groups": group["groups"]} if group.get("groups") else unit

    def _take(self, path: Any) -> dict[str, str]:
        content = Path(path).read_bytes()
        checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
        self.files[checksum] = content
        return {"checksum": checksum, "path": str(path)}

    def create_data_units(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self._called("create_data_units", batch)
        made = [{**unit, "id": len(self.units) + at} for at, unit in enumerate(batch, 1)]
        self.units += made
        return made

    def create_model(self, about: dict[str, Any], *, file: str) -> dict[str, Any]:
        self._called("create_model", about, file)
        return {"id": 5, **about}

    def get_model(self, number: int) -> dict[str, Any]:
        self._called("get_model", number)
        return {"id": number, "name": "m", "category": None, "file": str(self.folder / "m.zip")}


class BulkClient(RecordingClient):
    """One that takes all files at once."""

    def upload_files_bulk(self, paths: list[Path], **options: Any) -> Any:
        self._called("upload_files_bulk", paths)
        results = [
            SimpleNamespace(success=True, file_key=str(path), **self._checksum(path))
            for path in paths
        ]
        return SimpleNamespace(results=results)

    def _checksum(self, path: Path) -> dict[str, str]:
        return {"checksum": self._take(path)["checksum"]}


class Notes:
    """A logger of the SDK's kind that keeps what it is told."""

    def __init__(self) -> None:
        self.logged: list[tuple[Any, ...]] = []
        self.progress: list[tuple[Any, ...]] = []
        self.metrics: list[tuple[Any, ...]] = []
        self.steps: list[tuple[str | None, int | None]] = []

    def set_step(self, step: str | None, order: int | None = None) -> None:
        self.steps.append((step, order))

    def log(self, level: Any, event: str, data: Any, file: Any = None, step: Any = None) -> None:
        self.logged.append((level.value, event, data))

    def set_progress(self, current: float, total: float, step: str | None = None) -> None:
        self.progress.append((current, total, step))

    def set_metrics(self, value: Any, step: str | None = None) -> None:
        self.metrics.append((value, step))

    def events(self) -> list[str]:
        return [event for _, event, _ in self.logged]

    def messages(self) -> list[tuple[str, str]]:
        return [
            (level, data["content"]) for level, event, data in self.logged if event == "message"
        ]

    def plain(self) -> PlainNotes:
        """A logger of Handrail's kind that notes here what it is told."""
        return PlainNotes(self)


class PlainNotes:
    """A logger of Handrail's kind, which is told no level."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def log(self, event: str, data: Any, file: str | None = None) -> None:
        self.notes.logged.append((None, event, data))

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        self.notes.progress.append((current, total, category))

    def set_metrics(self, value: Any, category: str | None = None) -> None:
        self.notes.metrics.append((value, category))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Storage 1: a folder `shots` with two images, and a note about one of them."""
    folder = tmp_path / "storage" / "shots"
    for name, content in {
        "image_1/jug.jpg": "a jug",
        "image_1/deep/pot.jpg": "a pot",
        "data_meta_1/pot.json": '{"height": 12}',
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@pytest.fixture
def client(source: Path) -> RecordingClient:
    return RecordingClient(source.parent)


@pytest.fixture
def bulk_client(source: Path) -> BulkClient:
    return BulkClient(source.parent)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def runtime(client: RecordingClient, notes: Notes) -> RuntimeContext:
    return RuntimeContext(notes, {}, "17", client)


@pytest.fixture
def params() -> dict[str, object]:
    return {"name": "spring", "path": "/shots", "storage": 1, "data_collection": 5}
