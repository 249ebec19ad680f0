"""What the tests of killed trainings share: places for models, and processes to kill."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from killing.asking import Ask, asking

from handrail.sqlite import SqliteJournal
from handrail_train.store import create, open_store

HERE = Path(__file__).parent
THEIRS = "objects/aa/somebody.txt"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all of them: together they take minutes, and those that kill at a server many."""
    wide = pytest.mark.skipif(
        "HANDRAIL_FAULTS" not in os.environ, reason="HANDRAIL_FAULTS is not set"
    )
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("slow")
            if "radosgw" in item.name:
                item.add_marker(wide)


@pytest.fixture(scope="session")
def worker() -> Iterator[Ask]:
    """Do something in a process of its own; see worker.py."""
    with asking(HERE / "worker.py", {"OMP_NUM_THREADS": "1"}) as ask:
        yield ask


class Scene:
    """A working folder with data, and a store in which somebody else has something too."""

    def __init__(self, folder: Path, url: str, environment: Mapping[str, str], text: str) -> None:
        self.folder, self.url, self.environment = folder, url, environment
        folder.mkdir()
        (folder / "flowers.csv").write_text(text)
        self.is_local = "://" not in url
        self.clear()

    def clear(self) -> None:
        """Make it what it was when it was made."""
        shutil.rmtree(self.folder / ".handrail", ignore_errors=True)
        store = open_store(self.url)
        if self.is_local:
            shutil.rmtree(store.address, ignore_errors=True)
        store.delete([each.key for each in store.listing()])
        create(store, THEIRS, b"somebody else's", "other/upload_model")

    def world(self) -> dict[str, str]:
        """Return all that is there, by name."""
        found = {
            path.relative_to(self.folder).as_posix(): _digest(path.read_bytes())
            if path.is_file()
            else "folder"
            for path in self.folder.rglob("*")
        }
        if not self.is_local:
            store = open_store(self.url)
            found.update(
                {
                    key: _digest(store.read(key) or b"")
                    for key in (each.key for each in store.listing())
                }
            )
        return found

    def objects(self) -> set[str]:
        """Return the keys of what is in the store, but for what is of somebody else."""
        return {each.key for each in open_store(self.url).listing()} - {THEIRS}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(params=["folder", "moto", "radosgw"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    text = _table()
    if request.param == "folder":
        return Scene(tmp_path / "work", str(tmp_path / "work" / "models"), {}, text)
    server = request.getfixturevalue(request.param)
    environment = server.environment()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    bucket = f"train-{uuid.uuid4().hex[:8]}"
    server.client().create_bucket(Bucket=bucket)
    return Scene(tmp_path / "work", f"s3://{bucket}/kept", environment, text)


def _table() -> str:
    lines = [f"{n % 3 + n / 90:.4f},{(n * 7) % 11},{'abc'[n % 3]}" for n in range(60)]
    return "\n".join(["length,width,kind", *lines, ""])


class Training:
    """One training in a scene, in processes that may be killed; its journal lies elsewhere."""

    def __init__(self, scene: Scene, journal: Path, worker: Any, params: dict[str, Any]) -> None:
        usual = {"data": "flowers.csv", "target": "kind", "kind": "sgd", "epochs": 4}
        self.scene, self.journal, self.worker = scene, journal, worker
        self.params = {**usual, "store": scene.url, **params}

    def do(self, what: str, **kill: Any) -> dict[str, Any]:
        """`run`, `resume` or `rollback`; killed `at` a write, or at the `nth` `call`."""
        answer: dict[str, Any] = self.worker(
            {
                "do": what,
                "params": self.params,
                "folder": str(self.scene.folder),
                "environment": dict(self.scene.environment),
                "journal": str(self.journal),
                "when": "after",
                "lag": 0.0,
                **kill,
            }
        )
        return answer

    def recorded(self) -> Any:
        """Return what the journal knows of the run; None where it was never opened."""
        if not self.journal.exists():
            return None
        journal = SqliteJournal(str(self.journal))
        try:
            return journal.read(1) if journal.runs() else None
        finally:
            journal.close()

    @property
    def outcome(self) -> str | None:
        found: str | None = self.recorded().outcome
        return found


@pytest.fixture
def training(tmp_path: Path, worker: Any) -> Callable[..., Training]:
    """Make a training in a scene; with params."""
    count = [0]

    def make(scene: Scene, **params: Any) -> Training:
        count[0] += 1
        return Training(scene, tmp_path / f"journal-{count[0]}" / "runs.db", worker, params)

    return make
