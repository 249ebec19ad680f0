"""Exports that were recorded beside things of others, to be forged."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from forging import RecordedRun, seen
from killing.asking import Ask, asking

from handrail_export import DefaultExportAction

WORKER = Path(__file__).parents[1] / "durable" / "worker.py"
PARTS = {"source": "rows.db", "table": "item", "format": "csv", "partition_by": ["kind"]}
# What is exported, and where it is killed: completed, half way, as one file, and replacing.
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "folder": ({**PARTS, "target": "out"}, {}),
    "killed": ({**PARTS, "target": "out"}, {"call": "_put", "nth": 2, "when": "after"}),
    "file": ({"source": "rows.db", "table": "item", "target": "out.csv"}, {}),
    "replacing": (
        {**PARTS, "target": "out", "if_exists": "overwrite", "keep_replaced": False},
        {"call": "settle", "nth": 1, "when": "before"},
    ),
}


class Exported(RecordedRun):
    """A recorded export."""

    action = DefaultExportAction

    def __init__(self, home: Path, kind: str) -> None:
        super().__init__(home)
        self.kind = kind
        self.target = self.work / KINDS[kind][0]["target"]

    def lay_out(self) -> None:
        """Make the source, what is in the target already, and what is somebody else's."""
        beside = self.home / "beside"
        for folder in (beside, self.work):
            (folder / "empty").mkdir(parents=True)
            (folder / "secret.txt").write_text(f"{folder.name}, and none of your business")
        (beside / "data_0.csv").write_text("theirs")
        (self.work / ".handrail").mkdir()
        with closing(sqlite3.connect(self.work / "rows.db")) as database, database:
            database.execute("CREATE TABLE item (id INTEGER, kind TEXT)")
            rows = ((n, "abc"[n % 3]) for n in range(9))
            database.executemany("INSERT INTO item VALUES (?, ?)", rows)
        inside = self.work if self.kind == "file" else self.target
        (inside / "theirs").mkdir(parents=True)
        (inside / "theirs" / "a.txt").write_text("theirs")
        (inside / "out").symlink_to(beside)
        (inside / "link.txt").symlink_to(beside / "secret.txt")
        if self.kind == "replacing":
            older = {"files": [{"path": "kind=z/old.csv", "size": 3, "sha256": ""}]}
            for name, text in (
                ("kind=a/data_0.csv", "old"),
                ("kind=z/old.csv", "old"),
                ("manifest.json", json.dumps(older)),
            ):
                (inside / name).parent.mkdir(exist_ok=True)
                (inside / name).write_text(text)

    def record(self, worker: Ask) -> None:
        """Export in a process of its own, which may be killed."""
        self.lay_out()
        params, kill = KINDS[self.kind]
        told = {
            "do": "run",
            "params": params,
            "journal": str(self.journal),
            "folder": str(self.work),
            "environment": {},
            **kill,
        }
        assert worker(told)["code"] == (-9 if kill else 0)
        self.keep()

    def outside(self) -> dict[str, Any]:
        """Return all that no undo of this run may touch: outside, and of others in the target."""
        own = (self.work / ".handrail", self.work / ".handrail-target")
        found = seen(self.home, self.target, self.staging, *own)
        if self.target.is_dir():
            for name in ("theirs", "theirs/a.txt", "out", "link.txt"):
                path = self.target / name
                found[f"target/{name}"] = (
                    path.lstat().st_mode,
                    path.is_file() and path.read_bytes(),
                )
        return found

    def own(self) -> set[str]:
        """Return what the run has made and is still there, or has replaced and is not back."""
        found = seen(self.work)
        left = {name for name in found if "/.handrail-" in f"/{name}" or "exports" in name}
        texts = {path.relative_to(self.work): path.read_text() for path in self.work.rglob("*.csv")}
        if self.kind == "replacing" and "old" not in texts.values():
            left.add("old")
        return left | {str(path) for path, text in texts.items() if text != "old"}

    def stored(self) -> set[Path]:
        """Return what the run has stored."""
        return set(self.target.glob("kind=*/*.csv"))

    @property
    def staging(self) -> Path:
        folder = self.work if self.kind == "file" else self.target
        return folder / f".handrail-{self.run}"


@pytest.fixture(scope="session")
def worker() -> Iterator[Ask]:
    """Export in a process of its own."""
    with asking(WORKER) as ask:
        yield ask


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory, worker: Ask) -> Callable[[str], Exported]:
    """Return a recorded export of this kind, as it was when it was recorded."""
    made: dict[str, Exported] = {}

    def put_back(kind: str) -> Exported:
        if kind not in made:
            made[kind] = Exported(tmp_path_factory.mktemp(kind) / "home", kind)
            made[kind].record(worker)
        made[kind].put_back()
        return made[kind]

    return put_back
