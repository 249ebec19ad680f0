"""What the tests of killed exports share: scenes, and processes to kill."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from killing.asking import Ask, asking

from handrail.sqlite import SqliteJournal

HERE = Path(__file__).parent
_NUMBERS = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all of them: together they take minutes."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def worker() -> Iterator[Ask]:
    """Do something in a process of its own; see worker.py."""
    with asking(HERE / "worker.py") as ask:
        yield ask


class Folder:
    """A folder on this machine as the target."""

    def __init__(self, here: Path) -> None:
        self.environment: dict[str, str] = {}
        self.path = here / "target"
        self.url = str(self.path)

    def clear(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def put(self, key: str, content: bytes) -> None:
        path = self.path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def objects(self) -> dict[str, Any]:
        """Return all there is, with what tells each file from another one of the same content."""
        found = {}
        for path in sorted(self.path.rglob("*")):
            name = path.relative_to(self.path).as_posix()
            whole = path.is_file()
            found[name] = (path.read_bytes(), path.stat().st_ino) if whole else "folder"
        return found

    def contents(self) -> dict[str, bytes]:
        return {name: each[0] for name, each in self.objects().items() if each != "folder"}


class Bucket:
    """A bucket as the target."""

    def __init__(self, server: Any) -> None:
        self.name, self.client = server.bucket(), server.client()
        self.url = f"s3://{self.name}/out"
        self.environment = server.environment()

    def clear(self) -> None:
        for key in self.objects():
            self.client.delete_object(Bucket=self.name, Key=f"out/{key}")

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=f"out/{key}", Body=content)

    def objects(self) -> dict[str, Any]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
        return {key.removeprefix("out/"): self._object(key) for key in keys}

    def _object(self, key: str) -> Any:
        found = self.client.get_object(Bucket=self.name, Key=key)
        return found["Body"].read(), found["Metadata"]

    def contents(self) -> dict[str, bytes]:
        return {name: content for name, (content, _) in self.objects().items()}


class Scene:
    """One export at a target, in processes that may be killed; its journal lies elsewhere."""

    def __init__(self, here: Path, place: Any, worker: Any, options: dict[str, Any]) -> None:
        self.here, self.place, self.worker, self.options = here, place, worker, options
        self.journal = here
        self.before: dict[str, Any] = {}
        self.complete: dict[str, bytes] = {}

    def fresh(self) -> None:
        """Make the target what it was, with an older export and a file of others in it."""
        self.journal = self.here / f"journal-{next(_NUMBERS)}" / "runs.db"
        shutil.rmtree(self.here / "state", ignore_errors=True)
        self.place.clear()
        self.place.put("others/kept.txt", b"somebody else's")
        if self.options.get("if_exists") == "overwrite":
            keeps = self.options["keep_replaced"]
            gone = [] if keeps else [{"path": "old.csv", "size": 3}]
            older = {"files": [{**each, "sha256": ""} for each in gone]}
            self.place.put("old.csv", b"old")
            self.place.put("kind=a/data_0.csv", b"old, too")
            self.place.put("manifest.json", json.dumps(older).encode())
        self.before = self.place.objects()

    def do(self, what: str, **kill: Any) -> dict[str, Any]:
        """`run`, `resume` or `rollback`; killed `at` a write, at the `nth` `call`, or `after` s."""
        told = {
            "do": what,
            "params": {
                "target": self.place.url,
                "folder": str(self.here / "state"),
                **self.options,
            },
            "journal": str(self.journal),
            "folder": str(self.here),
            "environment": dict(self.place.environment),
            "when": "before",
            **kill,
        }
        answer: dict[str, Any] = self.worker(told)
        return answer

    def learn(self) -> None:
        """Run it once to its end, to know what a whole one looks like."""
        self.fresh()
        answer = self.do("run")
        assert answer["code"] == 0, answer
        self.complete = self._comparable(self.place.contents())

    def recorded(self) -> Any:
        """Return what the journal has of it, or None."""
        journal = SqliteJournal(self.journal)
        try:
            return journal.read(1) if journal.runs() else None
        finally:
            journal.close()

    def go_on(self, way: str) -> None:
        """Finish or undo it in a new process after it was killed, and see that all is right.

        What was finished is undone afterwards, unless it is sealed.
        """
        recorded = self.recorded()
        if recorded is None:
            assert self.place.objects() == self.before
            return
        if way == "rollback" and recorded.sealed:
            assert self.do("rollback")["error"] == "RollbackRefusedError"
            way = "resume"
        if way == "resume":
            if recorded.outcome is None:
                answer = self.do("resume")
                assert "error" not in answer, answer
            self.check_complete()
            if self.recorded().sealed:
                return
        answer = self.do("rollback")
        assert "error" not in answer, answer
        self.check_undone()

    def check_complete(self) -> None:
        """Everything is there once, whole, and nothing is left beside it."""
        assert self.recorded().outcome == "completed"
        assert self._comparable(self.place.contents()) == self.complete
        names = {path.name for path in (self.here / "state").iterdir()} - {"claims"}
        assert [Path(name).suffix for name in names] == [".db"]

    def check_undone(self) -> None:
        """All is as it was, to the very files, and nothing is left on this machine."""
        assert self.recorded().outcome == "rolled_back"
        assert self.place.objects() == self.before
        left = sorted(self.here.glob("state/**/*")) if (self.here / "state").exists() else None
        assert left is None

    @staticmethod
    def _comparable(contents: dict[str, bytes]) -> dict[str, bytes]:
        """Leave out what differs from run to run: some of manifest.json, and the claims."""
        contents = {k: v for k, v in contents.items() if not k.startswith(".handrail-target/")}
        assert not [key for key in contents if "handrail-" in key]
        document = json.loads(contents["manifest.json"])
        kept = {k: v for k, v in document.items() if k not in ("run", "created")}
        return {**contents, "manifest.json": json.dumps(kept).encode()}


@pytest.fixture
def make_scene(
    request: pytest.FixtureRequest, here: Path, table: Any, shapes: Any, worker: Any
) -> Callable[..., Scene]:
    """Make a scene at a kind of target: `rows` in partitions, `replacing` or `pictures`.

    `keeping` replaces, too, and has no file to delete, so what it replaces is kept.
    """

    def make(kind: str, place: str = "folder") -> Scene:
        with closing(sqlite3.connect(shapes.path)) as database:
            database.execute("PRAGMA journal_mode = DELETE")
        rows = {"source": "rows.db", "table": "item", "format": "csv", "partition_by": ["kind"]}
        options: dict[str, Any] = {
            "rows": rows,
            "replacing": {**rows, "if_exists": "overwrite", "keep_replaced": False},
            "keeping": {**rows, "if_exists": "overwrite", "keep_replaced": "30d"},
            "pictures": {"source": "shapes.db", "format": "coco"},
        }[kind]
        if kind != "pictures":
            table(9)
        at: Any = Folder(here)
        if place != "folder":
            at = Bucket(request.getfixturevalue(place))
        scene = Scene(here, at, worker, options)
        scene.learn()
        return scene

    return make
