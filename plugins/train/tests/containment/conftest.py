"""Trainings that were recorded beside things of others, to be forged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from forging import RecordedRun, seen
from killing.asking import Ask, asking

from handrail_train import DefaultTrainAction

WORKER = Path(__file__).parents[1] / "durable" / "worker.py"
PARAMS = {
    "data": "flowers.csv",
    "target": "kind",
    "kind": "sgd",
    "epochs": 3,
    "store": "models",
}
# Where it is killed: not at all, between two checkpoints, and between two objects.
KINDS: dict[str, dict[str, Any]] = {
    "completed": {},
    "training": {"call": "write_whole", "nth": 2, "when": "after"},
    "storing": {"call": "create", "nth": 2, "when": "after"},
}


class Trained(RecordedRun):
    """A recorded training."""

    action = DefaultTrainAction

    def __init__(self, home: Path, kind: str) -> None:
        super().__init__(home)
        self.kind = kind
        self.store = self.work / "models"

    def lay_out(self) -> None:
        """Make the data, what is in the store already, and what is somebody else's."""
        beside = self.home / "beside"
        for folder in (beside, self.work):
            (folder / "empty").mkdir(parents=True)
            (folder / "secret.txt").write_text(f"{folder.name}, and none of your business")
        (beside / "epoch-00001.ckpt").write_text("theirs")
        (self.work / ".handrail").mkdir()
        lines = [f"{n % 3 + n / 90:.4f},{(n * 7) % 11},{'abc'[n % 3]}" for n in range(60)]
        (self.work / "flowers.csv").write_text("\n".join(["length,width,kind", *lines, ""]))
        (self.store / "objects" / "aa").mkdir(parents=True)
        (self.store / "objects" / "aa" / ("aa" * 32)).write_text("theirs")
        (self.store / "out").symlink_to(beside)
        (self.store / "objects" / "bb").symlink_to(beside)

    def record(self, worker: Ask) -> None:
        """Train in a process of its own, which may be killed."""
        self.lay_out()
        kill = KINDS[self.kind]
        asked = {
            "do": "run",
            "params": PARAMS,
            "lag": 0.0,
            "environment": {},
            "journal": str(self.journal),
            "folder": str(self.work),
            **kill,
        }
        assert worker(asked)["code"] == (-9 if kill else 0)
        self.keep()

    def own(self) -> set[str]:
        """Return what the run has made and is still there."""
        theirs = (
            "empty",
            "secret.txt",
            "flowers.csv",
            "models/out",
            f"models/objects/aa/{'aa' * 32}",
        )
        found = {name for name in seen(self.work) if ".handrail/" not in name or "train" in name}
        folders = (
            "models",
            "models/objects",
            "models/objects/aa",
            "models/objects/bb",
            ".handrail",
        )
        return found - {*theirs, *folders}

    def stored(self) -> set[Path]:
        """Return what the run has stored."""
        return set(self.store.glob("versions/*/*.json"))

    def outside(self) -> dict[str, Any]:
        """Return all that no undo of this run may touch: outside, and of others in the store."""
        found = seen(self.home, self.store, self.work / ".handrail")
        for name in (f"objects/aa/{'aa' * 32}", "out", "objects/bb"):
            path = self.store / name
            content = path.read_bytes() if path.is_file() else b""
            found[f"store/{name}"] = (path.lstat().st_mode, content)
        return found


@pytest.fixture(scope="session")
def worker() -> Iterator[Ask]:
    """Train in a process of its own."""
    with asking(WORKER, {"OMP_NUM_THREADS": "1"}) as ask:
        yield ask


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory, worker: Ask) -> Callable[[str], Trained]:
    """Return a recorded training of this kind, as it was when it was recorded."""
    made: dict[str, Trained] = {}

    def put_back(kind: str) -> Trained:
        if kind not in made:
            made[kind] = Trained(tmp_path_factory.mktemp(kind) / "home", kind)
            made[kind].record(worker)
        made[kind].put_back()
        return made[kind]

    return put_back
