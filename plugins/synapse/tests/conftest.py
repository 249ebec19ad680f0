"""What the tests of migrated code share: a client that records, a logger, a source."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

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
        self.storage = {"provider": "local", "configuration": {"location": str(folder)}}

    def asked(self, name: str) -> int:
        """How often a method was called."""
        return sum(each == name for each, _ in self.calls)

    def _called(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, arguments))
        if name in self.failing:
            raise self.failing[name]

    def get_storage(self, storage_id: int) -> Any:
        self._called("get_storage", storage_id)
        return SimpleNamespace(**self.storage)

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
        content = path.read_bytes()
        checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
        self.files[checksum] = content
        return {"checksum": checksum, "path": str(path)}

    def create_data_units(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self._called("create_data_units", batch)
        made = [{**unit, "id": len(self.units) + at} for at, unit in enumerate(batch, 1)]
        self.units += made
        return made


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


@dataclass(frozen=True)
class Asked:
    """A request that the service got."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Reply = Callable[[Asked], Any]


class HttpService:
    """The service on this machine: it answers as it is told, and keeps what it is asked.

    Attributes:
        url: Its URL.
        asked: The requests, in their order.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._replies: dict[tuple[str, str], list[Any]] = {}
        self._closing = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def log_message(self, *_: Any) -> None:
                pass

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

            def _answer(self) -> None:
                service.answer(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def on(self, method: str, path: str, *replies: Any) -> None:
        """Answer requests so, one after the other, and the last again and again.

        A reply is what is answered in JSON, a number for a status, both, bytes, or a function of
        the request. `"hang"` waits until the service closes; `"cut"` closes the connection.
        """
        self._replies[method, path] = list(replies)

    def of(self, method: str, path: str) -> list[Asked]:
        """The requests for a path."""
        return [each for each in self.asked if (each.method, each.path) == (method, path)]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        length = int(request.headers.get("Content-Length") or 0)
        asked = Asked(
            method=request.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query)),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.rfile.read(length),
        )
        self.asked.append(asked)
        replies = self._replies.get((asked.method, asked.path), [(404, {"detail": "nothing"})])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        reply = reply(asked) if callable(reply) else reply
        if reply == "hang":
            self._closing.wait(60)
        if reply in ("hang", "cut"):
            request.close_connection = True
            return
        status, body = reply if isinstance(reply, tuple) else (200, reply)
        if isinstance(body, int):
            status, body = body, {}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(0 if status == 204 else len(content)))
        request.end_headers()
        if status != 204 and asked.method != "HEAD":
            request.wfile.write(content)

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def service() -> Iterator[HttpService]:
    """The service, over HTTP."""
    made = HttpService()
    yield made
    made.close()


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
