"""What the tests of killed uploads share: the scenes of the fault tests, and processes to kill."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from killing.asking import Ask, asking
from killing.memory import folder_in_memory

from handrail.sqlite import SqliteJournal

LARGE = 6 << 20  # In two parts.
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all of them: together they take minutes, and those that kill at a server many."""
    wide = pytest.mark.skipif(
        "HANDRAIL_FAULTS" not in os.environ, reason="HANDRAIL_FAULTS is not set"
    )
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("slow")
            if item.path.name == "test_kills.py" and "local-sqlite" not in item.name:
                item.add_marker(wide)


def _faults() -> Any:
    path = HERE.parent / "faults" / "conftest.py"
    spec = importlib.util.spec_from_file_location("handrail_upload_fault_scenes", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


faults = _faults()
make_scene = faults.make_scene
scene = faults.scene


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory, where there is one: no machine dies here, only processes."""
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture(scope="session")
def worker() -> Iterator[Ask]:
    """Do something in a process of its own; see worker.py."""
    with asking(HERE / "worker.py") as ask:
        yield ask


def world_of(scene: Any) -> dict[str, Any]:
    """Return all that is there."""
    world: dict[str, Any] = scene.world()
    return {**world, "target": _whole(world["target"])}


def _whole(objects: dict[str, Any]) -> dict[str, Any]:
    """Leave out what radosgw's SQLite backend shows of an upload in parts that is not completed.

    It lists `KEY.2~ID` as an object, and no such upload where those are listed.
    """
    return {key: found for key, found in objects.items() if ".2~" not in key}


def wipe(scene: Any) -> None:
    """Make the scene what it was when it was made, but for its source."""
    shutil.rmtree(scene.folder / ".handrail", ignore_errors=True)
    scene.place.wipe()
    scene.place.put("others/kept.txt", b"somebody else's")
    if isinstance(scene.catalogue, faults.Sqlite):
        scene.catalogue.path.unlink(missing_ok=True)
    else:
        with scene.catalogue.connect() as database:
            database.execute("DROP SCHEMA public CASCADE")
            database.execute("CREATE SCHEMA public")


class Upload:
    """One upload in a scene, in processes that may be killed; its journal lies elsewhere."""

    def __init__(self, scene: Any, journal: Path, worker: Any, options: dict[str, Any]) -> None:
        self.scene, self.journal, self.worker, self.options = scene, journal, worker, options

    def world(self) -> dict[str, Any]:
        """Return all that is there; see world_of."""
        return world_of(self.scene)

    def do(self, what: str, **kill: Any) -> dict[str, Any]:
        """`run`, `resume` or `rollback`; killed `at` a write, at the `nth` `call`, or `after` s."""
        params = self.scene.params(**{"part_size": 5 << 20, "transfers": 4, **self.options})
        answer: dict[str, Any] = self.worker(
            {
                "do": what,
                "params": {**params, "source": str(params["source"])},
                "journal": str(self.journal),
                "folder": str(self.scene.folder),
                "environment": dict(self.scene.place.environment),
                "batch": 8,
                "when": "before",
                **kill,
            }
        )
        return answer

    def recorded(self) -> Any:
        """Return what the journal has of it, or None."""
        journal = SqliteJournal(self.journal)
        try:
            return journal.read(1) if journal.runs() else None
        finally:
            journal.close()

    @property
    def outcome(self) -> str | None:
        found: str | None = self.recorded().outcome
        return found

    def go_on(self, way: str, before: dict[str, Any]) -> None:
        """Finish or undo it in a new process after it was killed, and see that all is right.

        What was finished is undone afterwards, unless it is sealed.
        """
        row = self.recorded()
        if way == "rollback" and row.sealed:
            assert self.do("rollback")["error"] == "RollbackRefusedError"
            way = "resume"
        if way == "resume":
            if row.outcome is None:
                answer = self.do("resume")
                assert "error" not in answer, answer
            assert self.outcome == "completed"
            self.check_complete(before)
            if self.recorded().sealed:
                return
        answer = self.do("rollback")
        assert "error" not in answer, answer
        assert self.outcome == "rolled_back"
        assert self.world() == before

    def check_complete(self, before: dict[str, Any]) -> None:
        """Everything is there once, registered, and nothing is left beside it."""
        source = self.scene.source
        files = {
            str(path.relative_to(source)): path.read_bytes()
            for path in source.rglob("*")
            if path.is_file()
        }
        prefix = "" if isinstance(self.scene.place, faults.Folder) else "data/"
        there = _whole(self.scene.place.objects())
        names = {name for name, found in there.items() if found != "folder"}
        others = {name: found for name, found in before["target"].items() if found != "folder"}
        own = {name for name in names if name.startswith(f"{prefix}.handrail-target/")}
        copies = [name.rpartition("/aside/")[2] for name in own if "/aside/" in name]
        asides = {name.split("/", 2)[-1] for name in copies}  # After the epoch and the run.
        replaced = {name.removeprefix(prefix) for name in others} & set(files)
        assert asides == (set() if self.recorded().sealed else replaced)
        assert names - own == {f"{prefix}{key}" for key in files} | set(others)
        for key, content in files.items():
            assert self.scene.place.content(key) == content, key
        for name, found in others.items():
            if name.removeprefix(prefix) not in files:
                assert there[name] == found, name
        rows = self.scene.catalogue.rows()
        assert len(rows["handrail_data_file"]) == len(files)
        assert len(rows["handrail_data_unit"]) == len(files)
        assert self.scene.place.unfinished() == []


@pytest.fixture
def fill() -> Callable[..., dict[str, Any]]:
    """Make a scene as new, with so many small source files and a large one; return its world."""

    def fill(scene: Any, small: int, *, replacing: bool = False) -> dict[str, Any]:
        wipe(scene)
        scene.fill(small)
        scene.write("deep/down/large.bin", LARGE)
        if replacing:
            for name in ("0001.txt", "0003.txt", "deep/down/large.bin"):
                scene.place.put(name, b"what somebody else had there")
        return world_of(scene)

    return fill


@pytest.fixture
def make_upload(tmp_path: Path, worker: Any) -> Callable[..., Upload]:
    """Make an upload in a scene; with options of the params."""
    count = [0]

    def make(scene: Any, **options: Any) -> Upload:
        count[0] += 1
        return Upload(scene, tmp_path / f"journal-{count[0]}" / "runs.db", worker, options)

    return make
